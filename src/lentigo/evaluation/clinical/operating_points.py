"""Operating points: a threshold chosen on validation for a stated sensitivity, applied unchanged to test.

The score is the task's probability in one of the views. The prevalence changes the order of images, not only their
scores: where most lesions are nevi, the view that knows it distinguishes melanomas better than the one of equal
prevalence, for which a dermatofibroma weighs as much as a nevus. Predictive values are given at the prevalence of the
data and at a stated clinical one, by Bayes' rule from sensitivity and specificity: HAM10000 has far more melanomas
among its images than a clinic among its patients.
"""

import numpy as np
from numpy.typing import NDArray

from lentigo.errors import DataError, LeakError
from lentigo.evaluation.leaks import refuse_same_part
from lentigo.evaluation.metrics.confusion import ratio
from lentigo.evaluation.metrics.ranking import EXACT, ThresholdCurve
from lentigo.evaluation.predictions import Predictions
from lentigo.evaluation.provenance import Provenance
from lentigo.evaluation.result import Estimate, Result
from lentigo.evaluation.statistics.estimates import estimate
from lentigo.evaluation.statistics.intervals import bootstrap
from lentigo.evaluation.tasks import task_of, view
from lentigo.runtime import BundleMetadata

__all__ = ["OperatingPoint", "Performance", "PredictiveValues", "apply", "choose", "of_bundle", "scores"]

Array = NDArray[np.float64]


class OperatingPoint(Result):
    """A threshold, and where it comes from. `score >= threshold` flags an image.

    Attributes:
        task: 'melanoma' or 'malignancy'.
        answer: the class whose probability is the score.
        view: the prevalence that the score is taken at, one of `tasks.VIEWS`.
        target: the sensitivity that it was chosen for, 0 to 1.
        threshold: midway between the last score that is needed for the target and the next lower one.
        sensitivity, specificity: on validation, where they are too good, since the threshold was chosen there; None
            where it came with a bundle, as is `provenance`.
        provenance: of the validation predictions.
        warnings: beside those of `provenance`.
    """

    task: str
    answer: str
    view: str
    target: float
    threshold: float
    sensitivity: float | None
    specificity: float | None
    provenance: Provenance | None
    warnings: tuple[str, ...]


class PredictiveValues(Result):
    """What flagging brings at one prevalence.

    Attributes:
        prevalence: share of images that are positive.
        ppv: share of the flagged that are positive.
        npv: share of the others that are not.
        flagged: share of all that are flagged.
        number_needed_to_biopsy: flagged images for each positive one among them, 1 / ppv.
    """

    prevalence: float
    ppv: Estimate
    npv: Estimate
    flagged: Estimate
    number_needed_to_biopsy: Estimate


class Performance(Result):
    """An operating point on other images.

    Attributes:
        point: what was applied.
        provenance: of the images that it was applied to.
        true_positives, false_positives, false_negatives, true_negatives: images.
        sensitivity, specificity: with intervals of 95 %.
        at_data_prevalence: yield where positives are as common as among these images.
        at_clinical_prevalence: yield at a stated prevalence; None where none was stated.
        replicates, seed: of the bootstrap.
    """

    point: OperatingPoint
    provenance: Provenance
    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int
    sensitivity: Estimate
    specificity: Estimate
    at_data_prevalence: PredictiveValues
    at_clinical_prevalence: PredictiveValues | None
    replicates: int
    seed: int


def choose(validation: Predictions, task: str, sensitivity: float, *, at: str = "equal_prevalence") -> OperatingPoint:
    """The highest threshold that reaches a sensitivity on validation.

    Args:
        validation: predictions of the validation part.
        task: 'melanoma' or 'malignancy'.
        sensitivity: the target, above 0 and up to 1.
        at: view that the score is taken in, one of `tasks.VIEWS`.

    Raises:
        LeakError: the predictions are of the test part.
        DataError: not a two-class task, an unknown view, an impossible target, or validation without positives or
            negatives.
    """
    if validation.meta.get("part") == "test":
        raise LeakError("A threshold must not be chosen on the test part.", "Choose it on the validation part.")
    if not 0 < sensitivity <= 1:
        raise DataError(f"A sensitivity must be between 0 and 1, not {sensitivity}.", "Give a share, such as 0.9.")
    score, positive = scores(validation, task, at)
    answer = task_of(validation, task, two_classes=True).classes[1]
    if positive.all() or not positive.any():
        raise DataError(
            f"Validation needs images that show {answer}, and others: {positive.sum()} of {len(positive)} do.",
            "Use a validation part that has both.",
        )
    sweep = ThresholdCurve.of(score, positive)
    tp, fp = (counts[0] for counts in sweep.counts(np.ones((1, len(score)))))
    step = max(int(np.argmax(tp >= (sensitivity - EXACT) * tp[-1])), 1)
    taken = sweep.thresholds[step - 1]
    lower = sweep.thresholds[step] if step < len(sweep.thresholds) else 0.0
    return OperatingPoint(
        task=task,
        answer=answer,
        view=at,
        target=sensitivity,
        threshold=float((taken + lower) / 2),
        sensitivity=float(tp[step] / tp[-1]),
        specificity=float(1 - fp[step] / fp[-1]),
        provenance=Provenance.of(validation),
        warnings=_warnings(validation, positive, sensitivity, answer),
    )


