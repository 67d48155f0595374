"""From a metric's value and its resamples to an estimate with its interval, or to the reason why there is none."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lentigo.evaluation.metrics.reliability import bin_error_interval
from lentigo.evaluation.result import Estimate
from lentigo.evaluation.statistics.intervals import SCALES, edge_interval, interval

__all__ = ["estimate", "estimate_bin_error"]

Array = NDArray[np.float64]
DEFINED = 0.95
"""Share of resamples in which a metric must be defined for its interval to be given."""


def estimate(
    value: float,
    drawn: Array | None,
    lesions: Sequence[int],
    *,
    scale: str = "share",
    trials: int | None = None,
    undefined: str = "undefined",
) -> Estimate:
    """An estimate with its interval of 95 %.

    Args:
        value: the metric on all images; NaN where it is undefined.
        drawn: the metric in each resample [R]; None where no interval is asked for.
        lesions: numbers of lesions of the classes that the metric rests on.
        scale: a key of `SCALES`.
        trials: for a plain proportion, the number of lesions that it is a share of: its interval is exact where it is
            0 or 1 and resamples don't vary.
        undefined: why the value is NaN, if it is.
    """
    if not np.isfinite(value):
        return Estimate(value=None, note=undefined)
    value = float(value)
    if drawn is None:
        return Estimate(value=value)
    if min(lesions) < 2:
        return Estimate(value=value, note="no interval: based on a single lesion of a class")
    defined = np.isfinite(drawn).mean()
    if defined < DEFINED:
        return Estimate(value=value, note=f"no interval: defined in only {defined:.0%} of the resamples")
    error = float(np.nanstd(drawn, ddof=1))
    at_edge = any(abs(value - end) < 1e-12 for end in SCALES[scale].ends)
    if at_edge and trials is not None:
        low, high = edge_interval(value, trials)
    elif at_edge or error < 1e-12:
        return Estimate(value=value, note="no interval: the resamples vary too little")
    else:
        low, high = interval(value, error, lesions, SCALES[scale])
    return Estimate(value=value, low=low, high=high)


def estimate_bin_error(bin_errors: Array, drawn: Array | None, lesions: Sequence[int]) -> Estimate:
    """A calibration error, the sum of the sizes of gaps [B], with the interval that knows of its bias.

    Args:
        bin_errors: share of the images times what happened less what was predicted, in each bin [B].
        drawn: the same in each resample [R, B]; None where no interval is asked for.
        lesions: numbers of lesions of the classes that it rests on.
    """
    value = float(np.abs(bin_errors).sum())
    if drawn is None:
        return Estimate(value=value)
    if min(lesions) < 2:
        return Estimate(value=value, note="no interval: based on a single lesion of a class")
    low, high = bin_error_interval(bin_errors, drawn, lesions)
    noise = float(np.abs(drawn - bin_errors).sum(axis=1).mean())
    return Estimate(value=value, low=low, high=high, note=f"a perfectly calibrated model would show {noise:.3f} here")
