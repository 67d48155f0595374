"""Reliability diagrams as numbers: what was predicted and what happened, bin by bin."""

import numpy as np
from numpy.typing import NDArray

from lentigo.evaluation.metrics.confusion import ratio
from lentigo.evaluation.metrics.reliability import equal_mass
from lentigo.evaluation.metrics.scorer import Scorer
from lentigo.evaluation.predictions import Predictions
from lentigo.evaluation.provenance import Provenance
from lentigo.evaluation.result import Estimate, Result
from lentigo.evaluation.statistics.estimates import estimate
from lentigo.evaluation.statistics.intervals import bootstrap
from lentigo.evaluation.tasks import task_of
from lentigo.evaluation.tasks import view as seen_at

__all__ = ["Bin", "ReliabilityDiagram", "reliability_diagram"]

Array = NDArray[np.float64]
POINTS = 10


class Bin(Result):
    """Images of about the same predicted probability.

    Attributes:
        low, high: smallest and largest predicted probability.
        images: how many.
        predicted: mean predicted probability.
        observed: share in which it happened; well calibrated where its interval holds `predicted`.
    """

    low: float
    high: float
    images: int
    predicted: float
    observed: Estimate


class ReliabilityDiagram(Result):
    """Bins of about equal weight, so that all points are about equally certain.

    Attributes:
        view, task: as in `tasks`; the balanced-prior view weights each diagnosis alike.
        answer: the class whose probability it is of; None for the probability of being correct.
        provenance: of the predictions.
        bins: by ascending probability.
        replicates, seed: of the bootstrap.
    """

    view: str
    task: str
    answer: str | None
    provenance: Provenance
    bins: tuple[Bin, ...]
    replicates: int
    seed: int


def reliability_diagram(
    predictions: Predictions,
    *,
    answer: str | None = None,
    task: str = "diagnosis",
    view: str = "training_prevalence",
    bins: int = POINTS,
    replicates: int = 0,
    seed: int = 0,
) -> ReliabilityDiagram:
    """Sort the predicted probabilities of an event into bins and compare them with what happened.

    Args:
        predictions: what to measure.
        answer: the class whose probability is examined; without it the probability that the decision is correct.
        task: which question.
        view: at which prevalence.
        bins: number of bins at most.
        replicates: bootstrap resamples for intervals of 95 %; 0 for none.
        seed: their seed.

    Raises:
        DataError: unknown view or task, or an answer that isn't one of the task's.
    """
    scorer = Scorer(seen_at(predictions, view), task_of(predictions, task), predictions.labels)
    predicted, happened = scorer.event(answer)
    index = equal_mass(predicted, scorer.weigh(np.ones((1, len(predictions))))[0], bins)
    member = np.eye(index.max() + 1)[index]

    def means(values: Array | NDArray[np.bool_], weights: Array) -> Array:
        """Mean of values [N] in each bin under weights [R, N]: [R, B]."""
        weighed = scorer.weigh(weights)
        return ratio(weighed @ (member * values[:, None]), weighed @ member)

    plain = np.ones((1, len(predictions)))
    observed, middle = means(happened, plain)[0], means(predicted, plain)[0]
    many = bootstrap(lambda weights: means(happened, weights), predictions.labels, predictions.groups, replicates, seed)
    found = []
    for k in np.unique(index):
        inside = index == k
        lesions = len(set(predictions.groups[inside]))
        found.append(
            Bin(
                low=float(predicted[inside].min()),
                high=float(predicted[inside].max()),
                images=int(inside.sum()),
                predicted=float(middle[k]),
                observed=estimate(observed[k], None if many is None else many[:, k], [lesions], trials=lesions),
            )
        )
    return ReliabilityDiagram(
        view=view,
        task=task,
        answer=answer,
        provenance=Provenance.of(predictions),
        bins=tuple(found),
        replicates=replicates,
        seed=seed,
    )
