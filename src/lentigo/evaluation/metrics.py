"""Measure predictions: every metric, in both views and all tasks, with intervals where asked for.

>>> metrics = measure(predictions, replicates=1000)
>>> print(metrics.get("balanced_accuracy"))
0.667 (0.630 to 0.704)
>>> metrics.get("auc.melanoma", task="melanoma").low
0.871
"""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from lentigo.errors import DataError
from lentigo.evaluation.basis import SCALE_OF, Lesions, undefined
from lentigo.evaluation.estimates import estimate, estimate_gap
from lentigo.evaluation.intervals import LEVEL, resamples
from lentigo.evaluation.predictions import Predictions
from lentigo.evaluation.provenance import Provenance
from lentigo.evaluation.result import Estimate, Result
from lentigo.evaluation.scorer import Scorer
from lentigo.evaluation.tasks import TASKS, known_views, view

__all__ = ["HEADLINE", "Metrics", "TaskMetrics", "measure"]

Array = NDArray[np.float64]
Values = dict[str, Array]

HEADLINE = (
    "balanced_accuracy",
    "auc.macro",
    "sensitivity_at_80_specificity.mel",
    "specificity_at_95_sensitivity.mel",
    "ece",
    "accuracy",
    "accuracy_always.nv",
)
"""What to lead with, of the task 'diagnosis'; accuracy never without 'always nevus' beside it."""


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
        level: what share of intervals shall hold the true value.
        views: by view ('equal_prevalence', 'training_prevalence') and task ('diagnosis', 'malignancy', 'melanoma').
    """

    provenance: Provenance
    replicates: int
    seed: int
    level: float
    views: dict[str, dict[str, TaskMetrics]]

    def get(self, name: str, task: str = "diagnosis", view: str = "equal_prevalence") -> Estimate:
        """One metric.

        Raises:
            DataError: no such metric, task or view.
        """
        try:
            return self.views[view][task].values[name]
        except KeyError as error:
            raise DataError(f"No metric {name!r} of the task {task!r} in the view {view!r}: no {error}.") from None


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
    labels, groups = predictions.labels, predictions.groups
    seen = [view(predictions, name) for name in known_views(predictions)]
    scorers = {(v.name, task.name): Scorer(v, task, labels) for v in seen for task in TASKS.values()}
    plain = np.ones((1, len(labels)))
    drawn = _replicate(scorers, resamples(labels, groups, replicates, seed)) if replicates else {}
    views: dict[str, dict[str, TaskMetrics]] = {v.name: {} for v in seen}
    for (v, t), scorer in scorers.items():
        views[v][t] = TaskMetrics(
            classes=scorer.task.classes,
            confusion=tuple(tuple(int(n) for n in row) for row in scorer.confusion(plain)[0]),
            values=_estimates(scorer, groups, drawn.get((v, t))),
        )
    return Metrics(provenance=Provenance.of(predictions), replicates=replicates, seed=seed, level=LEVEL, views=views)


def _replicate(scorers: Mapping[tuple[str, str], Scorer], blocks: Iterable[Array]) -> dict[tuple[str, str], Values]:
    """Every metric, and every calibration error's gaps, in each resample."""
    with ThreadPoolExecutor() as pool:
        parts = list(pool.map(lambda weights: {k: s(weights) | s.gaps(weights) for k, s in scorers.items()}, blocks))
    return {k: {name: np.concatenate([part[k][name] for part in parts]) for name in parts[0][k]} for k in scorers}


def _estimates(scorer: Scorer, groups: NDArray, drawn: Values | None) -> dict[str, Estimate]:
    plain = np.ones((1, len(groups)))
    lesions = Lesions(scorer, groups)
    found = {
        name: estimate(
            value[0],
            None if drawn is None else drawn[name],
            lesions.behind(name),
            scale=SCALE_OF.get(name, "share"),
            trials=lesions.trials(name),
            undefined=undefined(name, scorer),
        )
        for name, value in scorer(plain).items()
    }
    return found | {  # the calibration errors once more, with an interval that knows of their bias
        name: estimate_gap(gaps[0], None if drawn is None else drawn[name], lesions.behind(name))
        for name, gaps in scorer.gaps(plain).items()
    }
