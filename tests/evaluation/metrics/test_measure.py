"""Metrics keep their identities, don't depend on the order of rows, and say why a number is missing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lentigo import taxonomy
from lentigo.errors import DataError
from lentigo.evaluation.metrics.measure import Metrics, measure
from lentigo.evaluation.predictions import Predictions
from lentigo.evaluation.tasks import VIEWS, tasks_of
from tests.evaluation.imagined import make, of


@pytest.fixture(scope="module")
def predictions():
    return make(400, seed=3)


@pytest.fixture(scope="module")
def metrics(predictions):
    return measure(predictions, replicates=200)


def every_value(metrics: Metrics):
    for view, tasks in metrics.views.items():
        for task, found in tasks.items():
            for name, value in found.values.items():
                yield view, task, name, value


def test_headline_metrics_are_all_there(predictions, metrics):
    for name in metrics.provenance.shown("headline"):
        estimate = metrics.get(name)
        assert estimate.value is not None
        assert estimate.low is not None or name == "majority_class_baseline.nv"
    assert set(metrics.views) == set(VIEWS)
    assert set(metrics.views["equal_prevalence"]) == set(tasks_of(predictions))


def test_decisions_come_from_the_view(predictions, metrics):
    for view, p in zip(VIEWS, (predictions.probabilities, predictions.at_prevalence()), strict=True):
        expected = np.mean(predictions.labels == p.argmax(axis=1))
        assert metrics.get("accuracy", view=view).value == pytest.approx(expected, abs=1e-9)
    always = np.mean(predictions.labels == taxonomy.CLASSES.index("nv"))
    assert metrics.get("majority_class_baseline.nv").value == pytest.approx(always, abs=1e-9)


def test_every_interval_holds_its_value_and_stays_in_range(metrics):
    for _, _, name, e in every_value(metrics):
        if e.low is None or name.startswith("ece"):  # a calibration error is biased upwards, its interval is not
            continue
        assert e.low <= e.value <= e.high, name
        assert e.low < e.high, name
        if not name.startswith(("mcc", "kappa")):
            assert e.low >= 0, name
        if not name.startswith(("brier", "log_loss")):
            assert e.high <= 1, name


def test_json_comes_back_equal(metrics):
    assert Metrics.from_json(metrics.to_json()) == metrics
    assert "NaN" not in metrics.to_json()
    assert Metrics.model_json_schema()["properties"]["views"]


def test_unknown_metric_is_named(metrics):
    with pytest.raises(DataError, match="blanced_accuracy"):
        metrics.get("blanced_accuracy")


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(30, 120), st.floats(0, 4))
def test_identities(seed, images, skill):
    found = measure(make(images, seed=seed, skill=skill))
    for tasks in found.views.values():
        for task, of_task in tasks.items():
            v = {name: e.value for name, e in of_task.values.items()}
            assert v["balanced_accuracy"] == pytest.approx(v["recall.macro"])
            assert v["recall.weighted"] == pytest.approx(v["accuracy"])
            matrix = np.array(of_task.confusion)
            assert matrix.sum() == images
            assert np.trace(matrix) / images == pytest.approx(v["accuracy"])
            if task != "diagnosis":
                no, yes = of_task.classes
                assert v[f"recall.{no}"] == pytest.approx(v[f"specificity.{yes}"])
                if v[f"auc.{yes}"] is not None:
                    assert v[f"auc.{no}"] == pytest.approx(v[f"auc.{yes}"])
                    assert v["auc.pairwise"] == pytest.approx(v[f"auc.{yes}"])
            assert v["mcc"] is None or -1 <= v["mcc"] <= 1
            assert v["kappa"] is None or v["kappa"] <= 1
        # One against the rest is the same question in both tasks.
        one, rest = tasks["diagnosis"].values["auc.mel"], tasks["melanoma"].values["auc.melanoma"]
        assert one.value == pytest.approx(rest.value)


def test_perfect_and_reversed():
    labels = np.arange(140) % 7
    right, wrong = measure(of(labels, 50 * np.eye(7)[labels])), measure(of(labels, 50 * np.eye(7)[(labels + 1) % 7]))
    for name in ("accuracy", "balanced_accuracy", "auc.macro", "mcc", "kappa", "f1.macro", "average_precision.macro"):
        assert right.get(name).value == pytest.approx(1)
    assert right.get("log_loss").value == pytest.approx(0, abs=1e-9)
    assert wrong.get("accuracy").value == 0
    assert wrong.get("ece").value == pytest.approx(1)


def test_missing_class_is_said_and_left_out():
    mix = (0.1, 0.1, 0.2, 0, 0.2, 0.4, 0)
    found = measure(make(200, mix=mix), replicates=50)
    assert found.get("recall.df").value is None
    assert found.get("recall.df").note == "no image shows df"
    present = [found.get(f"recall.{c}").value for c in ("akiec", "bcc", "bkl", "mel", "nv")]
    assert found.get("balanced_accuracy").value == pytest.approx(np.mean(present))
    assert found.get("auc.macro").low is not None
    assert any("df, vasc" in warning for warning in found.provenance.warnings)


def test_one_class_only():
    found = measure(of([5] * 20, np.random.default_rng(0).normal(size=(20, 7))), replicates=20)
    assert found.get("auc.macro").note == "every image shows nv"
    assert found.get("specificity.nv").value is None
    assert found.get("recall.nv").value is not None
    assert found.get("mcc").value is None


def test_never_decided_class_has_no_precision():
    logits = np.random.default_rng(0).normal(size=(70, 7))
    logits[:, 3] = -50
    found = measure(of(np.arange(70) % 7, logits))
    assert found.get("precision.df").note == "df is never predicted"
    assert found.get("f1.df").value == 0


def test_single_lesion_of_a_class_gives_no_interval():
    labels = np.array([5] * 30 + [4] * 6)
    lesions = np.array([*range(30), *[30] * 6])
    found = measure(of(labels, np.random.default_rng(0).normal(size=(36, 7)), lesions), replicates=30)
    for name in ("recall.mel", "auc.mel", "balanced_accuracy", "auc.macro"):
        assert found.get(name).value is not None
        assert found.get(name).low is None
        assert "single lesion" in found.get(name).note
    assert found.get("recall.nv").low is not None


def test_all_images_of_one_lesion():
    found = measure(of([4] * 5, np.random.default_rng(0).normal(size=(5, 7)), [0] * 5), replicates=10)
    assert all(e.low is None for *_, e in every_value(found))


def test_ten_rows():
    found = measure(make(10), replicates=100)
    assert any("Fewer than" in warning for warning in found.provenance.warnings)
    for _, _, name, e in every_value(found):
        assert e.value is not None or e.note, name


def test_all_right_has_an_exact_interval():
    """12 of 12 lesions: Clopper and Pearson's lower end is 0.025 ** (1 / 12)."""
    labels = np.repeat([4, 5], [12, 30])
    found = measure(of(labels, 9 * np.eye(7)[labels]), replicates=50).get("recall.mel")
    assert (found.value, found.high) == (1, 1)
    assert found.low == pytest.approx(0.025 ** (1 / 12))


