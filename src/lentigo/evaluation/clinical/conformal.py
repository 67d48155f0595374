"""Conformal prediction sets: the diagnoses that can't be ruled out, each missing in at most a stated share of cases.

Split conformal sets, class-conditional (Vovk, Conditional validity of inductive conformal predictors, ACML 2012), with
the score 1 - p of the class (Sadinle, Lei, Wasserman, JASA 114:223, 2019). Images of one lesion are alike, so that each
lesion counts as one, shared by its images (Lee, Barber, Willett, Distribution-free inference with hierarchical data,
2023).

What is assumed, and all that is: the lesions of a diagnosis that the sets are used on are drawn like those that they
were calibrated on. Then an image of a new lesion with diagnosis c has c in its set with a chance of at least 1 - alpha,
whatever the model. That is an average over lesions, not a promise for one; and it doesn't hold for another camera,
clinic or population, nor for an image of no diagnosis at all.
"""

import numpy as np
from numpy.typing import NDArray

from lentigo.errors import DataError, LeakError
from lentigo.evaluation.leaks import refuse_same_part
from lentigo.evaluation.metrics.confusion import ratio
from lentigo.evaluation.predictions import Predictions
from lentigo.evaluation.provenance import Provenance
from lentigo.evaluation.result import Estimate, Result
from lentigo.evaluation.statistics.estimates import estimate
from lentigo.evaluation.statistics.intervals import bootstrap
from lentigo.evaluation.tasks import view

__all__ = ["ConformalReport", "ConformalSets", "assess", "calibrate"]

Array = NDArray[np.float64]


class ConformalSets(Result):
    """Which diagnoses belong in a set: those whose probability at the balanced prior reaches a threshold.

    Attributes:
        alpha: share of a diagnosis's lesions whose sets may lack it.
        thresholds: least probability of each diagnosis; 0 where too few lesions were seen to ever leave it out.
        provenance: of the validation predictions.
        warnings: beside those of `provenance`.
    """

    alpha: float
    thresholds: dict[str, float]
    provenance: Provenance
    warnings: tuple[str, ...]

    def sets(self, predictions: Predictions) -> NDArray[np.bool_]:
        """Which diagnoses are in each image's set [N, K]; none at all where the image is like none of them."""
        least = np.array([self.thresholds[c] for c in predictions.label_set.classes])
        return _probabilities(predictions) >= least


class ConformalReport(Result):
    """Sets on other images.

    Attributes:
        sets: what was applied.
        provenance: of the images that it was applied to.
        coverage: share of each diagnosis's images whose set contains it.
        size: mean number of diagnoses in a set.
        singletons: share of sets with one diagnosis.
        empty: share of sets with none.
        replicates, seed: of the bootstrap.
    """

    sets: ConformalSets
    provenance: Provenance
    coverage: dict[str, Estimate]
    size: Estimate
    singletons: Estimate
    empty: Estimate
    replicates: int
    seed: int


def calibrate(validation: Predictions, alpha: float = 0.10) -> ConformalSets:
    """Find the thresholds on validation images.

    Args:
        validation: predictions of the validation part.
        alpha: share of a diagnosis's lesions whose sets may lack it, between 0 and 1.

    Raises:
        LeakError: the predictions are of the test part.
        DataError: an impossible alpha.
    """
    if validation.meta.get("part") == "test":
        raise LeakError("Conformal sets must not be calibrated on the test part.", "Use the validation part.")
    if not 0 < alpha < 1:
        raise DataError(f"Alpha must be between 0 and 1, not {alpha}.", "Give a share, such as 0.1.")
    probabilities, labels = _probabilities(validation), validation.labels
    thresholds = {
        c: _threshold(probabilities[labels == k, k], validation.groups[labels == k], alpha)
        for k, c in enumerate(validation.label_set.classes)
    }
    always = [c for c, least in thresholds.items() if least == 0]
    warnings = [f"Too few lesions to ever exclude {', '.join(always)}: they are in every set."] if always else []
    return ConformalSets(
        alpha=alpha, thresholds=thresholds, provenance=Provenance.of(validation), warnings=tuple(warnings)
    )


def assess(sets: ConformalSets, test: Predictions, *, replicates: int = 0, seed: int = 0) -> ConformalReport:
    """How often the sets contain the true diagnosis, and how large they are.

    Args:
        sets: calibrated on validation.
        test: predictions of the test part.
        replicates: bootstrap resamples for intervals of 95 %; 0 for none.
        seed: their seed.

    Raises:
        LeakError: `test` is the part that the sets were calibrated on.
    """
    provenance = Provenance.of(test)
    refuse_same_part(sets.provenance, provenance)
    classes = test.label_set.classes
    members, truth = sets.sets(test), np.eye(len(classes), dtype=bool)[test.labels]
    sizes = members.sum(axis=1)
    of_all = np.stack([sizes, sizes == 1, sizes == 0], axis=1)

    def means(weights: Array) -> Array:
        """Coverage of each diagnosis, then mean size, share of singletons and of empty sets [R, K + 3]."""
        coverage = ratio(weights @ (members & truth), weights @ truth)
        return np.concatenate([coverage, ratio(weights @ of_all, weights.sum(axis=1, keepdims=True))], axis=1)

    plain = means(np.ones((1, len(test))))[0]
    many = bootstrap(means, test.labels, test.groups, replicates, seed)
    lesions = list(provenance.groups_of.values())

    def found(column: int, lesions: int, *, scale: str = "share", undefined: str = "") -> Estimate:
        return estimate(
            plain[column],
            None if many is None else many[:, column],
            [lesions],
            scale=scale,
            trials=lesions,
            undefined=undefined,
        )

    return ConformalReport(
        sets=sets,
        provenance=provenance,
        coverage={c: found(k, lesions[k], undefined=f"no image shows {c}") for k, c in enumerate(classes)},
        size=found(len(classes), provenance.groups, scale="difference"),
        singletons=found(len(classes) + 1, provenance.groups),
        empty=found(len(classes) + 2, provenance.groups),
        replicates=replicates,
        seed=seed,
    )


def _probabilities(predictions: Predictions) -> Array:
    return view(predictions, "equal_prevalence").probabilities


def _threshold(own: Array, groups: NDArray, alpha: float) -> float:
    """Least probability of the class that the set asks for; 0 where no finite quantile of the scores is high enough.

    Each of K lesions has the weight 1 / (K + 1), shared by its images; the new lesion's 1 / (K + 1) is at infinity.
    """
    lesions, of = np.unique(groups.astype(str), return_inverse=True)
    weight = 1 / (len(lesions) + 1) / np.bincount(of)[of] if len(own) else own
    order = np.argsort(-own, kind="stable")
    enough = np.cumsum(weight[order]) >= 1 - alpha - 1e-12
    return float(own[order][np.argmax(enough)]) if enough.any() else 0.0
