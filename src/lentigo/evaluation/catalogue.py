"""The table of metrics: a new metric is one entry of `METRICS`.

Scorers compute what is listed here, intervals take their scale from here, and every page, comparison and study takes
names, labels, the better direction and its choice of metrics from here.

A metric's full name is that of its entry, and after a dot a class, or 'macro', 'weighted', 'pairwise' for an average:
'auc.mel', 'auc.macro', 'balanced_accuracy'.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lentigo.errors import DataError
from lentigo.evaluation.metrics import confusion, ranking, reliability
from lentigo.labels import HAM10000, LabelSet

__all__ = [
    "METRICS",
    "PRIORS",
    "VIEW_LABELS",
    "VIEW_NOTE",
    "Kind",
    "Metric",
    "Place",
    "choice",
    "entry",
    "label",
    "of_kind",
]

Array = NDArray[np.float64]
Kind = Literal["decisions", "decisions of a class", "baseline", "ranking", "loss", "calibration"]
Place = Literal["headline", "class", "group", "compared", "compared_malignancy", "compared_training", "paper"]


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        name: in results and in `Metrics.get`.
        label: in tables, beginning in lower case where it isn't an abbreviation.
        kind: what `function` takes and gives:
            'decisions': `confusion.Decisions` to [R]; 'decisions of a class': the same to [R, K];
            'baseline': `confusion.Decisions` and the position of the majority class to [R];
            'ranking': true and false positives of one class at each threshold [R, T + 1], twice, to [R];
            'loss': probabilities and truth [N, K], twice, to the loss of each image [N];
            'calibration': probabilities and weights of the images [N], twice, to the bin of each [N].
        function: computes it, under R weightings of the images at once.
        averages: over classes that are given beside the classes themselves: 'macro', 'weighted', 'pairwise'.
        per_class: whether a calibration error is of each class's probability, binned by equal mass, as well.
        undefined_counts: what a class without a value, such as the precision of one that is never decided, counts as in
            averages.
        scale: on which it varies evenly, a key of `intervals.SCALES`.
        better: whether a higher or a lower value is the better one; '' where neither is.
        averages_classes: whether a metric of the decisions is an average over classes.
        rests_on: lesions that a class's value rests on: 'positives', 'negatives', or 'both'.
        share_of: lesions that a class's value is a plain share of, so that its interval at 0 or 1 is exact; '' if none.
        shown: where, by place, and there after a dot of which class or average; 'alarm' stands for the class that must
            not be missed, 'majority' for the commonest one.
    """

    name: str
    label: str
    kind: Kind
    function: Callable[..., Any]
    averages: tuple[str, ...] = ()
    per_class: bool = False
    undefined_counts: float = math.nan
    scale: str = "share"
    better: Literal["higher", "lower", ""] = "higher"
    averages_classes: bool = False
    rests_on: Literal["positives", "negatives", "both"] = "both"
    share_of: Literal["positives", "negatives", ""] = ""
    shown: Mapping[Place, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def needs_probabilities(self) -> bool:
        """Whether decisions alone are not enough."""
        return self.kind in ("ranking", "loss", "calibration")


def _brier(probabilities: Array, truth: NDArray[np.bool_]) -> Array:
    """As in scikit-learn: halved for two classes, so that it is between 0 and 1."""
    loss = ((probabilities - truth) ** 2).sum(axis=1)
    return loss / 2 if probabilities.shape[1] == 2 else loss


def _log_loss(probabilities: Array, truth: NDArray[np.bool_]) -> Array:
    eps = np.finfo(np.float64).eps
    return -np.log(np.clip(probabilities[truth], eps, 1 - eps))


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            Metric(
                "balanced_accuracy",
                "balanced accuracy",
                "decisions",
                confusion.balanced_accuracy,
                averages_classes=True,
                shown={"headline": ("",), "group": ("",), "compared": ("",), "paper": ("",)},
            ),
            Metric(
                "auc",
                "AUC",
                "ranking",
                ranking.auc,
                averages=("macro", "weighted", "pairwise"),
                shown={
                    "headline": ("macro",),
                    "class": ("",),
                    "group": ("macro", "alarm"),
                    "compared": ("macro",),
                    "compared_malignancy": ("alarm",),
                    "paper": ("macro",),
                },
            ),
            Metric(
                "sensitivity_at_80_specificity",
                "sensitivity at 0.80 specificity",
                "ranking",
                partial(ranking.sensitivity_at, specificity=0.80),
                share_of="positives",
                shown={"headline": ("alarm",), "compared": ("alarm",)},
            ),
            Metric(
                "specificity_at_95_sensitivity",
                "specificity at 0.95 sensitivity",
                "ranking",
                partial(ranking.specificity_at, sensitivity=0.95),
                share_of="negatives",
                shown={"headline": ("alarm",), "compared": ("alarm",)},
            ),
            Metric(
                "ece",
                "calibration error (ECE)",
                "calibration",
                lambda probabilities, _: reliability.equal_width(probabilities),
                averages=("macro",),
                per_class=True,
                better="lower",
                shown={"headline": ("",), "compared": ("",)},
            ),
            Metric(
                "accuracy",
                "accuracy",
                "decisions",
                confusion.accuracy,
                shown={"headline": ("",), "compared_training": ("",), "paper": ("",)},
            ),
            Metric(
                "majority_class_baseline",
                "majority-class baseline",
                "baseline",
                lambda d, majority: confusion.ratio(d.truth[:, majority], d.total),
                better="",
                shown={"headline": ("majority",), "paper": ("majority",)},
            ),
            Metric(
                "precision",
                "precision",
                "decisions of a class",
                confusion.precision,
                averages=("macro", "weighted"),
                undefined_counts=0.0,  # as in scikit-learn
                shown={"class": ("",)},
            ),
            Metric(
                "recall",
                "recall",
                "decisions of a class",
                confusion.recall,
                averages=("macro", "weighted"),
                rests_on="positives",
                share_of="positives",
                shown={"class": ("",), "group": ("alarm",)},
            ),
            Metric(
                "f1",
                "F1",
                "decisions of a class",
                confusion.f1,
                averages=("macro", "weighted"),
                shown={"class": ("",), "compared": ("macro",), "paper": ("macro",)},
            ),
            Metric(
                "specificity",
                "specificity",
                "decisions of a class",
                confusion.specificity,
                averages=("macro", "weighted"),
                rests_on="negatives",
                share_of="negatives",
                shown={"class": ("",), "group": ("alarm",)},
            ),
            Metric("mcc", "Matthews correlation", "decisions", confusion.mcc, scale="correlation"),
            Metric("kappa", "Cohen's kappa", "decisions", confusion.kappa, scale="correlation"),
            Metric(
                "average_precision",
                "average precision",
                "ranking",
                ranking.average_precision,
                averages=("macro", "weighted"),
            ),
            Metric("brier", "Brier score", "loss", _brier, scale="loss", better="lower"),
            Metric("log_loss", "log loss", "loss", _log_loss, scale="loss", better="lower", shown={"compared": ("",)}),
            Metric(
                "ece_equal_mass",
                "calibration error (ECE), bins of equal mass",
                "calibration",
                reliability.equal_mass,
                better="lower",
            ),
        )
    }
)
"""Every metric by name, in the order of pages."""

