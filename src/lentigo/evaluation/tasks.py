"""The questions that are put to predictions (tasks), and how common the diagnoses are taken to be (views).

Tasks pool the diagnoses of a label set: which of all, benign or malignant, melanoma or not. The second exists where the
label set knows which are malignant, the third where it has a melanoma. A task's probabilities are the
sums over the pooled diagnoses, and its decision is the class with the largest of them.

A view fixes the prevalence that the probabilities assume:

- `equal_prevalence`: all diagnoses equally common, as the model gives them. The headline view: its decisions
  have the best balanced accuracy. Proper scores and calibration weight the images so that each diagnosis counts the
  same, because only there can such probabilities be calibrated.
- `training_prevalence`: as common as in training, by Bayes' rule. Its decisions have the best accuracy, and its
  probabilities can be calibrated on data with the same mix, so that scores and calibration weight all images alike.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lentigo.errors import DataError
from lentigo.evaluation.predictions import Predictions
from lentigo.labels import LabelSet

__all__ = ["VIEWS", "Task", "View", "known_views", "task_of", "tasks_of", "view"]

VIEWS = ("equal_prevalence", "training_prevalence")


@dataclass(frozen=True)
class Task:
    """A question with K answers.

    Attributes:
        name: such as 'malignancy'.
        classes: the K answers.
        pools: for each label of the label set, the position of its answer.
        usual: the answer of the majority-class baseline.
    """

    name: str
    classes: tuple[str, ...]
    pools: tuple[int, ...]
    usual: str

    def probabilities(self, all_labels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Pool probabilities [N, L] of the label set to [N, K]."""
        return all_labels @ np.eye(len(self.classes))[list(self.pools)]

    def labels(self, all_labels: NDArray[np.int64]) -> NDArray[np.int64]:
        """Pool labels [N], positions in the label set, to positions in `classes`."""
        return np.asarray(self.pools)[all_labels]


def tasks_of(predictions: Predictions) -> dict[str, Task]:
    """The questions that can be put to predictions, by name: 'diagnosis', and 'malignancy' and 'melanoma' where their
    label set knows the answer."""
    labels = predictions.label_set
    tasks = [Task("diagnosis", labels.classes, tuple(range(len(labels))), predictions.majority)]
    if labels.knows_malignancy:
        tasks.append(_against(labels, "malignancy", labels.malignant, "malignant", "benign"))
    if labels.melanoma is not None:
        tasks.append(_against(labels, "melanoma", (labels.melanoma,), "melanoma", "other"))
    return {task.name: task for task in tasks}


def task_of(predictions: Predictions, name: str, *, two_classes: bool = False) -> Task:
    """A question that can be put to predictions, by name.

    Args:
        predictions: whose label set says which there are.
        name: a key of `tasks_of`.
        two_classes: whether it must have exactly two answers.

    Raises:
        DataError: unknown for this label set, or more than two answers where two are needed.
    """
    fitting = {t.name: t for t in tasks_of(predictions).values() if not two_classes or len(t.classes) == 2}
    if name not in fitting:
        known = f"It can be {' or '.join(fitting)}." if fitting else "Its labels have no malignancy and no melanoma."
        raise DataError(f"Unknown task {name!r} for the labels of {predictions.label_set.name}.", known)
    return fitting[name]


def _against(labels: LabelSet, name: str, positive: tuple[str, ...], yes: str, no: str) -> Task:
    return Task(name, (no, yes), tuple(int(c in positive) for c in labels.classes), no)


@dataclass(frozen=True)
class View:
    """Predictions at one prevalence.

    Attributes:
        name: one of `VIEWS`.
        probabilities: [N, K], each row sums to 1.
        balanced: whether proper scores and calibration give each diagnosis the same weight.
    """

    name: str
    probabilities: NDArray[np.float64]
    balanced: bool


def view(predictions: Predictions, name: str) -> View:
    """Predictions in one of `VIEWS`.

    Raises:
        DataError: unknown view, or a training prevalence that is absent or isn't one.
    """
    if name == "equal_prevalence":
        return View(name, predictions.at_prevalence(np.ones(len(predictions.label_set))), balanced=True)
    if name == "training_prevalence":
        return View(name, predictions.at_prevalence(), balanced=False)
    raise DataError(f"Unknown view {name!r}.", f"Known views: {', '.join(VIEWS)}.")


def known_views(predictions: Predictions) -> list[str]:
    """The views that predictions can be seen in: both, or the first alone where the training prevalence is unknown."""
    return list(VIEWS if predictions.meta.get("training_prevalence") is not None else VIEWS[:1])
