"""Decision curves: is acting on the model's probability better than treating everybody, or nobody?

Net benefit at a threshold probability t is the share of true positives less the share of false positives times
t / (1 - t): acting from t on takes one missed melanoma to be as bad as (1 - t) / t unnecessary biopsies (Vickers and
Elkin, Medical Decision Making 26:565, 2006). It needs probabilities that hold where they are used: those at the
training prevalence, or carried by Bayes' rule to a stated clinical one.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lentigo.errors import DataError
from lentigo.evaluation.metrics.confusion import ratio
from lentigo.evaluation.predictions import Predictions
from lentigo.evaluation.provenance import Provenance
from lentigo.evaluation.result import Estimate, Result
from lentigo.evaluation.statistics.estimates import estimate
from lentigo.evaluation.statistics.intervals import bootstrap
from lentigo.evaluation.tasks import task_of

__all__ = ["DecisionCurve", "DecisionPoint", "decision_curve"]

Array = NDArray[np.float64]
THRESHOLDS = tuple(round(t, 2) for t in np.linspace(0.01, 0.50, 50).tolist())


class DecisionPoint(Result):
    """One threshold probability.

    Attributes:
        threshold: threshold probability.
        net_benefit: of acting on the model, in true positives per image.
        treat_all: of acting on every image; acting on none has 0.
        gain: net benefit over the better of the two.
    """

    threshold: float
    net_benefit: Estimate
    treat_all: float
    gain: Estimate


class DecisionCurve(Result):
    """Net benefit over thresholds.

    Attributes:
        task: 'melanoma' or 'malignancy'.
        prevalence: share of positives that it holds for.
        stated: whether that was stated, or is the data's.
        provenance: of the predictions.
        points: by ascending threshold.
        replicates, seed: of the bootstrap.
    """

    task: str
    prevalence: float
    stated: bool
    provenance: Provenance
    points: tuple[DecisionPoint, ...]
    replicates: int
    seed: int


def decision_curve(
    predictions: Predictions,
    task: str,
    *,
    prevalence: float | None = None,
    thresholds: Sequence[float] = THRESHOLDS,
    replicates: int = 0,
    seed: int = 0,
) -> DecisionCurve:
    """Net benefit of a model against treating all and treating none.

    Args:
        predictions: what to measure.
        task: 'melanoma' or 'malignancy'.
        prevalence: share of positives where the model should be used, between 0 and 1; without it that of the data.
        thresholds: ascending, between 0 and 1.
        replicates: bootstrap resamples for intervals of 95 %; 0 for none.
        seed: their seed.

    Raises:
        DataError: not a two-class task, impossible prevalence or thresholds, one class only, or an unknown training
            prevalence.
    """
    question = task_of(predictions, task, two_classes=True)
    cuts = np.asarray(thresholds, dtype=np.float64)
    if not ((cuts > 0) & (cuts < 1)).all() or (np.diff(cuts) <= 0).any() or not len(cuts):
        raise DataError(
            "Thresholds of a decision curve must ascend between 0 and 1.", "Give shares such as 0.05, 0.1 and 0.2."
        )
    if prevalence is not None and not 0 < prevalence < 1:
        raise DataError(f"A prevalence must be between 0 and 1, not {prevalence}.", "Give a share, such as 0.02.")
    positive = question.labels(predictions.labels) == 1
    if positive.all() or not positive.any():
        raise DataError(
            f"A decision curve needs both classes; {positive.sum()} of {len(positive)} are positive.",
            "Use images of both.",
        )
    share = float(positive.mean()) if prevalence is None else prevalence
    mix = None if prevalence is None else _mix(predictions.training_prevalence, np.asarray(question.pools) == 1, share)
    acted = question.probabilities(predictions.at_prevalence(mix))[:, 1, None] >= cuts

    def benefit(weights: Array) -> Array:
        """Net benefit [R, T] under weights [R, N]."""
        sensitivity = ratio(weights @ (acted & positive[:, None]), (weights @ positive)[:, None])
        alarms = ratio(weights @ (acted & ~positive[:, None]), (weights @ ~positive)[:, None])
        return sensitivity * share - alarms * (1 - share) * cuts / (1 - cuts)

    plain = benefit(np.ones((1, len(predictions))))[0]
    many = bootstrap(benefit, predictions.labels, predictions.groups, replicates, seed)
    treat_all = share - (1 - share) * cuts / (1 - cuts)
    lesions = [len(set(predictions.groups[side])) for side in (positive, ~positive)]

    def with_interval(k: int, less: float) -> Estimate:
        return estimate(plain[k] - less, None if many is None else many[:, k] - less, lesions, scale="difference")

    return DecisionCurve(
        task=task,
        prevalence=share,
        stated=prevalence is not None,
        provenance=Provenance.of(predictions),
        points=tuple(
            DecisionPoint(
                threshold=float(cut),
                net_benefit=with_interval(k, 0.0),
                treat_all=float(treat_all[k]),
                gain=with_interval(k, max(float(treat_all[k]), 0.0)),
            )
            for k, cut in enumerate(cuts)
        ),
        replicates=replicates,
        seed=seed,
    )


def _mix(training: Array, positive: NDArray[np.bool_], share: float) -> Array:
    """Prevalence of the diagnoses with this share of positives, mixed within each side as in training."""
    mix = training.copy()
    mix[positive] *= share / training[positive].sum()
    mix[~positive] *= (1 - share) / training[~positive].sum()
    return mix
