"""How unlike the training images an image is: distances to Gaussians, and the threshold above which it is rejected.

Two descriptions of an image are judged: the network's penultimate (pooled) features and the image's plain appearance
(colours and edges), each by the squared Mahalanobis distance to the nearest class mean under one shared covariance (Lee
et al., A Simple Unified Framework for Detecting Out-of-Distribution Samples and Adversarial Attacks, NeurIPS 2018,
equation 2). A network can be blind to what the appearance shows, and the other way round, so that the larger of the
two counts, each in units of its own threshold. In the covariance each class weighs the same, or else rare diagnoses
would be out of distribution merely for being rare. It is shrunk (Ledoit and Wolf, J Multivariate Analysis 88:365,
2004), so that it can be inverted however few images there are.

Means and covariances rest on training images, thresholds on validation images: a training image is too close.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf

from lentigo.errors import DataError

__all__ = ["TARGET_FPR", "Gaussian", "OODDetector", "fit_gaussian", "fit_ood", "ood_threshold"]

Array = NDArray[np.float64]
TARGET_FPR = 0.04
"""Share of the validation images that is rejected, so that on other lesions it stays below 5 %."""
RANK = 64
"""Directions of the features that a bundle keeps one by one."""


@dataclass(frozen=True)
class Gaussian:
    """Normal distributions with several means and one covariance, by the principal directions of that.

    d² = sum of weights · (directionsᵀ v)² + rest · |v - directions directionsᵀ v|², v = x - mean.

    Attributes:
        means: [K, D].
        directions: orthonormal columns [D, R]: the R directions in which the features vary most.
        weights: what a squared step along each of them counts: one over its variance [R].
        rest: what a squared step in any other direction counts.
    """

    means: Array
    directions: Array
    weights: Array
    rest: float

    def __call__(self, features: NDArray) -> Array:
        """Squared Mahalanobis distance of features [N, D] to the nearest mean: [N]."""
        offsets = np.asarray(features, dtype=np.float64)[:, None] - self.means
        along = offsets @ self.directions
        others = offsets - along @ self.directions.T
        return (along**2 @ self.weights + self.rest * (others**2).sum(axis=2)).min(axis=1)

    def scaled(self, unit: float) -> "Gaussian":
        """With distances divided by `unit`."""
        return Gaussian(self.means, self.directions, self.weights / unit, self.rest / unit)

    def compact(self) -> "Gaussian":
        """At most `RANK` directions, in 8 bits, and means in 16, where there are more features than that.

        The other directions count by their mean variance. For features of a few hundred numbers this takes a tenth of
        the bytes; how well wrong images are rejected with it, benchmarks/ood.py measures.
        """
        if len(self.weights) <= RANK:
            return self
        kept, left = np.split(np.argsort(self.weights), [RANK])
        directions = self.directions[:, kept]
        step = np.abs(directions).max(axis=0) / 127
        return Gaussian(
            means=self.means.astype(np.float16).astype(np.float64),
            directions=np.round(directions / step) * step,
            weights=self.weights[kept],
            rest=float(1 / np.mean(1 / self.weights[left])),
        )


@dataclass(frozen=True)
class OODDetector:
    """An image is out of distribution if `max(features(f), appearance(a))` exceeds `threshold`.

    Attributes:
        features, appearance: the distances in units of their own thresholds.
        threshold: of the larger one; a little above 1.
        images: validation images that the thresholds rest on.
    """

    features: Gaussian
    appearance: Gaussian
    threshold: float
    images: int

    def __call__(self, features: NDArray, appearance: NDArray) -> Array:
        """OOD score [N] of images with these features [N, D] and this appearance [N, E]."""
        return np.maximum(self.features(features), self.appearance(appearance))


def fit_gaussian(features: NDArray, labels: NDArray) -> Gaussian:
    """Fit a mean for each class and a shared, shrunk covariance in which the classes weigh the same.

    Args:
        features: [N, D].
        labels: class of each row [N].

    Raises:
        DataError: fewer than two rows, not finite, or labels that don't fit.
    """
    rows = np.asarray(features, dtype=np.float64)
    group = np.asarray(labels)
    if rows.ndim != 2 or len(rows) < 2 or group.shape != rows.shape[:1] or not np.isfinite(rows).all():
        raise DataError(
            f"A Gaussian needs finite features [N, D] of two images or more and their labels, not {rows.shape} and "
            f"{group.shape}.",
            "Pass the training images' features.",
        )
    present, which, counts = np.unique(group, return_inverse=True, return_counts=True)
    means = np.stack([rows[which == k].mean(axis=0) for k in range(len(present))])
    weights = len(rows) / len(present) / counts[which]
    covariance, _ = ledoit_wolf((rows - means[which]) * np.sqrt(weights)[:, None], assume_centered=True)
    # Features that never vary get a millionth of the mean variance, so that a change in them counts, but finitely.
    floor = 1e-6 * max(float(np.trace(covariance)) / len(covariance), 1e-12)
    variances, directions = np.linalg.eigh(covariance + floor * np.eye(len(covariance)))
    return Gaussian(means, directions, 1 / variances, 0.0)


def ood_threshold(distances: NDArray, target_fpr: float = TARGET_FPR) -> float:
    """The smallest threshold that a new image of the same kind exceeds with a probability of at most `target_fpr`.

    The split-conformal quantile (Vovk et al., Algorithmic Learning in a Random World, 2005): the
    ceil((N + 1) (1 - target_fpr))-th smallest distance. With too few images for it, the largest.

    Raises:
        DataError: no distances.
    """
    if len(distances) == 0:
        raise DataError("An OOD threshold needs images.", "Pass validation images.")
    # 100 (1 - 0.18) is a little more than 82 in floating point, and its 82nd distance is meant.
    rank = int(np.ceil((len(distances) + 1) * (1 - target_fpr) - 1e-9))
    return float(np.sort(distances)[min(rank, len(distances)) - 1])


def fit_ood(
    train: tuple[NDArray, NDArray], labels: NDArray, validation: tuple[NDArray, NDArray], target_fpr: float = TARGET_FPR
) -> OODDetector:
    """Fit means and covariances on training images, and thresholds on validation images.

    Args:
        train: features [N, D] and appearance [N, E] of the training images.
        labels: their classes [N].
        validation: the same two of the validation images.
        target_fpr: share of images like these that may be rejected.

    Raises:
        DataError: as in `fit_gaussian` and `ood_threshold`.
    """
    scaled = []
    for learned, rows in zip(train, validation, strict=True):
        gaussian = fit_gaussian(learned, labels).compact()
        # No image can score below the mean itself; features that never vary would give a threshold of 0.
        scaled.append(gaussian.scaled(max(ood_threshold(gaussian(rows), target_fpr), 1e-12)))
    larger = np.maximum(scaled[0](validation[0]), scaled[1](validation[1]))
    return OODDetector(scaled[0], scaled[1], ood_threshold(larger, target_fpr), len(larger))
