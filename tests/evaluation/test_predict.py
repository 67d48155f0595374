"""Predictions: of a part, of a bundle, and never of what was learned from."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from lentigo import data, evaluation
from lentigo.data.sources import synthetic
from lentigo.errors import DataError, LeakError
from lentigo.evaluation.predict import own_part
from lentigo.evaluation.run_predictor import RunPredictor
from lentigo.labels import find_mapping
from lentigo.runtime import Bundle


def test_a_run_predicts_its_test_part(trained_run):
    table = evaluation.predict_part(trained_run, "test")
    assert list(table.table["image_id"]) == list(trained_run.split.test.ids)
    assert table.meta["split_sha256"] == trained_run.split.hash
    assert table.meta["leaky"] is False
    assert table.meta["training_prevalence"] == pytest.approx(trained_run.prior)
    groups = trained_run.split.manifest.set_index("image_id")["group"]
    assert list(table.groups) == list(groups[table.table["image_id"]])


def test_there_is_no_predicting_the_training_part(trained_run):
    with pytest.raises(DataError, match="train"):
        evaluation.predict_part(trained_run, "train")


def test_a_bundle_agrees_with_its_run(trained_run, bundle_path):
    """The cache rounds pixels to whole grey levels, the bundle does not: close, not equal."""
    run = evaluation.predict_part(trained_run, "test")
    bundle = evaluation.predict_own_part(Bundle(bundle_path), trained_run.records)
    assert list(bundle.table["image_id"]) == list(run.table["image_id"])
    assert np.abs(bundle.probabilities - run.probabilities).max() < 0.02
    assert list(bundle.groups) == list(run.groups)
    assert bundle.meta["latency_ms"] > 0
    assert (bundle.table["ood_score"] > 0).all()


def test_latency_is_of_one_image_at_a_time_while_nothing_else_runs(trained_run, bundle_path, monkeypatch):
    """By a clock that stands still but for a second an image: timed beside other images, each would take several."""
    bundle, asked, read = Bundle(bundle_path), [], []
    predict = bundle.predict
    monkeypatch.setattr(
        bundle, "predict", lambda images, **known: asked.append(len(images)) or predict(images, **known)
    )
    clock = SimpleNamespace(perf_counter=lambda: read.append(sum(asked)) or float(sum(asked)))
    monkeypatch.setattr(import_module("lentigo.evaluation.predict"), "time", clock)
    found = evaluation.predict_own_part(bundle, trained_run.records)
    assert found.meta["latency_ms"] == 1000
    assert read[0] > len(found)  # all images, and one more to warm up


def test_threads_that_ask_a_run_at_once_get_its_answers(trained_run):
    """Weights that one thread moved were read by others: wrong probabilities, or none."""
    images = np.random.default_rng(0).integers(0, 256, (16, 40, 40, 3), dtype=np.uint8)
    alone = RunPredictor(trained_run)
    expected = [alone.predict(image[None]).probabilities for image in images]
    for _ in range(20):
        predictor = RunPredictor(trained_run)
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda image, asked=predictor: asked.predict(image[None]).probabilities, images))
        assert np.abs(np.array(found) - expected).max() < 1e-5


def test_asking_a_run_leaves_its_weights_where_they_are(trained_run):
    predictor = RunPredictor(trained_run)
    places = [parameter.data_ptr() for parameter in predictor._network.parameters()]
    predictor.predict(np.zeros((1, 40, 40, 3), np.uint8))
    assert [parameter.data_ptr() for parameter in predictor._network.parameters()] == places


def test_a_bundle_refuses_what_it_has_seen(trained_run, bundle_path):
    bundle = Bundle(bundle_path)
    with pytest.raises(LeakError, match="has seen"):
        evaluation.predict(bundle, trained_run.records)
    one_seen = trained_run.records.take([*trained_run.split.test.ids, trained_run.split.train.ids[0]])
    with pytest.raises(LeakError, match=str(trained_run.split.train.ids[0])):
        evaluation.predict(bundle, one_seen)


def test_a_sibling_of_a_seen_image_is_refused(trained_run, bundle_path):
    """An image that is new, of a lesion that is not."""
    test = trained_run.split.test
    table = test.table.copy()
    table.loc[0, "lesion_id"] = trained_run.split.train.table["lesion_id"][0]
    with pytest.raises(LeakError):
        evaluation.predict(Bundle(bundle_path), data.Records(table, "new", test.root))


def test_a_bundle_meets_other_data(bundle_path, tmp_path):
    other = data.read(synthetic.make(tmp_path / "other", lesions=20, seed=5))
    table = other.table.assign(image_id="new" + other.table["image_id"], lesion_id="new" + other.table["lesion_id"])
    broken = other.table["path"][1]
    Path(broken).write_bytes(b"no image")
    predictions = evaluation.predict(Bundle(bundle_path), data.Records(table, "other", other.root))
    assert len(predictions) == len(other) - 1
    (unreadable,) = predictions.meta["unreadable"]
    assert broken in unreadable


class TestOwnPart:
    """By the ids that the bundle carries: the split need not be made again."""

    def test_it_is_the_test_part(self, bundle_path, trained_run):
        found = own_part(Bundle(bundle_path), trained_run.records)
        assert list(found.ids) == list(trained_run.split.test.ids)

    def test_training_images_may_lack(self, bundle_path, trained_run):
        records = trained_run.records
        test = records.take([*trained_run.split.test.ids, *trained_run.split.train.ids[:3]])
        assert list(own_part(Bundle(bundle_path), test).ids) == list(trained_run.split.test.ids)

    def test_test_images_may_not(self, bundle_path, trained_run):
        fewer = trained_run.records.take(trained_run.split.test.ids[2:])
        with pytest.raises(DataError, match="2 of the 55 images of the test part"):
            evaluation.predict_own_part(Bundle(bundle_path), fewer)

    def test_unless_the_reader_reported_them(self, bundle_path, trained_run):
        ids = trained_run.split.test.ids
        problem = data.Problem(f"images/{ids[0]}.jpg", "the file is empty", "empty image")
        fewer = replace(trained_run.records.take(ids[1:]), problems=(problem,))
        assert len(own_part(Bundle(bundle_path), fewer)) == 54

    def test_a_bundle_of_format_1_makes_its_split_again(self, trained_run, synthetic_records):
        bundle = Bundle(Path(__file__).parent.parent / "fixtures" / "format_1.onnx")
        assert list(own_part(bundle, synthetic_records).ids) == list(trained_run.split.test.ids)
        with pytest.raises(DataError, match="can't be reproduced"):
            own_part(bundle, synthetic_records.take(synthetic_records.ids[:-1]))


def test_a_copied_image_of_a_leaky_protocol_keeps_the_group_of_the_split(trained_run, bundle_path, synthetic_records):
    """Copies have ids of their own, which the plain records of the data set don't hold."""
    split = data.split(synthetic_records, "oversampled_then_split_leaky")
    bundle = Bundle(bundle_path, threads=1)
    described = {"protocol": split.protocol, "leaky": True, "fold": 0, "folds": 5, "seed": split.seed}
    described |= {"sha256": split.hash, "images": {"test": len(split.test)}}
    bundle.origin = replace(bundle.origin, split=described)
    copies = [i for i in split.test.ids if "+copy" in i][:3]
    groups = split.manifest.set_index("image_id")["group"]
    found = evaluation.predict_own_part(bundle, synthetic_records, only=copies)
    assert copies and list(found.groups) == list(groups[copies])


