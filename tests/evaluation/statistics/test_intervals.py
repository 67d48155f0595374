"""Intervals hold the truth as often as they say; resamples are of lesions, within diagnoses, and reproducible."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from lentigo.evaluation.metrics.confusion import Decisions, balanced_accuracy, confusion_matrices, recall
from lentigo.evaluation.metrics.ranking import ThresholdCurve, auc, sensitivity_at
from lentigo.evaluation.statistics.estimates import estimate
from lentigo.evaluation.statistics.intervals import SCALES, bootstrap, edge_interval, freedom, interval, resamples


def drawn(labels, groups, replicates=200, seed=0):
    return np.concatenate(list(resamples(np.asarray(labels), np.asarray(groups), replicates, seed)))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 60), st.integers(1, 4))
def test_lesions_are_drawn_whole_and_diagnoses_keep_their_lesions(seed, lesions, each):
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(lesions), each)
    labels = rng.integers(0, 3, lesions)[groups]
    weights = drawn(labels, groups, 20)
    assert (weights.reshape(20, lesions, each) == weights[:, ::each][:, :, None]).all()
    for k in np.unique(labels):
        assert weights[:, labels == k].sum(axis=1) == pytest.approx(np.full(20, (labels == k).sum()))


def test_a_group_of_two_diagnoses_is_its_own_stratum():
    """A lesion that was labelled twice otherwise stays in every resample, and so do both of its diagnoses."""
    weights = drawn([0, 1, 1, 1, 1], [0, 0, 1, 2, 3])
    assert (weights[:, :2] == 1).all()


def test_same_seed_same_resamples_whatever_the_order_of_rows():
    rng = np.random.default_rng(0)
    groups, order = np.repeat([f"L{i}" for i in range(40)], 2), rng.permutation(80)
    labels = np.repeat(rng.integers(0, 3, 40), 2)
    assert (drawn(labels, groups)[:, order] == drawn(labels[order], groups[order])).all()
    assert (drawn(labels, groups) != drawn(labels, groups, seed=1)).any()


def test_error_of_a_mean_is_that_of_the_textbook():
    values = np.random.default_rng(0).normal(size=12)
    means = drawn(np.zeros(12, int), np.arange(12), 50_000) @ values / 12
    assert means.std() == pytest.approx(values.std(ddof=1) / np.sqrt(12), rel=0.02)


def test_freedom_is_that_of_t_and_least_where_a_class_has_few_lesions():
    assert freedom([12]) == pytest.approx(11)
    assert freedom([10, 10]) == pytest.approx(18)
    assert freedom([3, 1000]) == pytest.approx(2, rel=0.02)


def test_exact_at_the_edge():
    for successes in (0, 14):
        expected = binomtest(successes, 14).proportion_ci(0.95)
        assert edge_interval(successes / 14, 14) == pytest.approx(tuple(expected))


@pytest.mark.parametrize("scale", SCALES)
def test_scales_go_there_and_back(scale):
    s = SCALES[scale]
    assert s.back(s.into(0.3)) == pytest.approx(0.3)
    step = 1e-6
    assert s.slope(0.3) == pytest.approx((s.into(0.3 + step) - s.into(0.3 - step)) / (2 * step), rel=1e-6)
    low, high = interval(0.3, 0.01, [10_000], s)
    assert (low, high) == pytest.approx((0.28, 0.32), abs=2e-3)


def test_undefined_resamples_are_not_passed_over():
    found = estimate(0.5, np.array([0.4, np.nan] * 50), [10])
    assert found.low is None
    assert "50%" in found.note


def test_95_percent_intervals_cover_the_truth():
    """Melanoma against the rest, 20 and 60 lesions of 1 to 3 images: a hard case, where percentiles cover about 90 %.

    400 data sets know a coverage of 0.95 to +- 0.011 (one standard error): 0.93 to 0.97 is asked for with two and a
    half of them as leeway, which fails for a coverage of 0.89 nine times in ten.
    """
    rng = np.random.default_rng(7)
    truth = _values(*_draw(rng, 40_000))
    covered = dict.fromkeys(truth, 0)
    for seed in range(400):
        labels, groups, scores = _draw(rng, 20)
        plain = _values(labels, groups, scores)
        again = _values(labels, groups, scores, drawn(labels, groups, 150, seed))
        behind = {"recall": [20], "balanced_accuracy": [20, 60], "auc": [20, 60], "sensitivity": [20, 60]}
        for name, value in plain.items():
            found = estimate(value[0], again[name], behind[name], trials=20 if name == "recall" else None)
            covered[name] += found.low is None or found.low <= truth[name][0] <= found.high
    for name, count in covered.items():
        assert 0.93 - 0.028 <= count / 400 <= 0.97 + 0.028, (name, count / 400)


def _draw(rng, positives):
    """Labels [N], lesions [N] and scores [N] of `positives` positive lesions and three times as many negative."""
    kind = np.repeat([1, 0], [positives, 3 * positives])
    lesion = np.repeat(np.arange(len(kind)), rng.integers(1, 4, len(kind)))
    noise = rng.normal(size=len(kind))[lesion] * 0.8 + rng.normal(size=len(lesion)) * 0.6
    return kind[lesion], lesion, noise + 1.6 * kind[lesion] - 0.8


def _values(labels, groups, scores, weights=None):
    weights = np.ones((1, len(labels))) if weights is None else weights
    decided = Decisions(confusion_matrices(labels, (scores > 0).astype(int), weights, 2))
    swept = ThresholdCurve.of(scores, labels == 1).counts(weights)
    return {
        "recall": recall(decided)[:, 1],
        "balanced_accuracy": balanced_accuracy(decided),
        "auc": auc(*swept),
        "sensitivity": sensitivity_at(*swept, 0.80),
    }


def test_bootstrap_is_the_statistic_of_each_resample():
    labels, groups = np.array([0, 0, 1, 1, 1]), np.array(["a", "a", "b", "c", "d"])
    values = np.arange(5.0)
    found = bootstrap(lambda weights: weights @ values, labels, groups, 7, 3)
    assert found == pytest.approx(np.concatenate(list(resamples(labels, groups, 7, 3))) @ values)
    assert bootstrap(lambda weights: weights @ values, labels, groups, 0, 3) is None
