"""Thresholds come from validation, are applied unchanged, and yields follow Bayes' rule."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lentigo.errors import DataError, LeakError
from lentigo.evaluation.clinical.operating_points import OperatingPoint, Performance, apply, choose, scores
from lentigo.evaluation.predictions import Predictions
from lentigo.evaluation.tasks import VIEWS
from tests.evaluation.imagined import make, of


def part(name: str, seed: int, images: int = 400, **meta) -> Predictions:
    return make(images, seed=seed, part=name, split_sha256="a split", **meta)


@pytest.fixture(scope="module")
def point():
    return choose(part("validation", 0), "melanoma", 0.95)


@pytest.fixture(scope="module")
def performance(point):
    return apply(point, part("test", 1), clinical_prevalence=0.02, replicates=300)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 1), st.sampled_from(["melanoma", "malignancy"]), st.sampled_from(VIEWS))
def test_threshold_is_the_highest_that_reaches_the_target(seed, target, task, at):
    validation = make(120, seed=seed)
    found = choose(validation, task, target, at=at)
    score, positive = scores(validation, task, at)
    assert found.sensitivity == pytest.approx((score >= found.threshold)[positive].mean())
    assert found.specificity == pytest.approx((score < found.threshold)[~positive].mean())
    assert found.sensitivity >= target - 1e-9
    higher = score[score > found.threshold].min()  # the last score that is needed
    assert (score > higher)[positive].mean() < target


def test_counts_and_shares_agree(performance):
    p = performance
    positives, negatives = p.true_positives + p.false_negatives, p.true_negatives + p.false_positives
    assert positives + negatives == p.provenance.images == 400
    assert p.sensitivity.value == pytest.approx(p.true_positives / positives)
    assert p.specificity.value == pytest.approx(p.true_negatives / negatives)
    data = p.at_data_prevalence
    assert data.prevalence == pytest.approx(positives / 400)
    assert data.ppv.value == pytest.approx(p.true_positives / (p.true_positives + p.false_positives))
    assert data.npv.value == pytest.approx(p.true_negatives / (p.true_negatives + p.false_negatives))
    assert data.flagged.value == pytest.approx((p.true_positives + p.false_positives) / 400)
    assert data.number_needed_to_biopsy.value == pytest.approx(1 / data.ppv.value)


def test_clinical_prevalence_lowers_the_predictive_value(performance):
    clinic = performance.at_clinical_prevalence
    se, sp = performance.sensitivity.value, performance.specificity.value
    assert clinic.ppv.value == pytest.approx(se * 0.02 / (se * 0.02 + (1 - sp) * 0.98))
    assert clinic.npv.value == pytest.approx(sp * 0.98 / (sp * 0.98 + (1 - se) * 0.02))
    assert clinic.ppv.value < performance.at_data_prevalence.ppv.value


def test_intervals_hold_their_values(performance):
    p = performance
    for side in (p.at_data_prevalence, p.at_clinical_prevalence):
        for e in (p.sensitivity, p.specificity, side.ppv, side.npv, side.flagged, side.number_needed_to_biopsy):
            assert e.low < e.value < e.high


def test_point_is_applied_in_its_own_view():
    test = part("test", 1)
    for at in VIEWS:
        point = choose(part("validation", 0), "melanoma", 0.9, at=at)
        score, positive = scores(test, "melanoma", at)
        assert apply(point, test).sensitivity.value == pytest.approx((score >= point.threshold)[positive].mean())


def test_same_part_and_test_part_are_refused(point):
    with pytest.raises(LeakError, match="validation part itself"):
        apply(point, part("validation", 0))
    with pytest.raises(LeakError, match="test part"):
        choose(part("test", 0), "melanoma", 0.9)


@pytest.mark.parametrize(
    ("task", "target", "message"), [("diagnosis", 0.9, "task"), ("mel", 0.9, "melanoma"), ("melanoma", 1.5, "1.5")]
)
def test_impossible_wishes_are_refused(task, target, message):
    with pytest.raises(DataError, match=message):
        choose(make(50), task, target)


def test_validation_without_melanoma_is_refused():
    with pytest.raises(DataError, match="0 of 20"):
        choose(of([5] * 20, np.zeros((20, 7))), "melanoma", 0.9)


@pytest.mark.parametrize("prevalence", [0.0, 1.0, -1, 2])
def test_impossible_prevalence_is_refused(point, prevalence):
    with pytest.raises(DataError, match="prevalence"):
        apply(point, part("test", 1), clinical_prevalence=prevalence)


def test_few_positives_are_warned_of():
    assert any("too few" in w for w in choose(make(40), "melanoma", 0.95).warnings)
    assert not any("too few" in w for w in choose(make(2000), "malignancy", 0.90).warnings)


def test_test_without_melanoma_says_so(point):
    found = apply(point, of([5] * 30, np.random.default_rng(0).normal(size=(30, 7)), part="test"), replicates=20)
    assert found.sensitivity.note == "no image shows melanoma"
    assert found.specificity.value is not None
    assert found.at_data_prevalence.ppv.value is None
    assert found.at_data_prevalence.number_needed_to_biopsy.note


def test_nothing_flagged_says_so(point):
    labels = np.repeat([4, 5], 15)
    found = apply(point, of(labels, 30 * np.eye(7)[[5] * 30], part="test"), replicates=20)
    assert found.at_data_prevalence.ppv.note == "nothing is flagged"
    assert found.at_data_prevalence.number_needed_to_biopsy.note == "nothing is flagged"
    assert found.sensitivity.value == 0
    assert found.sensitivity.high == pytest.approx(1 - 0.025 ** (1 / 15))


def test_json_comes_back_equal_and_carries_the_leak(performance):
    assert Performance.from_json(performance.to_json()) == performance
    leaky = choose(part("validation", 0, leaky=True), "melanoma", 0.95)
    assert OperatingPoint.from_json(leaky.to_json()).provenance.leaky
    assert any(w.startswith("LEAKY") for w in leaky.provenance.warnings)


def test_interval_of_sensitivity_covers():
    """Threshold fixed, about 17 melanoma lesions: 200 draws know a coverage of 0.95 to +- 0.015."""
    point = choose(part("validation", 0, images=2000), "melanoma", 0.80)
    mix = np.array([0, 0, 0, 0, 1, 1, 0])

    def draw(seed, images):
        return make(images, seed=seed, mix=mix, part="test")

    truth = apply(point, draw(999, 40_000)).sensitivity.value
    found = [apply(point, draw(seed, 50), replicates=100, seed=seed).sensitivity for seed in range(200)]
    assert 0.93 - 0.038 < np.mean([e.low <= truth <= e.high for e in found]) <= 1
