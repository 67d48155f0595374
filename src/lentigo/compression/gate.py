"""The gate: what a compressed file may lose against its parent, judged on the validation part by intervals.

Every loss is paired: parent and child answer the same images, and lesions are resampled together. Its interval of 95 %
decides, by one rule for all entries:

- **pass**: the whole interval is within the allowed loss (its upper end is at most that);
- **fail**: the whole interval is beyond it (its lower end is above);
- **undecided**: the interval holds the allowed loss, or there is none. More validation images could decide.

A step passes if every entry does. Undecided is not passed: a file is shipped when its loss was shown to be small, and
not when nobody could show that it is large.

The parent is always the network that compression started from, so that small losses of many steps can't add up unseen.
Thresholds are refitted on each file, and on the images that they were fitted on every file reaches its target
sensitivity. The sensitivity at the operating point is therefore compared where both raise equally many false alarms:
as many of the validation images as the parent's own threshold does. Those thresholds are held fixed in resamples.
"""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lentigo.evaluation.basis import Lesions
from lentigo.evaluation.clinical import operating_points
from lentigo.evaluation.metrics.confusion import ratio
from lentigo.evaluation.metrics.scorer import Scorer
from lentigo.evaluation.predictions import Predictions
from lentigo.evaluation.result import Estimate, Result
from lentigo.evaluation.statistics.comparison import align
from lentigo.evaluation.statistics.estimates import estimate
from lentigo.evaluation.statistics.intervals import SCALES, bootstrap, interval
from lentigo.evaluation.tasks import task_of, tasks_of, view
from lentigo.runtime import OperatingPoint
from lentigo.training.checked import Checked

__all__ = ["Gate", "GateEntry", "GateReport", "Verdict", "check"]

Array = NDArray[np.float64]
Verdict = Literal["pass", "fail", "undecided", "not judged"]
Loss = Annotated[float, Field(ge=0, le=1)] | None
KEY = ("equal_prevalence", "diagnosis")
"""View and task of the metrics: decisions at the balanced prior, as the file makes them."""


class Gate(Checked):
    """What may be lost on the validation part; null for an entry that is reported and not judged.

    Attributes:
        balanced_accuracy: largest loss, 0 to 1: 0.02 is two percentage points.
        melanoma_sensitivity: largest loss at equal false alarms, see the module; of malignancy where the labels have no
            melanoma.
        auc: largest loss of the macro AUC.
        ece: largest rise of the calibration error (ECE).
        disagreement: largest share of images whose most probable class is another than the parent's.
        replicates: bootstrap resamples of lesions behind each interval.
        seed: their seed.
    """

    subject: ClassVar[str] = "gate"

    balanced_accuracy: Loss = 0.02
    melanoma_sensitivity: Loss = 0.03
    auc: Loss = 0.01
    ece: Loss = 0.02
    disagreement: Loss = 0.10
    replicates: Annotated[int, Field(ge=100, le=100_000)] = 1000
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0


class GateEntry(Result):
    """One thing that may be lost.

    Attributes:
        name: an entry of `Gate`.
        parent, child: the values of both; None where there is none.
        loss: how much worse the child is, with its paired interval.
        allowed: largest loss; None for one that isn't judged.
        verdict: by the rule of the module.
    """

    name: str
    parent: float | None
    child: float | None
    loss: Estimate
    allowed: float | None
    verdict: Verdict


class GateReport(Result):
    """A child against its parent.

    Attributes:
        images, lesions: of the validation part.
        entries: what was compared.
        replicates, seed: of the bootstrap.
    """

    images: int
    lesions: int
    entries: tuple[GateEntry, ...]
    replicates: int
    seed: int

    @property
    def verdict(self) -> Verdict:
        """'fail' if an entry fails, else 'undecided' if one is, else 'pass'."""
        found = {entry.verdict for entry in self.entries}
        return "fail" if "fail" in found else "undecided" if "undecided" in found else "pass"

    @property
    def reasons(self) -> tuple[str, ...]:
        """What kept it from passing, in words."""
        return tuple(_reason(entry) for entry in self.entries if entry.verdict in ("fail", "undecided"))


def check(
    parent: Predictions, child: Predictions, gate: Gate | None = None, *, points: Sequence[OperatingPoint]
) -> GateReport:
    """Judge a compressed file by its predictions of the validation part.

    Args:
        parent: what the network predicts that compression started from.
        child: what the compressed file predicts of the same images.
        gate: what may be lost; without it the defaults.
        points: the parent's operating points.

    Raises:
        DataError: they predict other images.
    """
    gate = gate or Gate()
    parent, child = align({"the parent": parent, "the compressed file": child}).values()
    found = {
        **_metrics(parent, child, gate),
        "melanoma_sensitivity": _sensitivity(parent, child, gate, points),
        "disagreement": _disagreement(parent, child, gate),
    }
    allowed = {name: getattr(gate, name) for name in found}
    if _task(parent) is None:
        allowed["melanoma_sensitivity"] = None  # the labels know of no risk
    entries = (_judged(name, *found[name], allowed[name]) for name in Gate.model_fields if name in found)
    return GateReport(
        images=len(parent),
        lesions=len(set(parent.groups)),
        entries=tuple(entries),
        replicates=gate.replicates,
        seed=gate.seed,
    )