def test_leak_is_carried():
    leaky = measure(make(50, leaky=True, protocol="leaky_image"))
    assert leaky.provenance.leaky
    assert leaky.provenance.protocol == "leaky_image"
    assert any(w.startswith("LEAKY") for w in leaky.provenance.warnings)
    assert not any(w.startswith("LEAKY") for w in measure(make(50)).provenance.warnings)


def test_unknown_training_prevalence_leaves_one_view():
    known = make(50)
    found = measure(Predictions(known.table, {"leaky": False}))
    assert set(found.views) == {"equal_prevalence"}
    assert any("unknown" in w for w in found.provenance.warnings)
    with pytest.raises(DataError):
        Predictions(known.table, {}).at_prevalence()


def test_other_mix_is_warned_of():
    assert any("case mix" in w for w in measure(make(200, mix=(1,) * 7)).provenance.warnings)


@pytest.mark.parametrize("bad", [[0.5] * 7, [1, 0, 0, 0, 0, 0, 0], [0.5, 0.5], [float("nan")] * 7])
def test_training_prevalence_must_be_one(bad):
    stated = {"training_prevalence": bad}
    if bad == [0.5] * 7:  # shares of any sum are scaled
        assert Predictions(make(20).table, stated).training_prevalence == pytest.approx(np.full(7, 1 / 7))
    else:
        with pytest.raises(DataError, match=r"prevalence (of the predictions )?is (not )?7"):
            measure(Predictions(make(20).table, stated))
