"""Calibration error against its plain definition, and an interval that knows of its bias."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lentigo.evaluation.metrics.reliability import Bins, bin_error_interval, equal_mass, equal_width
from lentigo.evaluation.statistics.intervals import resamples


def by_definition(predicted, happened, edges):
    """Expected calibration error over bins (edge, next edge]."""
    error = 0.0
    for low, high in pairwise(edges):
        inside = (predicted > low) & (predicted <= high)
        if inside.any():
            error += inside.mean() * abs(happened[inside].mean() - predicted[inside].mean())
    return error


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 400))
def test_equal_width_is_the_definition(seed, images):
    rng = np.random.default_rng(seed)
    predicted = rng.random(images)
    happened = rng.random(images) < predicted**2
    bins = Bins(predicted, happened, equal_width(predicted))
    error = np.abs(bins.bin_errors(np.ones((1, images)))).sum()
    assert error == pytest.approx(by_definition(predicted, happened, np.linspace(0, 1, 16)), abs=1e-9)


def test_ends_of_the_scale_have_a_bin():
    assert equal_width(np.array([0.0, 1e-9, 1 / 15, 1.0])).tolist() == [0, 0, 0, 14]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(150, 600))
def test_equal_mass_bins_hold_equally_many(seed, images):
    predicted = np.random.default_rng(seed).beta(0.3, 2, images)
    index = equal_mass(predicted, np.ones(images))
    counts = np.bincount(index, minlength=15)
    assert counts.max() - counts.min() <= 1
    assert (np.diff(index[np.argsort(predicted)]) >= 0).all()


def test_equal_values_share_a_bin():
    predicted = np.repeat([0.1, 0.2, 0.9], [50, 30, 20])
    index = equal_mass(predicted, np.ones(100))
    assert all(len(set(index[predicted == value])) == 1 for value in (0.1, 0.2, 0.9))


def covers(images: int, skew: float, repeats: int, seed: int) -> tuple[float, float]:
    """How often the interval, and the percentiles of the resamples, hold the true error of 10 equal-width bins."""
    rng = np.random.default_rng(seed)
    predicted = rng.random(200_000)
    true = np.abs(
        Bins(predicted, (predicted**skew), equal_width(predicted, 10)).bin_errors(np.ones((1, 200_000)))
    ).sum()
    hits = np.zeros(2)
    for k in range(repeats):
        predicted = rng.random(images)
        happened = rng.random(images) < predicted**skew
        bins = Bins(predicted, happened, equal_width(predicted, 10))
        weights = np.concatenate(list(resamples(np.zeros(images, int), np.arange(images), 150, k)))
        bin_errors, again = bins.bin_errors(np.ones((1, images)))[0], bins.bin_errors(weights)
        low, high = bin_error_interval(bin_errors, again, [images])
        below, above = np.quantile(np.abs(again).sum(axis=1), [0.025, 0.975])
        hits += [low <= true + 1e-12 <= high + 1e-9, below <= true <= above]
    return tuple(hits / repeats)


@pytest.mark.parametrize("skew", [1.0, 1.6])
def test_interval_covers_where_percentiles_fail(skew):
    """Perfectly calibrated, and clearly not: 300 data sets know a coverage of 0.95 to +- 0.013."""
    ours, percentiles = covers(300, skew, 300, seed=1)
    assert ours > 0.91
    assert percentiles < ours


def test_no_gap_at_all():
    assert bin_error_interval(np.zeros(3), np.zeros((10, 3)), [50]) == (0, 0)


def test_weightless_images_at_the_end_have_the_last_bin():
    assert equal_mass(np.array([0.1, 0.5, 0.9]), np.array([1.0, 1.0, 0.0]), 4).tolist() == [1, 3, 3]


def test_the_interval_of_clear_errors_is_as_wide_as_their_noise():
    """Ten errors of 0.03, all real, each with noise of 0.01: the sum is 0.3, give or take 1.96 x 0.01 x root of 10."""
    drawn = 0.03 + 0.01 * np.random.default_rng(0).normal(size=(4000, 10))
    low, high = bin_error_interval(np.full(10, 0.03), drawn, [10_000])
    assert (0.3 - low, high - 0.3) == pytest.approx((0.062, 0.062), rel=0.15)


def test_gaps_that_sum_to_one_and_never_vary_are_known_exactly():
    assert bin_error_interval(np.array([0.6, -0.4]), np.tile([0.6, -0.4], (20, 1)), [50]) == (1.0, 1.0)


def test_without_gaps_there_is_nothing_to_divide():
    with np.errstate(all="raise"):
        assert bin_error_interval(np.zeros(3), np.random.default_rng(0).normal(0, 0.1, (20, 3)), [50]) == (0.0, 0.0)