class TestARunIsAPredictor:
    def test_it_predicts_other_images_as_its_own(self, trained_run):
        run = evaluation.predict_part(trained_run, "test")
        again = evaluation.predict_own_part(RunPredictor(trained_run), trained_run.records)
        assert again.probabilities == pytest.approx(run.probabilities, abs=1e-4)
        assert list(again.groups) == list(run.groups)

    def test_it_is_refused_what_it_has_seen(self, trained_run):
        with pytest.raises(LeakError, match="has seen"):
            evaluation.predict(RunPredictor(trained_run), trained_run.records)

    def test_other_labels_need_a_mapping(self, trained_run, synthetic_records):
        binary = synthetic_records.mapped(find_mapping("binary", synthetic_records.label_set))
        with pytest.raises(DataError, match="mapping"):
            evaluation.predict(RunPredictor(trained_run), binary)


def test_evaluate_leaves_predictions_metrics_and_a_page(trained_run, tmp_path):
    metrics = evaluation.evaluate(trained_run.path, out=tmp_path / "out", replicates=50)
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        *("predictions.parquet", "validation.parquet", "metrics.json", "metrics.md", "fairness.json", "fairness.md")
    }
    validation = evaluation.Predictions.load(tmp_path / "out" / "validation.parquet")
    assert list(validation.table["image_id"]) == list(trained_run.split.validation.ids)
    again = evaluation.measure(evaluation.Predictions.load(tmp_path / "out" / "predictions.parquet"), replicates=50)
    assert again == metrics
    page = (tmp_path / "out" / "metrics.md").read_text()
    assert f"{metrics.get('balanced_accuracy')}" in page
    assert "always melanocytic nevus" in page
    assert trained_run.split.hash in page


def test_a_bundle_needs_to_be_told_where_images_lie(bundle_path):
    with pytest.raises(DataError, match="--data"):
        evaluation.evaluate(bundle_path)


def test_calibration_is_fitted_once_and_kept(trained_run):
    first = evaluation.calibrate(trained_run)
    assert first.images == len(trained_run.split.validation)
    assert (trained_run.path / "calibration.json").exists()
    assert evaluation.calibrate(trained_run) == first
