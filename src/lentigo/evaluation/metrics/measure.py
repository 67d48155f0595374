"""Measure predictions: every metric, in both views and all tasks, with intervals where asked for.

>>> metrics = measure(predictions, replicates=1000)
>>> print(metrics.get("balanced_accuracy"))
0.667 (0.630 to 0.704)
>>> metrics.get("auc.melanoma", task="melanoma").low
0.871
"""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lentigo.arguments import checked
from lentigo.errors import DataError
from lentigo.evaluation.basis import Lesions, undefined
from lentigo.evaluation.catalogue import entry
from lentigo.evaluation.metrics.scorer import Scorer
from lentigo.evaluation.predictions import Predictions
from lentigo.evaluation.provenance import Provenance
from lentigo.evaluation.result import Estimate, Result
from lentigo.evaluation.statistics.estimates import estimate, estimate_bin_error
from lentigo.evaluation.statistics.intervals import LEVEL, bootstrap
from lentigo.evaluation.tasks import known_views, tasks_of, view

__all__ = ["Key", "Metrics", "Replicates", "TaskMetrics", "estimates_of", "measure", "replicate", "scorers_of"]

Array = NDArray[np.float64]
Key = tuple[str, str]
"""Names of a view and a task."""


class TaskMetrics(Result):
    """The metrics of one question put to the predictions.

    Attributes:
        classes: the answers.
        confusion: images by truth (rows) and decision (columns), in the order of `classes`.
        values: metrics by name; a name after a dot is a class, or 'macro', 'weighted', 'pairwise' for an average.
    """

    classes: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    values: dict[str, Estimate]


class Metrics(Result):
    """Every metric of one table of predictions.

    Attributes:
        provenance: what was measured.
        replicates: bootstrap resamples behind the intervals; 0 for none.
        seed: seed of the resamples.
        level: what share of intervals should hold the true value.
        views: by view ('equal_prevalence', 'training_prevalence') and task ('diagnosis', and
            'malignancy' and 'melanoma' where the label set knows them).
    """

    provenance: Provenance
    replicates: int
    seed: int
    level: float
    views: dict[str, dict[str, TaskMetrics]]

    def __repr__(self) -> str:
        of, view = self.provenance, next(iter(self.views))
        accuracy = self.views[view]["diagnosis"].values["balanced_accuracy"]
        counted = f"{of.images:,} images of {of.groups:,} lesions"
        return f"<Metrics of {of.model or 'predictions'}: {counted}; balanced accuracy {accuracy} in the view {view}>"

    def get(self, name: str, task: str = "diagnosis", view: str = "equal_prevalence") -> Estimate:
        """One metric.

        Raises:
            DataError: no such metric, task or view.
        """
        try:
            return self.views[view][task].values[name]
        except KeyError as error:
            raise DataError(
                f"No metric {name!r} of the task {task!r} in the view {view!r}: no {error}.",
                "What there is: `metrics.views[view][task].values`.",
            ) from None


class Replicates(NamedTuple):
    """One view and task in resamples.

    Attributes:
        values: metrics by name, [R] each.
        bin_errors: the gaps behind each calibration error, [R, B] each.
    """

    values: dict[str, Array]
    bin_errors: dict[str, Array]


@checked
def measure(predictions: Predictions, *, replicates: int = 0, seed: int = 0) -> Metrics:
    """Measure predictions in both views and all tasks.

    Without a known training prevalence there is no view of that name, and a warning says so.

    Args:
        predictions: what to measure.
        replicates: bootstrap resamples for intervals of 95 %; 0 for none.
        seed: seed of the resamples.

    Raises:
        DataError: unknown diagnoses, or a training prevalence that doesn't fit.
    """
    scorers, groups = scorers_of(predictions), predictions.groups
    plain = np.ones((1, len(predictions)))
    drawn = bootstrap(partial(replicate, scorers), predictions.labels, groups, replicates, seed) or {}
    views: dict[str, dict[str, TaskMetrics]] = {name: {} for name, _ in scorers}
    for (v, t), scorer in scorers.items():
        views[v][t] = TaskMetrics(
            classes=scorer.task.classes,
            confusion=tuple(tuple(int(n) for n in row) for row in scorer.confusion(plain)[0]),
            values=estimates_of(scorer, groups, drawn.get((v, t))),
        )
    return Metrics(provenance=Provenance.of(predictions), replicates=replicates, seed=seed, level=LEVEL, views=views)


def scorers_of(predictions: Predictions) -> dict[Key, Scorer]:
    """A scorer for each known view and each task, by the names of both."""
    seen, tasks = [view(predictions, name) for name in known_views(predictions)], tasks_of(predictions)
    return {(v.name, task.name): Scorer(v, task, predictions.labels) for v in seen for task in tasks.values()}


def replicate(scorers: Mapping[Key, Scorer], weights: Array) -> dict[Key, Replicates]:
    """Every metric under each weighting of the images: what `bootstrap` is asked for.

    Args:
        scorers: by view and task.
        weights: of resamples [B, N].
    """
    return {key: Replicates(scorer(weights), scorer.bin_errors(weights)) for key, scorer in scorers.items()}


def estimates_of(scorer: Scorer, groups: NDArray, drawn: Replicates | None) -> dict[str, Estimate]:
    """Every metric of a view and task with its interval.

    Args:
        scorer: the view and task.
        groups: lesion of each image [N].
        drawn: the metrics in resamples; None for no intervals.
    """
    plain = np.ones((1, len(groups)))
    lesions = Lesions(scorer, groups)
    found = {
        name: estimate(
            value[0],
            None if drawn is None else drawn.values[name],
            lesions.behind(name),
            scale=entry(name).scale,
            trials=lesions.trials(name),
            undefined=undefined(name, scorer),
        )
        for name, value in scorer(plain).items()
    }
    return found | {  # the calibration errors once more, with an interval that knows of their bias
        name: estimate_bin_error(bin_errors[0], None if drawn is None else drawn.bin_errors[name], lesions.behind(name))
        for name, bin_errors in scorer.bin_errors(plain).items()
    }