Compared = tuple[float | None, float | None, Estimate]
"""Value of the parent, value of the child, and the loss."""
_METRICS = {"balanced_accuracy": ("balanced_accuracy", 1), "auc": ("auc.macro", 1), "ece": ("ece", -1)}
"""Metric by entry, and whether a higher value is the better one."""


def _judged(name: str, parent: float | None, child: float | None, loss: Estimate, allowed: float | None) -> GateEntry:
    verdict: Verdict = "undecided"
    if allowed is None:
        verdict = "not judged"
    elif loss.high is not None and loss.high <= allowed:
        verdict = "pass"
    elif loss.low is not None and loss.low > allowed:
        verdict = "fail"
    return GateEntry(name=name, parent=parent, child=child, loss=loss, allowed=allowed, verdict=verdict)


def _metrics(parent: Predictions, child: Predictions, gate: Gate) -> dict[str, Compared]:
    """Losses of the catalogue's metrics."""
    scorers = [_scorer(parent), _scorer(child)]
    plain = [scorer(np.ones((1, len(parent)))) for scorer in scorers]
    drawn = [bootstrap(scorer, parent.labels, parent.groups, gate.replicates, gate.seed) or {} for scorer in scorers]
    lesions = Lesions(scorers[0], parent.groups)
    found = {}
    for name, (metric, sign) in _METRICS.items():
        values = [float(side[metric][0]) for side in plain]
        many = sign * (drawn[0][metric] - drawn[1][metric])
        found[name] = _compared(values[0], values[1], sign, many, lesions.behind(metric))
    return found


def _scorer(predictions: Predictions) -> Scorer:
    return Scorer(view(predictions, KEY[0]), task_of(predictions, KEY[1]), predictions.labels)


def _sensitivity(parent: Predictions, child: Predictions, gate: Gate, points: Sequence[OperatingPoint]) -> Compared:
    """Loss of sensitivity at the parent's operating point and at the child's threshold with no more false alarms."""
    task = _task(parent)
    point = next((point for point in points if point.target == task), None)
    if task is None or point is None:
        return None, None, Estimate(value=None, note=f"the parent has no operating point for {task or 'any risk'}")
    score, positive = operating_points.scores(parent, task, point.view)
    alarms = int((score[~positive] >= point.threshold).sum())
    hits = np.stack(
        [
            _flagged(one, positive, alarms) & positive
            for one in (score, operating_points.scores(child, task, point.view)[0])
        ],
        axis=1,
    )

    def shares(weights: Array) -> Array:
        return (weights @ hits) / (weights @ positive)[:, None]

    values = shares(np.ones((1, len(parent))))[0]
    many = bootstrap(shares, parent.labels, parent.groups, gate.replicates, gate.seed)
    assert many is not None  # a gate has resamples
    lesions = len(set(parent.groups[positive]))
    return _compared(float(values[0]), float(values[1]), 1, many[:, 0] - many[:, 1], [lesions])


def _task(predictions: Predictions) -> str | None:
    """Whose sensitivity counts: melanoma's, or malignancy's where the labels have no melanoma."""
    known = tasks_of(predictions)
    return next((task for task in ("melanoma", "malignancy") if task in known), None)


def _flagged(score: Array, positive: NDArray[np.bool_], alarms: int) -> NDArray[np.bool_]:
    """What the lowest threshold flags at which no more than so many negatives are flagged."""
    ordered = np.sort(score[~positive])[::-1]
    return score > (ordered[alarms] if alarms < len(ordered) else -np.inf)


def _disagreement(parent: Predictions, child: Predictions, gate: Gate) -> Compared:
    """Share of images with another most probable class."""
    differs = parent.probabilities.argmax(axis=1) != child.probabilities.argmax(axis=1)
    many = bootstrap(
        lambda weights: ratio(weights @ differs, weights.sum(axis=1)),
        parent.labels,
        parent.groups,
        gate.replicates,
        gate.seed,
    )
    lesions = len(set(parent.groups))
    loss = estimate(float(differs.mean()), many, [lesions], trials=lesions)
    return None, None, loss


def _compared(parent: float, child: float, sign: int, drawn: Array, lesions: list[int]) -> Compared:
    """Both values and the loss; where no resample differs, neither does any image, and the interval is the loss."""
    value = sign * (parent - child)
    if not np.isfinite(value):
        return None, None, Estimate(value=None, note="undefined for one of the two")
    if min(lesions) < 2:
        loss = Estimate(value=value, note="no interval: based on a single lesion of a class")
    elif not np.isfinite(drawn).all():
        loss = Estimate(value=value, note="no interval: undefined in some resamples")
    elif (error := float(drawn.std(ddof=1))) < 1e-12:
        loss = Estimate(value=value, low=value, high=value, note="the same in every resample")
    else:
        low, high = interval(value, error, lesions, SCALES["difference"])
        loss = Estimate(value=value, low=low, high=high)
    return parent, child, loss


def _reason(entry: GateEntry) -> str:
    name = entry.name.replace("_", " ")
    if entry.loss.low is None:
        return f"{name}: {entry.loss.note or 'no interval'}"
    return f"{name}: loss {entry.loss}, allowed {entry.allowed:g}: {entry.verdict}"
