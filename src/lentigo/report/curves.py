"""The points of each figure, from predictions."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lentigo.evaluation.metrics.ranking import ThresholdCurve
from lentigo.evaluation.predictions import Predictions
from lentigo.evaluation.result import Estimate
from lentigo.labels import LabelSet
from lentigo.report.document import Curve

__all__ = ["alarm_risk", "balance", "colours", "estimates", "precision_recall", "roc", "trade_off"]

Array = NDArray[np.float64]
STEP = 0.008
"""Length of a curve, in axes of 0 to 1, from which a point is kept: what an eye can distinguish."""
COLOURS = 7
"""Of the page's palette; more diagnoses share them and are distinguished by the legend's order alone."""


def colours(label_set: LabelSet) -> dict[str, int]:
    """Colour of each label: the one that must not be missed has the most striking, followed by the malignant ones."""
    malignant = [c for c in label_set.malignant[::-1] if c != label_set.alarm]
    first = [c for c in (label_set.alarm, *malignant) if c is not None]
    order = [*first, *(c for c in label_set.classes if c not in first)]
    return {c: i % COLOURS for i, c in enumerate(order)}


def balance(labels: NDArray[np.int64]) -> Array:
    """Weight of each image [N] that lets every diagnosis that is present count alike; they sum to N."""
    counts = np.bincount(labels, minlength=1)
    return len(labels) / (counts > 0).sum() / counts[labels]


def alarm_risk(predictions: Predictions, alarm: str) -> tuple[Array, NDArray[np.bool_]]:
    """Probability of the label that must not be missed [N], balanced prior, and whether it is the true class [N]."""
    k = predictions.label_set.classes.index(alarm)
    return predictions.probabilities[:, k], predictions.labels == k


def roc(name: str, risk: Array, positive: NDArray[np.bool_], colour: int, *, strong: bool = False) -> Curve:
    """False alarms (x) against what is found (y) at every threshold; needs both positives and negatives."""
    tp, fp = _counts(risk, positive)
    return _curve(name, fp / fp[-1], tp / tp[-1], colour, strong=strong)


def precision_recall(
    name: str, risk: Array, positive: NDArray[np.bool_], colour: int, *, strong: bool = False
) -> Curve:
    """What is found (x) against the share of alarms that are correct (y) at every threshold; needs a positive."""
    tp, fp = _counts(risk, positive)
    tp, fp = tp[1:], fp[1:]
    return _curve(name, tp / tp[-1], tp / (tp + fp), colour, strong=strong)


def trade_off(risk: Array, positive: NDArray[np.bool_], several: str) -> tuple[Curve, Curve]:
    """Share of positives, called `several`, found and of others correctly not flagged, by threshold on the risk."""
    thresholds = np.linspace(0, 1, 201)

    def share(values: Array) -> Array:
        return 1 - np.searchsorted(np.sort(values), thresholds, side="left") / len(values)

    return (
        _curve(f"{several} found", thresholds, share(risk[positive]), 0, strong=True),
        _curve("specificity", thresholds, 1 - share(risk[~positive]), 1),
    )


def estimates(
    name: str, x: Sequence[float], found: Sequence[Estimate], colour: int, *, dots: bool = False, strong: bool = False
) -> Curve:
    """Known estimates over x, with a band of their intervals; it closes on the line where one has none."""
    known = [(at, e, e.value) for at, e in zip(x, found, strict=True) if e.value is not None]
    banded = any(e.low is not None for _, e, _ in known)
    return Curve(
        name=name,
        x=tuple(at for at, _, _ in known),
        y=tuple(v for _, _, v in known),
        colour=colour,
        dots=dots,
        strong=strong,
        low=tuple(v if e.low is None else e.low for _, e, v in known) if banded else (),
        high=tuple(v if e.high is None else e.high for _, e, v in known) if banded else (),
    )


def _counts(risk: Array, positive: NDArray[np.bool_]) -> tuple[Array, Array]:
    tp, fp = ThresholdCurve.of(risk, positive).counts(np.ones((1, len(risk))))
    return tp[0], fp[0]


def _curve(name: str, x: Array, y: Array, colour: int, *, strong: bool = False) -> Curve:
    # One point for each step along the line, so that jumps and corners stay where they are.
    way = np.cumsum(np.hypot(np.diff(x, prepend=x[0]), np.diff(y, prepend=y[0])))
    kept = np.unique(np.append(np.unique((way / STEP).astype(int), return_index=True)[1], len(x) - 1))
    rounded = (tuple(float(v) for v in values[kept].round(4)) for values in (x, y))
    return Curve(name=name, x=next(rounded), y=next(rounded), colour=colour, strong=strong)
