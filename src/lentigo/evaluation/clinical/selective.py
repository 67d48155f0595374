"""Risk against coverage: how much more reliable a model is when it answers only where it is confident.

Source: Geifman, El-Yaniv, Selective classification for deep neural networks, NeurIPS 2017; area under the curve and its
least value as in Geifman, Uziel, El-Yaniv, Bias-reduced uncertainty estimation, ICLR 2019, equations 2 and 5.
"""

import numpy as np
from numpy.typing import NDArray

from lentigo.evaluation.metrics.confusion import ratio
from lentigo.evaluation.metrics.ranking import ThresholdCurve
from lentigo.evaluation.metrics.scorer import Scorer
from lentigo.evaluation.predictions import Predictions
from lentigo.evaluation.provenance import Provenance
from lentigo.evaluation.result import Estimate, Result
from lentigo.evaluation.statistics.estimates import estimate
from lentigo.evaluation.statistics.intervals import bootstrap
from lentigo.evaluation.tasks import task_of, view

__all__ = ["RiskCoverage", "RiskPoint", "risk_coverage"]

Array = NDArray[np.float64]
COVERAGES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)


class RiskPoint(Result):
    """One share of answered images.

    Attributes:
        coverage: share that is answered: at least the one asked for, as images of equal confidence go together.
        threshold: least confidence of an answered image.
        risk: share of the answered that are wrong.
    """

    coverage: float
    threshold: float
    risk: Estimate


class RiskCoverage(Result):
    """Risk over coverage, by confidence (the largest probability).

    Attributes:
        view, task: as in `tasks`; the balanced-prior view weights each diagnosis alike.
        provenance: of the predictions.
        points: by ascending coverage; the last is the risk without any abstention.
        area: mean risk over all coverages (AURC), lower is better.
        optimal_area: of a confidence that puts every mistake last.
        replicates, seed: of the bootstrap.
    """

    view: str
    task: str
    provenance: Provenance
    points: tuple[RiskPoint, ...]
    area: Estimate
    optimal_area: float
    replicates: int
    seed: int


def risk_coverage(
    predictions: Predictions,
    *,
    task: str = "diagnosis",
    at: str = "equal_prevalence",
    replicates: int = 0,
    seed: int = 0,
) -> RiskCoverage:
    """Risk of the images with the highest confidence, for growing shares of them.

    Args:
        predictions: what to measure.
        task: which question.
        at: view, at which prevalence.
        replicates: bootstrap resamples for intervals of 95 %; 0 for none.
        seed: their seed.

    Raises:
        DataError: unknown task or view.
    """
    scorer = Scorer(view(predictions, at), task_of(predictions, task), predictions.labels)
    sweep = ThresholdCurve.of(*scorer.event(None))
    plain = np.ones((1, len(predictions)))
    right, wrong = (counts[0] for counts in sweep.counts(scorer.weigh(plain)))
    answered = (right + wrong) / (right[-1] + wrong[-1])
    steps = [int(np.argmax(answered >= share - 1e-12)) for share in COVERAGES]

    def risks(weights: Array) -> Array:
        """Risk at each step, then the area [R, S + 1]."""
        tp, fp = sweep.counts(scorer.weigh(weights))
        called = tp + fp
        risk = ratio(fp, called)
        # The share answered at each distinct confidence, times the risk once it is answered.
        area = ratio((np.diff(called, axis=1) * np.nan_to_num(risk[:, 1:])).sum(axis=1), called[:, -1])
        return np.concatenate([risk[:, steps], area[:, None]], axis=1)

    values = risks(plain)[0]
    many = bootstrap(risks, predictions.labels, predictions.groups, replicates, seed)
    lesions = len(set(predictions.groups))
    found = [estimate(v, None if many is None else many[:, k], [lesions]) for k, v in enumerate(values)]
    return RiskCoverage(
        view=at,
        task=task,
        provenance=Provenance.of(predictions),
        points=tuple(
            RiskPoint(coverage=float(answered[step]), threshold=float(sweep.thresholds[step - 1]), risk=risk)
            for step, risk in zip(steps, found[:-1], strict=True)
        ),
        area=found[-1],
        optimal_area=_optimal_area(float(values[-2])),
        replicates=replicates,
        seed=seed,
    )


def _optimal_area(risk: float) -> float:
    """Area where all mistakes come last: the integral over coverage of max(0, c - (1 - risk)) / c."""
    return risk + (1 - risk) * float(np.log1p(-risk)) if risk < 1 else 1.0
