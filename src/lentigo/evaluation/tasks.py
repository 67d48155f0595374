"""The questions that are put to predictions (tasks), and how common the diagnoses are taken to be (views).

Tasks pool the seven diagnoses: which of seven, benign or malignant, melanoma or not. A task's probabilities are the
sums over the pooled diagnoses, and its decision is the class with the largest of them.

A view fixes the prevalence that the probabilities assume:

- `equal_prevalence`: all seven balanced prior, as the model gives them. The headline view: its decisions
  have the best balanced accuracy. Proper scores and calibration weight the images so that each diagnosis counts the
  same, because only there can such probabilities be calibrated.
- `training_prevalence`: as common as in training, by Bayes' rule. Its decisions have the best accuracy, and its
  probabilities can be calibrated on data with the same mix, so that scores and calibration weight all images alike.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lentigo import taxonomy
from lentigo.errors import DataError
from lentigo.evaluation.predictions import Predictions

__all__ = ["TASKS", "VIEWS", "Task", "View", "known_views", "task_of", "view"]

VIEWS = ("equal_prevalence", "training_prevalence")


@dataclass(frozen=True)
class Task:
    """A question with K answers.

    Attributes:
        name: such as 'malignancy'.
        classes: the K answers.
        pools: for each diagnosis of `taxonomy.CLASSES`, the position of its answer.
        usual: the answer that a thoughtless rule would always give.
    """

    name: str
    classes: tuple[str, ...]
    pools: tuple[int, ...]
    usual: str

    def probabilities(self, seven: NDArray[np.float64]) -> NDArray[np.float64]:
        """Pool probabilities [N, 7] to [N, K]."""
        return seven @ np.eye(len(self.classes))[list(self.pools)]

    def labels(self, seven: NDArray[np.int64]) -> NDArray[np.int64]:
        """Pool labels [N], positions in `taxonomy.CLASSES`, to positions in `classes`."""
        return np.asarray(self.pools)[seven]


def _against(name: str, positive: tuple[str, ...], yes: str, no: str) -> Task:
    return Task(name, (no, yes), tuple(int(c in positive) for c in taxonomy.CLASSES), no)


TASKS = {
    task.name: task
    for task in (
        Task("diagnosis", taxonomy.CLASSES, tuple(range(len(taxonomy.CLASSES))), "nv"),
        _against("malignancy", taxonomy.MALIGNANT, "malignant", "benign"),
        _against("melanoma", ("mel",), "melanoma", "other"),
    )
}


def task_of(name: str, two_classes: bool = False) -> Task:
    """A task by name.

    Args:
        name: a key of `TASKS`.
        two_classes: whether it must have exactly two.

    Raises:
        DataError: unknown, or more than two classes where two are needed.
    """
    fitting = [t.name for t in TASKS.values() if not two_classes or len(t.classes) == 2]
    if name not in fitting:
        raise DataError(f"There is no task {name!r} for this.", f"It can be {' or '.join(fitting)}.")
    return TASKS[name]


@dataclass(frozen=True)
class View:
    """Predictions at one prevalence.

    Attributes:
        name: one of `VIEWS`.
        probabilities: [N, 7], each row sums to 1.
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
        return View(name, predictions.at_prevalence(np.ones(len(taxonomy.CLASSES))), balanced=True)
    if name == "training_prevalence":
        return View(name, predictions.at_prevalence(), balanced=False)
    raise DataError(f"Unknown view {name!r}.", f"Known views: {', '.join(VIEWS)}.")


def known_views(predictions: Predictions) -> list[str]:
    """The views that predictions can be seen in: both, or the first alone where the training prevalence is unknown."""
    return list(VIEWS if predictions.meta.get("training_prevalence") is not None else VIEWS[:1])
