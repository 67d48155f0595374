"""What else is exported: splits with pairs and other folds, benign against malignant, and networks without maps."""

import pytest

from lentigo import data, evaluation, export, training
from lentigo.evaluation.predict import own_part
from lentigo.runtime import Bundle

RECIPE = {"size": 16, "epochs": 1, "batch_size": 64, "flip_tta": False}


@pytest.fixture(scope="module")
def trained(synthetic_records, tmp_path_factory):
    """Trains a network for an epoch on a split of its own."""

    def build(model="compact", *, pairs=(), fold=0, folds=5, **recipe):
        split = data.split(synthetic_records, fold=fold, folds=folds, pairs=pairs)
        out = tmp_path_factory.mktemp("runs") / "run"
        return training.train(model, split, training.Recipe(**RECIPE | recipe), out=out)

    return build


def test_a_split_with_pairs_and_three_folds(trained, synthetic_records, tmp_path):
    """No split can be made again from such a bundle's metadata alone; the ids in it say which images are its test."""
    one, other = synthetic_records.ids[[0, -1]]
    run = trained(pairs=[(one, other)], fold=2, folds=3)
    bundle = export.bundle(run, tmp_path / "pairs.onnx")
    assert bundle.metadata.split["folds"] == 3
    assert bundle.metadata.split["fold"] == 2
    assert list(own_part(bundle, synthetic_records).ids) == list(run.split.test.ids)
    assert list(own_part(bundle, synthetic_records, "validation").ids) == list(run.split.validation.ids)


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy"])
def test_benign_and_malignant(trained, tmp_path, loss):
    run = trained(target="malignancy", loss=loss)
    bundle = export.bundle(run, tmp_path / "binary.onnx")
    assert bundle.labels.classes == ("benign", "malignant")
    assert [p.target for p in bundle.metadata.operating_points] == ["malignancy"]
    assert "melanoma" in bundle.metadata.no_operating_point
    assert bundle.metadata.parity["same_top_class"] == 1
    own = evaluation.predict_own_part(bundle, run.labelled(run.split.records))
    assert own.probabilities == pytest.approx(evaluation.predict_part(run).probabilities, abs=0.02)


def test_a_network_without_maps(trained, tmp_path):
    run = trained("compressed_cnn", size=28)
    bundle = export.bundle(run, tmp_path / "none.onnx")
    assert not bundle.has_maps
    assert bundle.metadata.parity["largest_map_difference"] is None
    assert "can't draw heat maps" in export.summarise(bundle)
    assert "on its test part, balanced prior: " in export.summarise(bundle)


def test_the_command_says_what_it_made(run, trained_run, tmp_path):
    code, said, err = run("export", trained_run.path, tmp_path / "model.onnx")
    assert code == 0, err
    assert str(tmp_path / "model.onnx") in said
    assert "balanced_accuracy" in said
    assert "Threshold for melanoma" in said
    code, _, err = run("export", trained_run.path, tmp_path / "model.pt")
    assert code == 1
    assert ".onnx" in err


def test_why_there_is_no_threshold_is_printed(bundle_path):
    bundle = Bundle(bundle_path)
    bundle.metadata = bundle.metadata.model_copy(update={"no_operating_point": {"melanoma": "none was there."}})
    assert "No threshold for melanoma: none was there." in export.summarise(bundle)
