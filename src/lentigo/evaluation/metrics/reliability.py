"""How far probabilities are from what happens: bins, and the expected calibration error with an honest interval.

Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, equation 3; equal-mass and class-wise forms as
in Nixon et al., Measuring Calibration in Deep Learning, CVPR workshops 2019.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, t

from lentigo.evaluation.metrics.confusion import ratio
from lentigo.evaluation.statistics.intervals import LEVEL, freedom

__all__ = ["BINS", "Bins", "bin_error_interval", "equal_mass", "equal_width"]

Array = NDArray[np.float64]
BINS = 15
STEPS = 60


class Bins:
    """Predicted probabilities of an event, sorted into bins once, to be compared with what happened.

    Args:
        predicted: probability of the event [N].
        happened: whether it did [N].
        index: bin of each image [N], 0 to B - 1.
    """

    def __init__(self, predicted: Array, happened: NDArray[np.bool_], index: NDArray[np.int64]) -> None:
        self._gap = np.eye(index.max(initial=0) + 1)[index] * (happened - predicted)[:, None]

    def bin_errors(self, weights: Array) -> Array:
        """In each bin, what happened less what was predicted, times the bin's share of all images [R, B].

        The sum of the gaps' sizes is the expected calibration error.

        Args:
            weights: R weightings of the images [R, N].
        """
        return ratio(weights @ self._gap, weights.sum(axis=1, keepdims=True))


def equal_width(predicted: Array, count: int = BINS) -> NDArray[np.int64]:
    """Bin of each probability [N], for `count` bins of equal width over 0 to 1, closed above."""
    return np.clip(np.ceil(predicted * count).astype(np.int64) - 1, 0, count - 1)


def equal_mass(predicted: Array, weights: Array, count: int = BINS) -> NDArray[np.int64]:
    """Bin of each probability [N], for `count` bins of about the same total weight; equal values share a bin.

    Args:
        predicted: probabilities [N].
        weights: weight of each image [N].
        count: number of bins.
    """
    _, which = np.unique(predicted, return_inverse=True)
    mass = np.bincount(which, weights)
    middle = (np.cumsum(mass) - mass / 2) / mass.sum()
    return np.minimum((middle * count).astype(np.int64), count - 1)[which]


def bin_error_interval(bin_errors: Array, drawn: Array, lesions: Sequence[int]) -> tuple[float, float]:
    """Interval of 95 % for a calibration error: the sum of the sizes of gaps [B].

    Noise makes gaps where there are none, so that the error of a sample is too large on average, and of a resample
    twice so; percentiles of resamples are above the true error. Instead a test is inverted: the interval holds every
    error with which the resamples' noise would show one like the observed error, if the true gaps were spread over the
    bins as the observed ones, or in proportion to each bin's noise. (The first alone covers too seldom: observed gaps
    are more uneven than true ones. `benchmarks/coverage.py` measures it.) It reaches 0 where perfect calibration would
    show such an error, and may be wholly below the observed one.

    Args:
        bin_errors: on all images [B].
        drawn: in each resample [R, B].
        lesions: numbers of lesions of the classes that it rests on, as in `intervals.freedom`.
    """
    observed, tail = float(np.abs(bin_errors).sum()), (1 - LEVEL) / 2
    # Few lesions know their own noise badly: widened as an interval by t is wider than one by the normal.
    noise = (drawn - bin_errors) * (t.ppf(1 - tail, freedom(lesions)) / norm.ppf(1 - tail))
    farthest = observed + np.quantile(np.abs(noise).sum(axis=1), 1 - tail)
    tried = np.linspace(0, farthest, STEPS + 1)
    ends = []
    for spread in (bin_errors, np.sign(bin_errors) * noise.std(axis=0)):
        size = np.abs(spread).sum()
        if size == 0:
            continue
        shown = np.stack([np.abs(error / size * spread + noise).sum(axis=1) for error in tried])
        fits = ((shown >= observed).mean(axis=1) >= tail) & ((shown <= observed).mean(axis=1) >= tail)
        ends += [tried[fits].min(), tried[fits].max()] if fits.any() else [0.0, observed]
    return (float(min(ends)), float(min(max(ends), 1))) if ends else (0.0, 0.0)
