"""What the metrics of a task rest on: how many lesions, and why one may be undefined."""

from numpy.typing import NDArray

from lentigo.evaluation.catalogue import entry
from lentigo.evaluation.metrics.scorer import Scorer

__all__ = ["Lesions", "undefined"]


class Lesions:
    """How many lesions the metrics of a task rest on."""

    def __init__(self, scorer: Scorer, groups: NDArray) -> None:
        self._all = len(set(groups))
        masks = {c: scorer.labels == k for k, c in enumerate(scorer.task.classes)}
        self._sides = {c: (len(set(groups[mask])), len(set(groups[~mask]))) for c, mask in masks.items()}
        self._diagnoses = [len(set(groups[has > 0])) for has in scorer.diagnoses.T]
        self._balanced = scorer.balanced

    def behind(self, name: str) -> list[int]:
        """Lesions of each class that a metric rests on, at least one number."""
        metric, answer = entry(name), name.partition(".")[2]
        if answer in self._sides and metric.kind != "baseline":
            yes, no = self._sides[answer]
            found = {"positives": [yes], "negatives": [no], "both": [yes, no]}[metric.rests_on]
        elif self._balanced and metric.kind in ("loss", "calibration"):
            found = self._diagnoses
        elif answer in ("macro", "pairwise") or metric.averages_classes:
            found = [yes for yes, _ in self._sides.values()]
        else:
            found = [self._all]
        return [n for n in found if n > 0] or [self._all]

    def trials(self, name: str) -> int | None:
        """Lesions that a plain proportion is a share of; None for other metrics."""
        metric, answer = entry(name), name.partition(".")[2]
        if answer not in self._sides or not metric.share_of:
            return None
        yes, no = self._sides[answer]
        return yes if metric.share_of == "positives" else no


def undefined(name: str, scorer: Scorer) -> str:
    """Why a metric has no value."""
    classes, answer = scorer.task.classes, name.partition(".")[2]
    if scorer.present.sum() == 1:
        return f"every image shows {classes[int(scorer.present.argmax())]}"
    if answer in classes:
        absent = not scorer.present[classes.index(answer)]
        return f"no image shows {answer}" if absent else f"{answer} is never predicted"
    return "every decision is the same"
