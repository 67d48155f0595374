"""Metrics of decisions, from weighted confusion matrices: a whole stack of them at once."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Decisions",
    "accuracy",
    "balanced_accuracy",
    "confusion_matrices",
    "f1",
    "kappa",
    "mcc",
    "precision",
    "ratio",
    "recall",
    "specificity",
]

Array = NDArray[np.float64]


def confusion_matrices(labels: NDArray[np.int64], decisions: NDArray[np.int64], weights: Array, classes: int) -> Array:
    """Weighted counts by truth (rows) and decision (columns): [R, K, K].

    Args:
        labels: true classes [N].
        decisions: decided classes [N].
        weights: R weightings of the images [R, N].
        classes: K.
    """
    cell = np.zeros((len(labels), classes * classes))
    cell[np.arange(len(labels)), labels * classes + decisions] = 1
    return (weights @ cell).reshape(-1, classes, classes)


@dataclass(frozen=True)
class Decisions:
    """Confusion matrices [R, K, K], truth in rows, and their margins."""

    matrices: Array

    @cached_property
    def total(self) -> Array:
        """All images [R]."""
        return self.matrices.sum(axis=(1, 2))

    @cached_property
    def hits(self) -> Array:
        """Correct decisions by class [R, K]."""
        return np.diagonal(self.matrices, axis1=1, axis2=2)

    @cached_property
    def truth(self) -> Array:
        """Images of each class [R, K]."""
        return self.matrices.sum(axis=2)

    @cached_property
    def decided(self) -> Array:
        """Decisions for each class [R, K]."""
        return self.matrices.sum(axis=1)

    @cached_property
    def present(self) -> NDArray[np.bool_]:
        """Classes that occur among the true labels under the first weighting [K]."""
        return self.truth[0] > 0


def accuracy(d: Decisions) -> Array:
    """Share of correct decisions [R]."""
    return ratio(d.hits.sum(axis=1), d.total)


def balanced_accuracy(d: Decisions) -> Array:
    """Recall, averaged over the classes that are present [R]."""
    return recall(d)[:, d.present].mean(axis=1)


def precision(d: Decisions) -> Array:
    """Share of the decisions for a class that are correct [R, K]; NaN for a class that is never decided."""
    return ratio(d.hits, d.decided)


def recall(d: Decisions) -> Array:
    """Share of a class that is decided correctly [R, K]."""
    return ratio(d.hits, d.truth)


def f1(d: Decisions) -> Array:
    """Harmonic mean of precision and recall [R, K]."""
    return ratio(2 * d.hits, d.truth + d.decided)


def specificity(d: Decisions) -> Array:
    """Share of the other classes that is not decided for a class [R, K]."""
    others = d.total[:, None] - d.truth
    return ratio(others - d.decided + d.hits, others)


def mcc(d: Decisions) -> Array:
    """Matthews correlation for K classes [R] (Gorodkin, Comput. Biol. Chem. 28:367, 2004, equation 8)."""
    top = d.hits.sum(axis=1) * d.total - (d.truth * d.decided).sum(axis=1)
    spread = (d.total**2 - (d.truth**2).sum(axis=1)) * (d.total**2 - (d.decided**2).sum(axis=1))
    return ratio(top, np.sqrt(np.maximum(spread, 0)))


def kappa(d: Decisions) -> Array:
    """Cohen's kappa [R]: agreement beyond what the margins alone would give."""
    chance = (d.truth * d.decided).sum(axis=1)
    return ratio(d.hits.sum(axis=1) * d.total - chance, d.total**2 - chance)


def ratio(top: Array, bottom: Array) -> Array:
    """`top / bottom`, NaN where the bottom is 0."""
    top, bottom = np.broadcast_arrays(top, bottom)
    return np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom > 0)
