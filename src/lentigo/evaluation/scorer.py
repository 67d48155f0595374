"""Every metric of one view and task, under any number of weightings of the images at once.

A weighting of all ones is the plain value, a resample's counts are one bootstrap replicate: there is one
implementation of each metric, and both come from it.
"""

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from lentigo import taxonomy
from lentigo.errors import DataError
from lentigo.evaluation import ranking, reliability
from lentigo.evaluation.confusion import confusion_matrices, decision_metrics, ratio
from lentigo.evaluation.tasks import Task, View

__all__ = ["Scorer"]

Array = NDArray[np.float64]
AT_SPECIFICITY, AT_SENSITIVITY = 0.80, 0.95


class Scorer:
    """The metrics of one view and task; built once, called with weights.

    Args:
        view: the probabilities, and whether scores and calibration weight the diagnoses alike.
        task: the question.
        labels: true diagnoses, positions in `taxonomy.CLASSES` [N].
    """

    def __init__(self, view: View, task: Task, labels: NDArray[np.int64]) -> None:
        self.task, self.balanced = task, view.balanced
        self.diagnoses = np.eye(len(taxonomy.CLASSES))[labels]
        self.labels = task.labels(labels)
        self.probabilities = task.probabilities(view.probabilities)
        self.decisions = self.probabilities.argmax(axis=1)
        self.truth = np.eye(len(task.classes), dtype=bool)[self.labels]
        self.present = np.bincount(self.labels, minlength=len(task.classes)) > 0
        self._sweeps = [ranking.Sweep.of(p, t) for p, t in zip(self.probabilities.T, self.truth.T, strict=True)]
        self._pairs = self._pair_sweeps()
        self._losses = self._proper_scores()
        self._bins = self._make_bins()

    def __call__(self, weights: Array) -> dict[str, Array]:
        """Metrics by name, [R] each, under R weightings of the images [R, N]; NaN where one is undefined."""
        scored = self.weigh(weights)
        return (
            decision_metrics(self.confusion(weights), self.task.classes, self.task.usual)
            | self._ranked(weights)
            | {name: ratio(scored @ loss, scored.sum(axis=1)) for name, loss in self._losses.items()}
            | {name: np.abs(gaps).sum(axis=1) for name, gaps in self._gaps(scored).items()}
        )

    def gaps(self, weights: Array) -> dict[str, Array]:
        """The gaps [R, B] behind each calibration error, whose sizes sum to it."""
        return self._gaps(self.weigh(weights))

    def weigh(self, weights: Array) -> Array:
        """Weights for scores and calibration: each diagnosis alike where the view wants it, else as they are."""
        return self._balance(weights) if self.balanced else weights

    def event(self, answer: str | None) -> tuple[Array, NDArray[np.bool_]]:
        """Predicted probability [N] of a class and whether it is the truth [N]; without a class, of being right."""
        if answer is None:
            return self.probabilities.max(axis=1), self.decisions == self.labels
        if answer not in self.task.classes:
            raise DataError(f"{answer!r} is no answer to {self.task.name}.", f"Known: {', '.join(self.task.classes)}.")
        k = self.task.classes.index(answer)
        return self.probabilities[:, k], self.truth[:, k]

    def confusion(self, weights: Array) -> Array:
        """Confusion matrices [R, K, K], truth in rows."""
        return confusion_matrices(self.labels, self.decisions, weights, len(self.task.classes))

    def _balance(self, weights: Array) -> Array:
        """Rescale so that each diagnosis that is present weighs the same."""
        total = weights @ self.diagnoses
        return weights * (np.divide(1, total, out=np.zeros_like(total), where=total > 0) @ self.diagnoses.T)

    def _pair_sweeps(self) -> list[ranking.Sweep]:
        """Two sweeps for each pair of classes, of their images alone (Hand and Till, Machine Learning 45:171, 2001)."""
        sweeps = []
        for i, j in combinations(np.flatnonzero(self.present).tolist(), 2):
            among = self.truth[:, i] | self.truth[:, j]
            sweeps += [ranking.Sweep.of(self.probabilities[:, k], self.truth[:, k], among) for k in (i, j)]
        return sweeps

    def _ranked(self, weights: Array) -> dict[str, Array]:
        found: dict[str, Array] = {}
        per_class: dict[str, list[Array]] = {
            name: [] for name in ("auc", "average_precision", _AT_SPECIFICITY, _AT_SENSITIVITY)
        }
        for sweep in self._sweeps:
            tp, fp = sweep.counts(weights)
            per_class["auc"].append(ranking.auc(tp, fp))
            per_class["average_precision"].append(ranking.average_precision(tp, fp))
            per_class[_AT_SPECIFICITY].append(ranking.sensitivity_at(tp, fp, AT_SPECIFICITY))
            per_class[_AT_SENSITIVITY].append(ranking.specificity_at(tp, fp, AT_SENSITIVITY))
        for name, values in per_class.items():
            found |= {f"{name}.{c}": v for c, v in zip(self.task.classes, values, strict=True)}
        for name in ("auc", "average_precision"):
            stacked = np.stack(per_class[name], axis=1)[:, self.present]
            share = (weights @ self.truth)[:, self.present]
            found[f"{name}.macro"] = stacked.mean(axis=1)
            found[f"{name}.weighted"] = ratio((stacked * share).sum(axis=1), share.sum(axis=1))
        pairs = [ranking.auc(*sweep.counts(weights)) for sweep in self._pairs]
        found["auc.pairwise"] = np.mean(pairs, axis=0) if pairs else np.full(len(weights), np.nan)
        return found

    def _proper_scores(self) -> dict[str, Array]:
        """Loss of each image [N]. Brier's as in scikit-learn: halved for two classes, so that it lies in 0 to 1."""
        brier = ((self.probabilities - self.truth) ** 2).sum(axis=1)
        eps = np.finfo(np.float64).eps
        own = np.take_along_axis(self.probabilities, self.labels[:, None], axis=1)[:, 0]
        return {
            "brier": brier / 2 if len(self.task.classes) == 2 else brier,
            "log_loss": -np.log(np.clip(own, eps, 1 - eps)),
        }

    def _make_bins(self) -> dict[str, reliability.Bins]:
        mass = self.weigh(np.ones((1, len(self.labels))))[0]
        top, right = self.event(None)
        bins = {
            "ece": reliability.Bins(top, right, reliability.equal_width(top)),
            "ece_equal_mass": reliability.Bins(top, right, reliability.equal_mass(top, mass)),
        }
        for answer in self.task.classes:
            predicted, happened = self.event(answer)
            bins[f"ece.{answer}"] = reliability.Bins(predicted, happened, reliability.equal_mass(predicted, mass))
        return bins

    def _gaps(self, weights: Array) -> dict[str, Array]:
        found = {name: bins.gaps(weights) for name, bins in self._bins.items()}
        each = [found[f"ece.{c}"] / len(self.task.classes) for c in self.task.classes]
        return found | {"ece.macro": np.concatenate(each, axis=1)}


_AT_SPECIFICITY = f"sensitivity_at_{AT_SPECIFICITY:.0%}_specificity".replace("%", "")
_AT_SENSITIVITY = f"specificity_at_{AT_SENSITIVITY:.0%}_sensitivity".replace("%", "")
