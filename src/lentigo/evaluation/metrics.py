"""Measure predictions: every metric, in both views and all tasks, with intervals where asked for.

>>> metrics = measure(predictions, replicates=1000)
>>> print(metrics.get("balanced_accuracy"))
0.667 (0.630 to 0.704)
>>> metrics.get("auc.melanoma", task="melanoma").low
0.871
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from lentigo.evaluation.intervals import LEVEL, edge_interval, interval, resamples
from lentigo.evaluation.predictions import Predictions
from lentigo.evaluation.schema import Estimate, Metrics, Provenance, TaskMetrics
from lentigo.evaluation.scorer import Scorer
from lentigo.evaluation.tasks import TASKS, VIEWS, view

__all__ = ["HEADLINE", "measure"]

Array = NDArray[np.float64]

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
DEFINED = 0.95
"""Share of resamples in which a metric must be defined for its interval to be given."""
_PROPORTIONS = ("recall", "specificity", "sensitivity_at_80_specificity", "specificity_at_95_sensitivity")


def measure(predictions: Predictions, *, replicates: int = 0, seed: int = 0) -> Metrics:
    """Measure predictions in both views and all tasks.

    Args:
        predictions: what to measure.
        replicates: bootstrap resamples for 95 % intervals; 0 for none.
        seed: seed of the resamples.
    """
    labels = predictions.labels
    provenance = Provenance.of(predictions)
    names = [v for v in VIEWS if v == VIEWS[0] or predictions.meta.get("training_prevalence") is not None]
    scorers = {(v, t): Scorer(view(predictions, v), TASKS[t], labels) for v in names for t in TASKS}
    plain = np.ones((1, len(labels)))
    values = {key: scorer(plain) for key, scorer in scorers.items()}
    drawn = _replicate(scorers, predictions, replicates, seed) if replicates else {}
    views: dict[str, dict[str, TaskMetrics]] = {v: {} for v in names}
    for (v, t), scorer in scorers.items():
        views[v][t] = TaskMetrics(
            classes=scorer.task.classes,
            confusion=tuple(tuple(int(n) for n in row) for row in scorer.confusion(plain)[0]),
            values={
                name: _estimate(name, value[0], drawn[v, t][name] if drawn else None, scorer, predictions.groups)
                for name, value in values[v, t].items()
            },
        )
    return Metrics(provenance=provenance, replicates=replicates, seed=seed, level=LEVEL, views=views)


def _replicate(
    scorers: Mapping[tuple[str, str], Scorer], predictions: Predictions, replicates: int, seed: int
) -> dict[tuple[str, str], dict[str, Array]]:
    blocks = resamples(predictions.labels, predictions.groups, replicates, seed)
    with ThreadPoolExecutor() as pool:
        parts = list(pool.map(lambda weights: {key: scorer(weights) for key, scorer in scorers.items()}, blocks))
    return {
        key: {name: np.concatenate([part[key][name] for part in parts]) for name in parts[0][key]} for key in scorers
    }


def _estimate(name: str, value: np.float64, drawn: Array | None, scorer: Scorer, groups: NDArray) -> Estimate:
    if not np.isfinite(value):
        return Estimate(value=None, missing=_undefined(name, scorer))
    if drawn is None:
        return Estimate(value=float(value))
    metric, _, answer = name.partition(".")
    carriers = _carriers(metric, answer, scorer, groups)
    if carriers == 1:
        return Estimate(value=float(value), missing="it rests on one lesion: how lesions differ can't be seen")
    defined = np.isfinite(drawn).mean()
    if defined < DEFINED:
        return Estimate(value=float(value), missing=f"defined in only {defined:.0%} of the resamples")
    if np.nanmax(drawn) > np.nanmin(drawn):
        low, high = interval(drawn)
        return Estimate(value=float(value), low=low, high=high)
    if metric in _PROPORTIONS and value in (0, 1):
        low, high = edge_interval(float(value), carriers)
        return Estimate(value=float(value), low=low, high=high)
    return Estimate(value=float(value), missing="every resample gives the same value")


def _carriers(metric: str, answer: str, scorer: Scorer, groups: NDArray) -> int:
    """How many groups a metric of one class rests on: those that it is a share of, else the fewer of both sides."""
    if answer not in scorer.task.classes:
        return len(set(groups))
    truth = scorer.labels == scorer.task.classes.index(answer)
    yes, no = len(set(groups[truth])), len(set(groups[~truth]))
    return {"recall": yes, "sensitivity": yes, "specificity": no}.get(metric.partition("_")[0], min(yes, no))


def _undefined(name: str, scorer: Scorer) -> str:
    """Why a metric has no value."""
    classes, answer = scorer.task.classes, name.partition(".")[2]
    if scorer.present.sum() == 1:
        return f"every image shows {classes[int(scorer.present.argmax())]}"
    if answer in classes:
        if not scorer.present[classes.index(answer)]:
            return f"no image shows {answer}"
        return f"{answer} is never decided"
    return "every decision is the same"