PRIORS: Mapping[str, str] = MappingProxyType(
    {"equal_prevalence": "balanced prior", "training_prevalence": "training prior"}
)
"""What a view is called in short."""
VIEW_LABELS: Mapping[str, str] = MappingProxyType(
    {view: f"decided at the {prior}, counted on these images" for view, prior in PRIORS.items()}
)
"""What a view is called over a column of numbers."""
VIEW_NOTE = (
    "Balanced prior: the probabilities treat all diagnoses as equally common, as classify does unless a prevalence "
    "is stated. Training prior: as common as in training, by Bayes' rule. Both columns use the case "
    "mix of these images; "
    "only scores of the probabilities themselves (ECE, Brier, log loss) weight each diagnosis equally at the "
    "balanced prior."
)
"""What the views are, once a page."""


def entry(name: str) -> Metric:
    """The entry of a metric's full name.

    Raises:
        DataError: there is none.
    """
    try:
        return METRICS[name.partition(".")[0]]
    except KeyError:
        raise DataError(f"Unknown metric {name!r}.", f"Known: {', '.join(METRICS)}.") from None


def of_kind(kind: Kind) -> tuple[Metric, ...]:
    """The entries of one kind."""
    return tuple(metric for metric in METRICS.values() if metric.kind == kind)


def label(name: str, label_set: LabelSet = HAM10000) -> str:
    """What a metric is called in a table, such as 'Melanoma AUC' or 'Macro F1'."""
    metric, answer = entry(name), name.partition(".")[2]
    if metric.kind == "baseline":
        text = f"{metric.label} (always {_of_class(answer, label_set)})"
    else:
        text = f"{_of_class(answer, label_set)} {metric.label}".strip()
    return text[0].upper() + text[1:]


def _of_class(answer: str, label_set: LabelSet) -> str:
    return label_set[answer].name if answer in label_set.classes else answer


def choice(place: Place, *, alarm: str | None, majority: str) -> tuple[str, ...]:
    """Full names of the metrics that a kind of page shows.

    Args:
        place: the kind of page.
        alarm: the class that must not be missed; None where there is none, and then its metrics are not shown.
        majority: the commonest class.
    """
    stands_for = {"alarm": alarm, "majority": majority}
    return tuple(
        f"{metric.name}.{stands_for.get(of, of)}".rstrip(".")
        for metric in METRICS.values()
        for of in metric.shown.get(place, ())
        if stands_for.get(of, of) is not None
    )
