"""The range between groups against Newcombe's formula, worked out by hand."""

import numpy as np
import pytest

from lentigo.evaluation.metrics.ranges import range_of
from lentigo.evaluation.result import Estimate


def groups(*ends):
    return [Estimate(value=value, low=low, high=high) for value, low, high in ends]


def test_two_groups_have_the_interval_of_a_difference():
    """Newcombe, Stat Med 17:873, 1998, method 10: each side by the ends that lie towards the other group."""
    found = range_of(groups((0.5, 0.4, 0.65), (0.8, 0.7, 0.85)))
    assert found.value == pytest.approx(0.3)
    assert found.low == pytest.approx(0.3 - np.hypot(0.1, 0.15))
    assert found.high == pytest.approx(0.3 + np.hypot(0.05, 0.1))


def test_more_groups_need_a_wider_one():
    """By Tukey's factor for three groups: 3.3145 (any table of the studentised range) over the root of 2, by 1.96."""
    found = range_of(groups((0.5, 0.45, 0.55), (0.8, 0.75, 0.85), (0.65, 0.6, 0.7)))
    reach = 3.3145 / np.sqrt(2) / 1.95996 * np.hypot(0.05, 0.05)
    assert (found.low, found.high) == pytest.approx((0.3 - reach, 0.3 + reach), abs=1e-4)


def test_a_range_is_never_below_nothing_nor_above_everything():
    assert range_of(groups((0.5, 0.4, 0.6), (0.5, 0.4, 0.6))).low == 0
    assert range_of(groups((0.0, 0.0, 0.3), (0.5, 0.3, 1.0), (0.5, 0.3, 1.0))).high == 1
