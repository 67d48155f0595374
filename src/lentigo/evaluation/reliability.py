"""How far probabilities lie from what happens: bins, expected calibration error.

Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, equation 3; equal-mass and class-wise forms as
in Nixon et al., Measuring Calibration in Deep Learning, CVPR workshops 2019.
"""

import numpy as np
from numpy.typing import NDArray

from lentigo.evaluation.confusion import ratio

__all__ = ["BINS", "Bins", "equal_mass", "equal_width"]

Array = NDArray[np.float64]
BINS = 15


class Bins:
    """Predicted probabilities of an event, sorted into bins once, to be compared with what happened.

    Args:
        predicted: probability of the event [N].
        happened: whether it did [N].
        index: bin of each image [N], 0 to B - 1.
    """

    def __init__(self, predicted: Array, happened: NDArray[np.bool_], index: NDArray[np.int64]) -> None:
        self._member = np.eye(index.max(initial=0) + 1)[index]
        self._gap = self._member * (happened - predicted)[:, None]

    def error(self, weights: Array) -> Array:
        """Expected calibration error [R] under R weightings [R, N]: the bins' gaps, averaged by the bins' weight."""
        return ratio(np.abs(weights @ self._gap).sum(axis=1), weights.sum(axis=1))


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
