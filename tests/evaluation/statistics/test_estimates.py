"""What becomes an interval, what becomes a reason why there is none, and where the one turns into the other."""

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import t

from lentigo.evaluation.statistics.estimates import estimate, estimate_bin_error

DRAWN = np.array([0.5, 0.6, 0.7, 0.75])


def test_the_standard_error_is_that_of_a_sample():
    found = estimate(0.6, DRAWN, [30])
    reach = t.ppf(0.975, 29) * DRAWN.std(ddof=1) / (0.6 * 0.4)
    assert (found.low, found.high) == pytest.approx((expit(logit(0.6) - reach), expit(logit(0.6) + reach)))


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_both_ends_of_a_share_have_an_exact_interval(value):
    found = estimate(value, np.full(4, value), [20], trials=20)
    reach = 1 - 0.025 ** (1 / 20)
    assert (found.low, found.high) == pytest.approx((0, reach) if value == 0 else (1 - reach, 1))
    assert "vary too little" in estimate(value, DRAWN, [20]).note


@pytest.mark.parametrize(
    ("lesions", "known"), [([1], False), ([2], True), ([3], True), ([9, 1], False), ([9, 2], True)]
)
def test_two_lesions_of_each_class_are_the_fewest(lesions, known):
    errors = np.array([0.1, -0.05])
    drawn = errors + np.random.default_rng(0).normal(size=(50, 2)) / 50
    for found in (estimate(0.6, DRAWN, lesions), estimate_bin_error(errors, drawn, lesions)):
        assert (found.low is not None) == known
        assert ("single lesion" in found.note) != known


def test_a_metric_that_many_resamples_lack_has_no_interval():
    mostly = np.append(np.repeat(DRAWN, 5), np.nan)
    assert estimate(0.6, mostly, [30]).low is not None
    assert "defined in only 91% of the resamples" in estimate(0.6, np.append(mostly, np.nan), [30]).note


def test_what_a_calibrated_model_would_show_is_the_mean_over_the_resamples():
    errors = np.array([0.1, -0.05])
    drawn = errors + np.array([[0.02, -0.01], [0.04, 0.03], [-0.01, 0.0]])
    assert "would show 0.037 here" in estimate_bin_error(errors, drawn, [9]).note


@pytest.mark.parametrize(("value", "known"), [(0.0, False), (1.0, True)])
def test_a_loss_ends_at_nought_alone(value, known):
    drawn = np.random.default_rng(0).uniform(0.9, 1.1, 200)
    found = estimate(value, drawn, [50], scale="loss")
    assert (found.low is not None) == known
