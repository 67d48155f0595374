"""The gate passes what is shown to lose little, fails what is shown to lose much, and ships neither of the rest."""

import json

import numpy as np
import pytest

from lentigo.compression import Gate, GateReport, check
from lentigo.compression.gate import GateEntry
from lentigo.errors import DataError, RunError
from lentigo.evaluation.clinical import operating_points
from lentigo.evaluation.predictions import Predictions
from lentigo.runtime import OperatingPoint
from tests.evaluation import imagined

PARENT = imagined.make(900, skill=2.5, part="validation")
GATE = Gate(replicates=100)


def point(predictions: Predictions = PARENT) -> list[OperatingPoint]:
    chosen = operating_points.choose(predictions, "melanoma", 0.95)
    return [OperatingPoint(target="melanoma", target_sensitivity=0.95, threshold=chosen.threshold, validation_images=1)]


def changed(noise: float, seed: int = 1) -> Predictions:
    """The parent's logits with noise."""
    rng = np.random.default_rng(seed)
    logits = np.log(PARENT.probabilities) + noise * rng.normal(size=PARENT.probabilities.shape)
    probabilities = np.exp(logits)
    return PARENT.replaced(probabilities / probabilities.sum(axis=1, keepdims=True))


def entries(report: GateReport) -> dict[str, GateEntry]:
    return {entry.name: entry for entry in report.entries}


def test_the_same_predictions_pass_and_lose_nothing():
    report = check(PARENT, PARENT, GATE, points=point())
    assert report.verdict == "pass" and not report.reasons
    found = entries(report)
    assert set(found) == {"balanced_accuracy", "melanoma_sensitivity", "auc", "ece", "disagreement"}
    assert all(entry.loss.value == 0 for entry in found.values())
    assert found["disagreement"].loss.high > 0  # no difference in n lesions doesn't show that there is none in any


def test_a_little_noise_passes_and_much_fails():
    assert check(PARENT, changed(0.02), GATE, points=point()).verdict == "pass"
    ruined = check(PARENT, changed(4.0), GATE, points=point())
    assert ruined.verdict == "fail"
    assert any("balanced accuracy" in reason and "allowed 0.02" in reason for reason in ruined.reasons)


def test_a_loss_whose_interval_holds_the_limit_is_undecided_and_so_is_the_step():
    child = changed(0.6)
    loss = entries(check(PARENT, child, GATE, points=point()))["balanced_accuracy"].loss
    assert loss.low < loss.high
    everything = {"melanoma_sensitivity": None, "auc": None, "ece": None, "disagreement": None, "replicates": 200}
    middle = max((loss.low + loss.high) / 2, 0)
    for allowed, verdict in ((middle, "undecided"), (min(loss.high + 0.01, 1), "pass")):
        report = check(PARENT, child, Gate(balanced_accuracy=allowed, **everything), points=point())
        assert report.verdict == verdict


def test_the_sensitivity_is_compared_at_equal_false_alarms_and_not_at_a_threshold_that_was_fitted_to_reach_it():
    # Every melanoma gets the same low probability as a random image: a refitted threshold would still reach 0.95 by
    # flagging nearly everything.
    rng = np.random.default_rng(0)
    probabilities = PARENT.probabilities.copy()
    mel = PARENT.label_set.classes.index("mel")
    probabilities[:, mel] = rng.uniform(0.01, 0.9, len(PARENT))
    child = PARENT.replaced(probabilities / probabilities.sum(axis=1, keepdims=True))
    refitted = operating_points.choose(child, "melanoma", 0.95)
    assert refitted.sensitivity >= 0.95
    entry = entries(check(PARENT, child, GATE, points=point()))["melanoma_sensitivity"]
    assert entry.verdict == "fail" and entry.parent >= 0.95 and entry.child < 0.8


def test_the_loss_is_paired_by_image_whatever_the_order_of_rows():
    child = changed(0.6)
    shuffled = Predictions(child.table.sample(frac=1, random_state=0, ignore_index=True), child.meta)
    assert check(PARENT, child, GATE, points=point()) == check(PARENT, shuffled, GATE, points=point())
    lone = check(PARENT, changed(0.05), GATE, points=point())
    value = entries(lone)["balanced_accuracy"].loss
    assert value.high - value.low < 0.02  # unpaired it would be some 0.1


def test_other_images_are_refused():
    fewer = Predictions(PARENT.table.iloc[1:].reset_index(drop=True), PARENT.meta)
    with pytest.raises(DataError, match="different images"):
        check(PARENT, fewer, GATE, points=point())


def test_without_an_operating_point_nothing_is_decided():
    report = check(PARENT, PARENT, GATE, points=[])
    assert report.verdict == "undecided"
    assert report.reasons == ("melanoma sensitivity: the parent has no operating point for melanoma",)
    ignored = Gate(replicates=200, melanoma_sensitivity=None)
    assert check(PARENT, PARENT, ignored, points=[]).verdict == "pass"


def test_a_class_of_one_lesion_decides_nothing():
    table = PARENT.table
    first = table.index[table["dx"] == "df"][0]
    lone = Predictions(table[(table["dx"] != "df") | (table.index == first)].reset_index(drop=True), PARENT.meta)
    report = check(lone, lone, GATE, points=point())
    assert report.verdict == "undecided"
    assert "balanced accuracy: no interval: based on a single lesion of a class" in report.reasons


@pytest.mark.parametrize("entry", ["balanced_accuracy", "melanoma_sensitivity", "auc", "ece", "disagreement"])
@pytest.mark.parametrize("value", [-0.1, 1.5, "0.1", True])
def test_a_limit_that_is_no_share_is_refused_by_name(entry, value):
    with pytest.raises(RunError, match=entry):
        Gate.model_validate({entry: value})


def test_an_unknown_entry_is_refused():
    with pytest.raises(RunError, match=r"no entry 'accuracy'.*"):
        Gate.model_validate({"accuracy": 0.1})


def test_a_report_is_read_back_as_it_was_written():
    report = check(PARENT, changed(0.6), GATE, points=point())
    assert GateReport.from_json(report.to_json()) == report
    assert "NaN" not in json.dumps(json.loads(report.to_json()))