def of_bundle(metadata: BundleMetadata) -> tuple[OperatingPoint, ...]:
    """The operating points that travel in a bundle, chosen on its validation part, each in its own view."""
    return tuple(
        OperatingPoint(
            task=point.target,
            answer={"malignancy": "malignant"}.get(point.target, point.target),
            view=point.view,
            target=point.target_sensitivity,
            threshold=point.threshold,
            sensitivity=None,
            specificity=None,
            provenance=None,
            warnings=(),
        )
        for point in metadata.operating_points
    )


def apply(
    point: OperatingPoint,
    test: Predictions,
    *,
    clinical_prevalence: float | None = None,
    replicates: int = 0,
    seed: int = 0,
) -> Performance:
    """Apply an operating point, unchanged, to other images.

    Args:
        point: chosen on validation.
        test: predictions of the test part.
        clinical_prevalence: share of the patients' lesions that are positive, between 0 and 1, for a second yield.
        replicates: bootstrap resamples for intervals of 95 %; 0 for none.
        seed: their seed.

    Raises:
        LeakError: `test` is the part that the threshold was chosen on.
        DataError: an impossible prevalence.
    """
    provenance = Provenance.of(test)
    if point.provenance is not None:
        refuse_same_part(point.provenance, provenance)
    if clinical_prevalence is not None and not 0 < clinical_prevalence < 1:
        raise DataError(
            f"A prevalence must be between 0 and 1, not {clinical_prevalence}.", "Give a share, such as 0.02."
        )
    score, positive = scores(test, point.task, point.view)
    flagged = score >= point.threshold
    lesions = (len(set(test.groups[positive])), len(set(test.groups[~positive])))

    def shares(weights: Array) -> tuple[Array, Array]:
        """Sensitivity and specificity [R] under weights [R, N]."""
        return (
            ratio(weights @ (flagged & positive), weights @ positive),
            ratio(weights @ (~flagged & ~positive), weights @ ~positive),
        )

    plain = shares(np.ones((1, len(test))))
    many = bootstrap(lambda weights: np.stack(shares(weights), axis=1), test.labels, test.groups, replicates, seed)
    drawn = None if many is None else (many[:, 0], many[:, 1])
    answer = point.answer
    reasons = (f"no image shows {answer}", f"every image shows {answer}")
    sensitivity, specificity = (
        estimate(p[0], None if drawn is None else drawn[k], [lesions[k]], trials=lesions[k], undefined=reasons[k])
        for k, p in enumerate(plain)
    )
    return Performance(
        point=point,
        provenance=provenance,
        true_positives=int((flagged & positive).sum()),
        false_positives=int((flagged & ~positive).sum()),
        false_negatives=int((~flagged & positive).sum()),
        true_negatives=int((~flagged & ~positive).sum()),
        sensitivity=sensitivity,
        specificity=specificity,
        at_data_prevalence=_yield(float(positive.mean()), plain, drawn, lesions),
        at_clinical_prevalence=(
            None if clinical_prevalence is None else _yield(clinical_prevalence, plain, drawn, lesions)
        ),
        replicates=replicates,
        seed=seed,
    )


def scores(predictions: Predictions, task: str, at: str = "equal_prevalence") -> tuple[Array, NDArray[np.bool_]]:
    """Probability of the second class of a two-class task in a view [N], and whether it is true [N]."""
    question = task_of(predictions, task, two_classes=True)
    return (
        question.probabilities(view(predictions, at).probabilities)[:, 1],
        question.labels(predictions.labels) == 1,
    )


def _yield(
    prevalence: float, plain: tuple[Array, Array], drawn: tuple[Array, Array] | None, lesions: tuple[int, int]
) -> PredictiveValues:
    """Bayes' rule, on the images and on each resample."""

    def at(sensitivity: Array, specificity: Array) -> dict[str, Array]:
        hits, alarms = sensitivity * prevalence, (1 - specificity) * (1 - prevalence)
        quiet = 1 - hits - alarms
        return {
            "ppv": ratio(hits, hits + alarms),
            "npv": ratio(specificity * (1 - prevalence), quiet),
            "flagged": hits + alarms,
        }

    values, many = at(*plain), None if drawn is None else at(*drawn)
    reasons = {"ppv": "nothing is flagged", "npv": "everything is flagged", "flagged": ""}
    found = {
        name: estimate(
            value[0],
            None if many is None else many[name],
            lesions,
            undefined=reasons[name] if min(lesions) else "one class is absent",
        )
        for name, value in values.items()
    }
    return PredictiveValues(prevalence=prevalence, **found, number_needed_to_biopsy=_inverse(found["ppv"]))


def _inverse(ppv: Estimate) -> Estimate:
    """1 / ppv, with the ends of its interval exchanged."""
    if not ppv.value:
        return Estimate(value=None, note=ppv.note or "no flagged image is positive")
    if ppv.low is None or ppv.high is None:
        return Estimate(value=1 / ppv.value, note=ppv.note)
    return Estimate(value=1 / ppv.value, low=1 / ppv.high, high=1 / ppv.low)


def _warnings(validation: Predictions, positive: NDArray[np.bool_], target: float, answer: str) -> tuple[str, ...]:
    found = []
    lesions = len(set(validation.groups[positive]))
    if lesions * (1 - target) < 1:
        found.append(
            f"{lesions} lesions of {answer} are too few to distinguish a sensitivity of {target:.2f} from 1: "
            "expect a different one on other images."
        )
    if validation.meta.get("part") is None:
        found.append("It is unknown whether the threshold was chosen on a validation part.")
    return tuple(found)
