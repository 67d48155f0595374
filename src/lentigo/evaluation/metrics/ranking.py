"""Metrics of a score's order: ROC AUC, average precision, sensitivity at a specificity and the reverse.

A score is sorted once (`ThresholdCurve.of`) and then swept under any number of weightings of the images, which is what
makes a bootstrap fast.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lentigo.evaluation.metrics.confusion import ratio

__all__ = ["ThresholdCurve", "auc", "average_precision", "sensitivity_at", "specificity_at"]

Array = NDArray[np.float64]
EXACT = 1e-12
"""Slack in comparing shares, so that 4 of 5 is 0.80."""


@dataclass(frozen=True)
class ThresholdCurve:
    """A score ready to be swept from its largest value down.

    Attributes:
        order: positions of the images, largest score first [M].
        positive: whether they are positive, in that order [M].
        last: for each distinct score, its last position in `order` [T].
        thresholds: the distinct scores, descending [T]; 'score >= threshold' decides for positive.
    """

    order: NDArray[np.int64]
    positive: NDArray[np.bool_]
    last: NDArray[np.int64]
    thresholds: Array

    @classmethod
    def of(cls, scores: Array, positive: NDArray[np.bool_], among: NDArray[np.bool_] | None = None) -> "ThresholdCurve":
        """Sort scores [N], of the images in `among` [N] or of all."""
        rows = np.arange(len(scores)) if among is None else np.flatnonzero(among)
        order = rows[np.argsort(-scores[rows], kind="stable")]
        ordered = scores[order]
        last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)) if len(order) else order
        return cls(order, positive[order], last, ordered[last])

    def counts(self, weights: Array) -> tuple[Array, Array]:
        """True and false positives at no threshold and at each: two arrays [R, T + 1].

        Args:
            weights: R weightings of all images [R, N].
        """
        ordered = weights[:, self.order]
        tp, called = np.zeros((2, len(weights), len(self.last) + 1))
        tp[:, 1:] = np.cumsum(ordered * self.positive, axis=1)[:, self.last]
        called[:, 1:] = np.cumsum(ordered, axis=1)[:, self.last]
        return tp, called - tp


def auc(tp: Array, fp: Array) -> Array:
    """Area under the ROC curve [R]: the chance that a positive scores above a negative, ties half; NaN without both."""
    area = (np.diff(fp, axis=1) * (tp[:, 1:] + tp[:, :-1])).sum(axis=1) / 2
    return ratio(area, tp[:, -1] * fp[:, -1])


def average_precision(tp: Array, fp: Array) -> Array:
    """Precision averaged over the steps of recall [R], without interpolation; NaN without positives."""
    called = tp + fp
    precision = np.divide(tp, called, out=np.zeros_like(tp), where=called > 0)
    return ratio((np.diff(tp, axis=1) * precision[:, 1:]).sum(axis=1), tp[:, -1])


def sensitivity_at(tp: Array, fp: Array, specificity: float) -> Array:
    """The largest sensitivity [R] that any threshold has at this specificity or better; NaN without both classes."""
    allowed = fp <= (1 - specificity + EXACT) * fp[:, -1:]
    best = np.take_along_axis(tp, allowed.sum(axis=1, keepdims=True) - 1, axis=1)[:, 0]
    return np.where(fp[:, -1] > 0, ratio(best, tp[:, -1]), np.nan)


def specificity_at(tp: Array, fp: Array, sensitivity: float) -> Array:
    """The largest specificity [R] that any threshold has at this sensitivity or better; NaN without both classes."""
    enough = tp >= (sensitivity - EXACT) * tp[:, -1:]
    fewest = np.take_along_axis(fp, np.argmax(enough, axis=1)[:, None], axis=1)[:, 0]
    return np.where(tp[:, -1] > 0, 1 - ratio(fewest, fp[:, -1]), np.nan)
