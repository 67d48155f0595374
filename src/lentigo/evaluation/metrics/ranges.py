"""The difference between the best and the worst of several groups, with an interval that knows how many were compared.

The best and the worst are picked after looking: the range is too large on average even where groups don't differ. The
interval is the one of all pairwise differences at once (Tukey and Kramer: the quantile of the studentized range instead
of the normal's), each from the two groups' own intervals, which may be lopsided (MOVER: Zou and Donner, Statistics in
Medicine 27:1693, 2008, equation 4). The true range is at least the largest lower end and at most the largest upper end.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from scipy.stats import norm, studentized_range

from lentigo.evaluation.result import Estimate
from lentigo.evaluation.statistics.intervals import LEVEL

__all__ = ["range_of"]


def range_of(estimates: Sequence[Estimate]) -> Estimate:
    """Largest less smallest value, with its interval of 95 %.

    Args:
        estimates: of independent groups, each a share of 0 to 1 with an interval; two at least.
    """
    value, low, high = (np.array([getattr(e, end) for e in estimates], dtype=float) for end in ("value", "low", "high"))
    stretch = _stretch(len(value))
    difference = value[:, None] - value
    below, above = value - low, high - value
    lowest = difference - stretch * np.hypot(below[:, None], above)
    highest = difference + stretch * np.hypot(above[:, None], below)
    apart = ~np.eye(len(value), dtype=bool)
    return Estimate(
        value=float(difference.max()),
        low=float(max(lowest[apart].max(), 0)),
        high=float(min(highest[apart].max(), 1)),
    )


@cache
def _stretch(groups: int) -> float:
    """How much wider than its own the interval of a difference must be, to hold for all pairs of groups; 1 for two."""
    return float(studentized_range.ppf(LEVEL, groups, np.inf) / np.sqrt(2) / norm.ppf((1 + LEVEL) / 2))
