"""Risks against the thresholds of a model: what is decided, in which view, and in which words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lentigo.labels import LabelSet
from lentigo.runtime.bundle import OperatingPoint

__all__ = [
    "BALANCED_PRIOR",
    "DECISIONS",
    "NEGATIVE",
    "NOT_GRADABLE",
    "NO_THRESHOLD",
    "STATED_PREVALENCE",
    "SUSPICIOUS",
    "TARGETS",
    "Risk",
    "decide",
    "risks",
    "threshold_words",
    "views_differ",
]

SUSPICIOUS = "suspicious"
NEGATIVE = "negative at threshold"
NO_THRESHOLD = "no threshold"
NOT_GRADABLE = "not gradable"
DECISIONS = (SUSPICIOUS, NEGATIVE, NO_THRESHOLD, NOT_GRADABLE)
"""Everything that a verdict can decide. None of them says that a lesion is harmless."""

BALANCED_PRIOR = "balanced prior"
"""View in which every diagnosis of the model is equally common. Thresholds are chosen in it."""
STATED_PREVALENCE = "stated prevalence"
"""View in which each diagnosis is as common as the caller says."""

TARGETS = ("melanoma", "malignancy")


@dataclass(frozen=True)
class Risk:
    """The risk of one target.

    Attributes:
        at_balanced_prior: probability at balanced prior, 0 to 1. It is compared with the threshold.
        at_stated_prevalence: the same by Bayes' rule for the stated prevalence; None where none was stated.
        threshold: at balanced prior; from it on a lesion is suspicious. None where the model has none for the target.
        target_sensitivity: what the threshold was chosen for on validation; None where there is none.
    """

    at_balanced_prior: float
    at_stated_prevalence: float | None
    threshold: float | None
    target_sensitivity: float | None

    @property
    def suspicious(self) -> bool | None:
        """Whether the risk reaches its threshold; None without one."""
        return None if self.threshold is None else self.at_balanced_prior >= self.threshold


def members(target: str, labels: LabelSet) -> tuple[str, ...]:
    """Ids of the diagnoses that make up a target; none where the model doesn't know it."""
    if target == "melanoma":
        return () if labels.melanoma is None else (labels.melanoma,)
    return labels.malignant if labels.knows_malignancy else ()


def risks(
    balanced: Mapping[str, float],
    stated: Mapping[str, float] | None,
    labels: LabelSet,
    points: Sequence[OperatingPoint],
) -> dict[str, Risk]:
    """The risk of each target that the model knows, with its threshold.

    Args:
        balanced: probabilities at balanced prior, by diagnosis id.
        stated: the same at the stated prevalence, or None.
        labels: the model's diagnoses.
        points: the model's operating points.
    """
    found = {}
    for target in TARGETS:
        ids = members(target, labels)
        if not ids:
            continue
        # Of several thresholds for a target the lowest misses least.
        point = min((p for p in points if p.target == target), key=lambda p: p.threshold, default=None)
        found[target] = Risk(
            at_balanced_prior=min(sum(balanced[c] for c in ids), 1.0),
            at_stated_prevalence=None if stated is None else min(sum(stated[c] for c in ids), 1.0),
            threshold=None if point is None else point.threshold,
            target_sensitivity=None if point is None else point.target_sensitivity,
        )
    return found


def decide(found: Mapping[str, Risk]) -> str:
    """'suspicious' if any risk reaches its threshold, 'no threshold' if there is none to reach."""
    reached = [risk.suspicious for risk in found.values() if risk.threshold is not None]
    if not reached:
        return NO_THRESHOLD
    return SUSPICIOUS if any(reached) else NEGATIVE


def views_differ(found: Mapping[str, Risk]) -> str:
    """A sentence where a risk at the stated prevalence lies on the other side of its threshold; else nothing."""
    words = [
        f"the {target} risk is {r.at_stated_prevalence:.4f} at {STATED_PREVALENCE} and {r.at_balanced_prior:.4f} at "
        f"{BALANCED_PRIOR}, where its threshold of {r.threshold:.4f} holds"
        for target, r in found.items()
        if r.threshold is not None
        and r.at_stated_prevalence is not None
        and (r.at_stated_prevalence >= r.threshold) != r.suspicious
    ]
    return f"Mind the views: {'; '.join(words)}." if words else ""


def threshold_words(points: Sequence[OperatingPoint]) -> str:
    """The thresholds in words, and that there is none where there is none."""
    lacking = [target for target in TARGETS if target not in {p.target for p in points}]
    if not points:
        return "this model has no threshold, so nothing is decided"
    words = [
        f"{p.target} risk of at least {p.threshold:.4f} at {BALANCED_PRIOR} (sensitivity {p.target_sensitivity:.2f} "
        "on validation)"
        for p in points
    ]
    return "; ".join([*words, *(f"no threshold for {target}" for target in lacking)])
