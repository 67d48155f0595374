"""Metrics of decisions, from weighted confusion matrices: a whole stack of them at once."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["confusion_matrices", "decision_metrics"]

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


def decision_metrics(matrices: Array, classes: tuple[str, ...], usual: str) -> dict[str, Array]:
    """Accuracy, balanced accuracy, precision, recall, F1, specificity, MCC and kappa: name to [R].

    Averages run over the classes that are present in the truth. A class that is never decided has no precision (NaN),
    which counts as 0 in the averages, as in scikit-learn.

    Args:
        matrices: confusion matrices [R, K, K], truth in rows.
        classes: names of the K classes.
        usual: the class whose share of the truth is reported as `accuracy_always.<class>`.
    """
    total = matrices.sum(axis=(1, 2))
    hits = np.diagonal(matrices, axis1=1, axis2=2)
    truth, decided = matrices.sum(axis=2), matrices.sum(axis=1)
    present = truth[0] > 0
    per_class = {
        "precision": ratio(hits, decided),
        "recall": ratio(hits, truth),
        "f1": ratio(2 * hits, truth + decided),
        "specificity": ratio(total[:, None] - truth - decided + hits, total[:, None] - truth),
    }
    found = {
        "accuracy": ratio(hits.sum(axis=1), total),
        f"accuracy_always.{usual}": ratio(truth[:, classes.index(usual)], total),
        "balanced_accuracy": per_class["recall"][:, present].mean(axis=1),
        "mcc": _mcc(total, hits.sum(axis=1), truth, decided),
        "kappa": _kappa(total, hits.sum(axis=1), truth, decided),
    }
    for name, values in per_class.items():
        counted = np.nan_to_num(values[:, present]) if name == "precision" else values[:, present]
        found[f"{name}.macro"] = counted.mean(axis=1)
        found[f"{name}.weighted"] = ratio((counted * truth[:, present]).sum(axis=1), total)
        found |= {f"{name}.{c}": values[:, k] for k, c in enumerate(classes)}
    return found


def ratio(top: Array, bottom: Array) -> Array:
    """`top / bottom`, NaN where the bottom is 0."""
    top, bottom = np.broadcast_arrays(top, bottom)
    return np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom > 0)


def _mcc(total: Array, hits: Array, truth: Array, decided: Array) -> Array:
    """Matthews correlation for K classes (Gorodkin, Comput. Biol. Chem. 28:367, 2004, equation 8)."""
    top = hits * total - (truth * decided).sum(axis=1)
    spread = (total**2 - (truth**2).sum(axis=1)) * (total**2 - (decided**2).sum(axis=1))
    return ratio(top, np.sqrt(np.maximum(spread, 0)))


def _kappa(total: Array, hits: Array, truth: Array, decided: Array) -> Array:
    """Cohen's kappa: agreement beyond what the margins alone would give."""
    chance = (truth * decided).sum(axis=1)
    return ratio(hits * total - chance, total**2 - chance)
