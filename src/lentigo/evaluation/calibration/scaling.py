"""Temperature and vector scaling: make probabilities mean what they say. Fitted on validation images alone.

Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 4.2. Both are fitted by penalised
maximum likelihood: the penalty `s - 1 - log s` on each scale `s` (and `b**2 / 2` on each offset) pulls towards no
change with about the weight of one image, so that ten images, or a validation set without a mistake, give a finite and
sensible answer, while it hardly matters to a thousand. The objective stays convex, so that the answer is unique.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax, softmax

from lentigo.errors import DataError

__all__ = ["Scaling", "fit_temperature", "fit_vector"]

Array = NDArray[np.float64]
SCALES = (0.02, 50.0)
"""Bounds of a scale, 1 / temperature."""


@dataclass(frozen=True)
class Scaling:
    """`softmax(scale * logits + offset)`; a temperature T is the scale 1 / T in every class and no offset.

    Attributes:
        scale: factor of each class [K].
        offset: added to each class [K].
    """

    scale: Array
    offset: Array

    @classmethod
    def of_temperature(cls, temperature: float, classes: int = 7) -> "Scaling":
        """Division of all logits by a temperature."""
        return cls(np.full(classes, 1 / temperature), np.zeros(classes))

    def __call__(self, logits: Array) -> Array:
        """Calibrated probabilities [N, K] of logits or log-probabilities [N, K]."""
        return softmax(logits * self.scale + self.offset, axis=1)


def fit_temperature(
    logits: NDArray, labels: NDArray, weights: NDArray | None = None, prevalence: NDArray | None = None
) -> float:
    """The temperature T by which logits are to be divided: 0.02 to 50, above 1 where the model is overconfident.

    Args:
        logits: logits or log-probabilities of validation images [N, K].
        labels: their classes, 0 to K - 1 [N].
        weights: weight of each image [N]; without it all count alike.
        prevalence: how common the classes are among these images [K], where the logits assume that all are equally
            common: its logarithm is added after scaling. Without it the logits are taken to fit the images' mix.

    Raises:
        DataError: no images, not finite, or shapes and labels that don't fit together.
    """
    problem = _Problem(logits, labels, weights, prevalence)
    ones, zeros = np.ones(problem.classes), np.zeros(problem.classes)
    bounds = np.log(SCALES)
    found = minimize_scalar(
        lambda log_scale: problem.loss(np.exp(log_scale) * ones, zeros) + _penalty(np.exp(log_scale)),
        bounds=tuple(bounds),
        method="bounded",
        options={"xatol": 1e-8},
    )
    return float(np.exp(-found.x))


def fit_vector(
    logits: NDArray, labels: NDArray, weights: NDArray | None = None, prevalence: NDArray | None = None
) -> Scaling:
    """A scale and an offset for each class; the arguments are those of `fit_temperature`."""
    problem = _Problem(logits, labels, weights, prevalence)
    k = problem.classes
    found = minimize(
        problem.penalised_with_gradient,
        np.concatenate([np.ones(k), np.zeros(k)]),
        jac=True,
        method="L-BFGS-B",
        bounds=[SCALES] * k + [(None, None)] * k,
        options={"maxiter": 1000, "ftol": 1e-12, "gtol": 1e-8},
    )
    return Scaling(found.x[:k], found.x[k:])


class _Problem:
    """Negative log-likelihood of scaled logits, summed over images."""

    def __init__(self, logits: NDArray, labels: NDArray, weights: NDArray | None, prevalence: NDArray | None) -> None:
        self.logits = np.asarray(logits, dtype=np.float64)
        self.labels = np.asarray(labels)
        if self.logits.ndim != 2 or len(self.logits) == 0 or self.labels.shape != self.logits.shape[:1]:
            raise DataError(
                f"Calibration needs logits [N, K] and labels [N], not {self.logits.shape} and {self.labels.shape}.",
                "Pass the validation images' logits.",
            )
        self.classes = self.logits.shape[1]
        if not np.isin(self.labels, np.arange(self.classes)).all():
            raise DataError(
                f"Calibration found a label outside 0 to {self.classes - 1}.", "Labels are positions of classes."
            )
        weights = np.ones(len(self.labels)) if weights is None else np.asarray(weights, dtype=np.float64)
        share = np.ones(self.classes) if prevalence is None else np.asarray(prevalence, dtype=np.float64)
        if weights.shape != self.labels.shape or share.shape != (self.classes,):
            raise DataError(
                "Calibration needs one weight for each image and one prevalence for each class.",
                "Pass as many, or none.",
            )
        if not np.isfinite(self.logits).all() or not (weights >= 0).all() or not weights.sum() > 0:
            raise DataError(
                "Calibration needs finite logits, and weights that are not negative and not all 0.",
                "Correct or omit them.",
            )
        if not (share > 0).all():
            raise DataError("Calibration needs a positive prevalence for each class.", "Correct it, or omit it.")
        # Weights count as the number of images that they are worth (Kish), so that the penalty keeps its meaning.
        self.weights = weights * weights.sum() / (weights**2).sum()
        self.prior = np.log(share)
        self.truth = np.eye(self.classes)[self.labels.astype(np.int64)]

    def loss(self, scale: Array, offset: Array) -> float:
        likelihood = log_softmax(self.logits * scale + offset + self.prior, axis=1)
        return -float(self.weights @ (likelihood * self.truth).sum(axis=1))

    def penalised_with_gradient(self, parameters: Array) -> tuple[float, Array]:
        scale, offset = np.split(parameters, 2)
        residual = softmax(self.logits * scale + offset + self.prior, axis=1) - self.truth
        residual *= self.weights[:, None]
        gradient = np.concatenate([(residual * self.logits).sum(axis=0) + 1 - 1 / scale, residual.sum(axis=0) + offset])
        return self.loss(scale, offset) + _penalty(scale) + float(offset @ offset) / 2, gradient


def _penalty(scale: Array | np.float64) -> float:
    return float(np.sum(scale - 1 - np.log(scale)))
