"""The points of each figure, from predictions."""

import numpy as np
from numpy.typing import NDArray

from lentigo import taxonomy
from lentigo.evaluation.predictions import Predictions
from lentigo.evaluation.ranking import Sweep
from lentigo.evaluation.reliability import equal_mass
from lentigo.report.document import Curve

__all__ = ["COLOUR_OF", "balance", "melanoma_risk", "precision_recall", "reliability", "roc", "trade_off"]

Array = NDArray[np.float64]
STEP = 0.008
"""Length of a curve, in axes of 0 to 1, from which a point is kept: what an eye can tell apart."""
COLOUR_OF = {c: i for i, c in enumerate(("mel", "bcc", "akiec", "bkl", "df", "nv", "vasc"))}
"""Colour of each diagnosis; melanoma has the loudest."""


def balance(labels: NDArray[np.int64]) -> Array:
    """Weight of each image [N] that lets every diagnosis that is present count alike; they sum to N."""
    counts = np.bincount(labels, minlength=len(taxonomy.CLASSES))
    return len(labels) / (counts > 0).sum() / counts[labels]


def melanoma_risk(predictions: Predictions) -> tuple[Array, NDArray[np.bool_]]:
    """Probability of melanoma [N], diagnoses equally common, and whether it is one [N]."""
    k = taxonomy.CLASSES.index("mel")
    return predictions.probabilities[:, k], predictions.labels == k


def roc(name: str, risk: Array, positive: NDArray[np.bool_], colour: int, *, strong: bool = False) -> Curve:
    """False alarms (x) against what is found (y) at every threshold; needs both positives and negatives."""
    tp, fp = _counts(risk, positive)
    return _curve(name, fp / fp[-1], tp / tp[-1], colour, strong=strong)


def precision_recall(
    name: str, risk: Array, positive: NDArray[np.bool_], colour: int, *, strong: bool = False
) -> Curve:
    """What is found (x) against the share of alarms that are right (y) at every threshold; needs a positive."""
    tp, fp = _counts(risk, positive)
    tp, fp = tp[1:], fp[1:]
    return _curve(name, tp / tp[-1], tp / (tp + fp), colour, strong=strong)


def trade_off(risk: Array, positive: NDArray[np.bool_]) -> tuple[Curve, Curve]:
    """Share of melanomas found and of others passed, for each threshold on the risk."""
    thresholds = np.linspace(0, 1, 201)

    def share(values: Array) -> Array:
        return 1 - np.searchsorted(np.sort(values), thresholds, side="left") / len(values)

    return (
        _curve("melanomas found", thresholds, share(risk[positive]), 0, strong=True),
        _curve("other lesions passed", thresholds, 1 - share(risk[~positive]), 1),
    )


def reliability(name: str, probabilities: Array, labels: NDArray[np.int64], weights: Array, colour: int) -> Curve:
    """How sure the model is (x) and how often it is right (y), averaged over ten parts of the images of equal weight.

    Args:
        name: of the curve.
        probabilities: [N, 7].
        labels: true diagnoses [N].
        weights: weight of each image [N].
        colour: of the curve.
    """
    sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    index = equal_mass(sure, weights, 10)
    mass, x, y = (np.bincount(index, weights * v, minlength=10) for v in (np.ones(len(sure)), sure, right))
    known = mass > 0
    return _curve(name, x[known] / mass[known], y[known] / mass[known], colour, dots=True)


def _counts(risk: Array, positive: NDArray[np.bool_]) -> tuple[Array, Array]:
    tp, fp = Sweep.of(risk, positive).counts(np.ones((1, len(risk))))
    return tp[0], fp[0]


def _curve(name: str, x: Array, y: Array, colour: int, *, dots: bool = False, strong: bool = False) -> Curve:
    # One point for each step along the line, so that jumps and corners stay where they are.
    way = np.cumsum(np.hypot(np.diff(x, prepend=x[0]), np.diff(y, prepend=y[0])))
    kept = np.unique(np.append(np.unique((way / STEP).astype(int), return_index=True)[1], len(x) - 1))
    rounded = (tuple(float(v) for v in values[kept].round(4)) for values in (x, y))
    return Curve(name=name, x=next(rounded), y=next(rounded), colour=colour, dots=dots, strong=strong)
