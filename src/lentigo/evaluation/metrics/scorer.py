"""Every metric of the catalogue for one view and task, under any number of weightings of the images at once.

A weighting of all ones is the plain value, a resample's counts are one bootstrap replicate: there is one
implementation of each metric, and both come from it.
"""

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from lentigo.errors import DataError
from lentigo.evaluation.catalogue import Metric, of_kind
from lentigo.evaluation.metrics import ranking, reliability
from lentigo.evaluation.metrics.confusion import Decisions, confusion_matrices, ratio
from lentigo.evaluation.tasks import Task, View

__all__ = ["Scorer"]

Array = NDArray[np.float64]


class Scorer:
    """The metrics of one view and task; built once, called with weights.

    Args:
        view: the probabilities, and whether scores and calibration weight the diagnoses alike.
        task: the question.
        labels: true diagnoses, positions in the label set [N].
    """

    def __init__(self, view: View, task: Task, labels: NDArray[np.int64]) -> None:
        self.task, self.balanced = task, view.balanced
        self.diagnoses = np.eye(view.probabilities.shape[1])[labels]
        self.labels = task.labels(labels)
        self.probabilities = task.probabilities(view.probabilities)
        self.decisions = self.probabilities.argmax(axis=1)
        self.truth = np.eye(len(task.classes), dtype=bool)[self.labels]
        self.present = np.bincount(self.labels, minlength=len(task.classes)) > 0
        self._curves = [
            ranking.ThresholdCurve.of(p, t) for p, t in zip(self.probabilities.T, self.truth.T, strict=True)
        ]
        self._pairs = self._pair_curves()
        self._losses = {m.name: m.function(self.probabilities, self.truth) for m in of_kind("loss")}
        self._bins = self._make_bins()

    def __call__(self, weights: Array) -> dict[str, Array]:
        """Metrics by name, [R] each, under R weightings of the images [R, N]; NaN where one is undefined."""
        scored = self.weigh(weights)
        return (
            self._decided(Decisions(self.confusion(weights)))
            | self._ranked(weights)
            | {name: ratio(scored @ loss, scored.sum(axis=1)) for name, loss in self._losses.items()}
            | {name: np.abs(bin_errors).sum(axis=1) for name, bin_errors in self._bin_errors(scored).items()}
        )

    def bin_errors(self, weights: Array) -> dict[str, Array]:
        """The gaps [R, B] behind each calibration error, whose sizes sum to it."""
        return self._bin_errors(self.weigh(weights))

    def weigh(self, weights: Array) -> Array:
        """Weights for scores and calibration: each diagnosis alike where the view wants it, else as they are."""
        return self._balance(weights) if self.balanced else weights

    def event(self, answer: str | None) -> tuple[Array, NDArray[np.bool_]]:
        """Predicted probability [N] of a class and whether it is true [N]; without a class, of being correct."""
        if answer is None:
            return self.probabilities.max(axis=1), self.decisions == self.labels
        if answer not in self.task.classes:
            raise DataError(
                f"{answer!r} is not a class of {self.task.name}.", f"Known: {', '.join(self.task.classes)}."
            )
        k = self.task.classes.index(answer)
        return self.probabilities[:, k], self.truth[:, k]

    def confusion(self, weights: Array) -> Array:
        """Confusion matrices [R, K, K], truth in rows."""
        return confusion_matrices(self.labels, self.decisions, weights, len(self.task.classes))

    def _balance(self, weights: Array) -> Array:
        """Rescale so that each diagnosis that is present weighs the same."""
        total = weights @ self.diagnoses
        return weights * (np.divide(1, total, out=np.zeros_like(total), where=total > 0) @ self.diagnoses.T)

    def _pair_curves(self) -> list[ranking.ThresholdCurve]:
        """Two sweeps for each pair of classes, of their images alone (Hand and Till, Machine Learning 45:171, 2001)."""
        sweeps = []
        for i, j in combinations(np.flatnonzero(self.present).tolist(), 2):
            among = self.truth[:, i] | self.truth[:, j]
            sweeps += [ranking.ThresholdCurve.of(self.probabilities[:, k], self.truth[:, k], among) for k in (i, j)]
        return sweeps

    def _decided(self, decisions: Decisions) -> dict[str, Array]:
        """Metrics of the decisions alone."""
        found = {}
        for metric in of_kind("decisions"):
            found[metric.name] = metric.function(decisions)
        for metric in of_kind("baseline"):
            found[f"{metric.name}.{self.task.usual}"] = metric.function(
                decisions, self.task.classes.index(self.task.usual)
            )
        for metric in of_kind("decisions of a class"):
            found |= self._averaged(metric, metric.function(decisions), decisions.truth)
        return found

    def _ranked(self, weights: Array) -> dict[str, Array]:
        """Metrics of the order of each class's probability."""
        counts = [sweep.counts(weights) for sweep in self._curves]
        found: dict[str, Array] = {}
        images = weights @ self.truth
        for metric in of_kind("ranking"):
            values = np.stack([metric.function(tp, fp) for tp, fp in counts], axis=1)
            found |= self._averaged(metric, values, images)
        of_pairs = [sweep.counts(weights) for sweep in self._pairs]
        for metric in of_kind("ranking"):
            if "pairwise" in metric.averages:
                pairs = [metric.function(tp, fp) for tp, fp in of_pairs]
                found[f"{metric.name}.pairwise"] = np.mean(pairs, axis=0) if pairs else np.full(len(weights), np.nan)
        return found

    def _averaged(self, metric: Metric, values: Array, images: Array) -> dict[str, Array]:
        """A metric of each class [R, K] and its averages over the classes that are present."""
        found = {f"{metric.name}.{c}": values[:, k] for k, c in enumerate(self.task.classes)}
        counted = np.nan_to_num(values[:, self.present], nan=metric.undefined_counts)
        share = images[:, self.present]
        if "macro" in metric.averages:
            found[f"{metric.name}.macro"] = counted.mean(axis=1)
        if "weighted" in metric.averages:
            found[f"{metric.name}.weighted"] = ratio((counted * share).sum(axis=1), share.sum(axis=1))
        return found

    def _make_bins(self) -> dict[str, reliability.Bins]:
        mass = self.weigh(np.ones((1, len(self.labels))))[0]
        top, correct = self.event(None)
        bins = {}
        for metric in of_kind("calibration"):
            bins[metric.name] = reliability.Bins(top, correct, metric.function(top, mass))
            for answer in self.task.classes if metric.per_class else ():
                predicted, happened = self.event(answer)
                by_mass = reliability.equal_mass(predicted, mass)
                bins[f"{metric.name}.{answer}"] = reliability.Bins(predicted, happened, by_mass)
        return bins

    def _bin_errors(self, weights: Array) -> dict[str, Array]:
        found = {name: bins.bin_errors(weights) for name, bins in self._bins.items()}
        for metric in of_kind("calibration"):
            if "macro" in metric.averages:
                each = [found[f"{metric.name}.{c}"] / len(self.task.classes) for c in self.task.classes]
                found[f"{metric.name}.macro"] = np.concatenate(each, axis=1)
        return found
