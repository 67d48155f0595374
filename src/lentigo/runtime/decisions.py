"""A model's risks compared with its thresholds: the decision, the view it is made in, and its wording."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from lentigo.labels import LabelSet
from lentigo.runtime.metadata import OperatingPoint
from lentigo.texts import text

__all__ = [
    "BALANCED_PRIOR",
    "DECISIONS",
    "NEGATIVE",
    "NOT_GRADABLE",
    "NO_THRESHOLD",
    "STATED_PREVALENCE",
    "SUSPICIOUS",
    "TARGETS",
    "TRAINING_PREVALENCE",
    "Risk",
    "decide",
    "members",
    "printed",
    "risks",
    "threshold_words",
    "view_of",
    "views_differ",
]

SUSPICIOUS = "suspicious"
NEGATIVE = "negative at threshold"
NO_THRESHOLD = "no threshold"
NOT_GRADABLE = "not gradable"
DECISIONS = (SUSPICIOUS, NEGATIVE, NO_THRESHOLD, NOT_GRADABLE)
"""All possible decisions. None of them says that a lesion is harmless."""

BALANCED_PRIOR = "balanced prior"
"""View in which every diagnosis of the model is equally common."""
STATED_PREVALENCE = "stated prevalence"
"""View in which each diagnosis is as common as the caller says."""
TRAINING_PREVALENCE = "training prevalence"
"""View in which each diagnosis is as common as in the training part."""

TARGETS = ("melanoma", "malignancy")


@dataclass(frozen=True)
class Risk:
    """The risk of one target.

    Attributes:
        at_balanced_prior: probability at balanced prior, 0 to 1.
        at_stated_prevalence: the same by Bayes' rule for the stated prevalence; None where none was stated.
        threshold: a lesion is suspicious at this risk or above. None if the model has none for the target.
        threshold_view: the view that the threshold was chosen in and is compared in; None without a threshold.
        at_threshold_view: probability in that view; None without a threshold.
        target_sensitivity: the sensitivity on validation that the threshold was chosen for; None without one.
    """

    at_balanced_prior: float
    at_stated_prevalence: float | None
    threshold: float | None = None
    threshold_view: str | None = None
    at_threshold_view: float | None = None
    target_sensitivity: float | None = None

    @property
    def suspicious(self) -> bool | None:
        """Whether the risk reaches its threshold, in the threshold's view; None without one."""
        if self.threshold is None or self.at_threshold_view is None:
            return None
        return self.at_threshold_view >= self.threshold


def printed(probability: float | None, digits: int = 4) -> str:
    """A probability as text, never 0 or 1: no model is that certain. '-' for None."""
    if probability is None:
        return "-"
    least = 10.0**-digits
    if probability < least / 2:
        return f"<{least:.{digits}f}"
    return f">{1 - least:.{digits}f}" if probability >= 1 - least / 2 else f"{probability:.{digits}f}"


def members(target: str, labels: LabelSet) -> tuple[str, ...]:
    """Ids of the diagnoses that make up a target; none where the model doesn't know it."""
    if target == "melanoma":
        return () if labels.melanoma is None else (labels.melanoma,)
    return labels.malignant if labels.knows_malignancy else ()


def risks(
    balanced: Mapping[str, float],
    stated: Mapping[str, float] | None,
    training: Mapping[str, float],
    labels: LabelSet,
    points: Sequence[OperatingPoint],
) -> dict[str, Risk]:
    """The risk of each target that the model knows, with its threshold.

    Args:
        balanced: probabilities at balanced prior, by diagnosis id.
        stated: the same at the stated prevalence, or None.
        training: the same at the prevalence of the training part.
        labels: the model's diagnoses.
        points: the model's operating points.
    """
    views = {BALANCED_PRIOR: balanced, TRAINING_PREVALENCE: training}
    found = {}
    for target in TARGETS:
        ids = members(target, labels)
        if not ids:
            continue
        at = {view: min(sum(probabilities[c] for c in ids), 1.0) for view, probabilities in views.items()}
        plain = Risk(at[BALANCED_PRIOR], None if stated is None else min(sum(stated[c] for c in ids), 1.0))
        with_threshold = [
            replace(
                plain,
                threshold=p.threshold,
                threshold_view=view_of(p),
                at_threshold_view=at[view_of(p)],
                target_sensitivity=p.target_sensitivity,
            )
            for p in points
            if p.target == target
        ]
        # With several thresholds for a target, reaching any of them is decisive.
        found[target] = max(with_threshold, key=_excess, default=plain)
    return found


def _excess(risk: Risk) -> float:
    return (risk.at_threshold_view or 0.0) - (risk.threshold or 0.0)


def view_of(point: OperatingPoint) -> str:
    """The view that a threshold was chosen in."""
    return TRAINING_PREVALENCE if getattr(point, "view", "") == "training_prevalence" else BALANCED_PRIOR


def decide(found: Mapping[str, Risk]) -> str:
    """'suspicious' if any risk reaches its threshold, 'no threshold' if there is none to reach."""
    reached = [risk.suspicious for risk in found.values() if risk.threshold is not None]
    if not reached:
        return NO_THRESHOLD
    return SUSPICIOUS if any(reached) else NEGATIVE


def views_differ(found: Mapping[str, Risk], language: str = "en") -> str:
    """A sentence if a risk at the stated prevalence is on the other side of its threshold; else nothing."""
    words = [
        text(
            "step.views_differ.one",
            language,
            target=text(f"target.{target}", language),
            stated=printed(r.at_stated_prevalence),
            decided=printed(r.at_threshold_view),
            view=text(f"view.{r.threshold_view}", language),
            threshold=f"{r.threshold:.4f}",
        )
        for target, r in found.items()
        if r.threshold is not None
        and r.at_stated_prevalence is not None
        and (r.at_stated_prevalence >= r.threshold) != r.suspicious
    ]
    return text("step.views_differ", language, which="; ".join(words)) if words else ""


def threshold_words(points: Sequence[OperatingPoint], labels: LabelSet, lacks: Mapping[str, str]) -> str:
    """The thresholds in words, including which targets lack one and why (`lacks`)."""
    if not points:
        reasons = "".join(f"; {target}: {reason}" for target, reason in lacks.items())
        return f"this model has no threshold, so it makes no decision{reasons}"
    lacking = [t for t in TARGETS if members(t, labels) and t not in {p.target for p in points}]
    words = [
        f"{p.target} risk of at least {p.threshold:.4f} at {view_of(p)} (sensitivity {p.target_sensitivity:.2f} "
        "on validation)"
        for p in points
    ]
    return "; ".join([*words, *(f"no threshold for {t}" + (f" ({lacks[t]})" if t in lacks else "") for t in lacking)])
