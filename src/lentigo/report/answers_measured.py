"""Further answers, out of what was measured beside the metrics: groups, out-of-distribution images, worse images."""

from collections.abc import Callable

from lentigo.report.first_screen import first_screen
from lentigo.report.subject import Subject
from lentigo.report.words import number

__all__ = ["MEASURED"]


def _groups(subject: Subject) -> str | None:
    found = subject.evidence.fairness
    known = [name for name, f in found.factors.items() if f.groups] if found else []
    if not known:
        return None
    told = [s.text for s in first_screen(subject) if s.label == "Worse for some"]
    return f"Every headline metric by {', '.join(known)}, with counts, intervals and gaps. " + " ".join(
        told or ["No gap beyond chance was shown, which is not equality."]
    )


def _sources_differ(subject: Subject) -> str | None:
    found = subject.evidence.fairness
    alarm = subject.predictions.label_set.alarm
    gap = found.factors["source"].gaps[f"auc.{alarm}"] if found and alarm else None
    if gap is None or gap.best is None:
        return None
    label = subject.metrics.provenance.label(f"auc.{alarm}")
    return f"Sources compared. {label}: best {gap.best}, worst {gap.worst}, difference {gap.difference}."


def _ood_rejections(subject: Subject) -> str | None:
    found = subject.evidence.ood_rejections
    if found is None:
        return None
    return (
        f"An image whose OOD score exceeds {found.threshold:.3f} is not graded. Real lesions rejected here: "
        f"{number(found.share)}. How many non-lesion images it rejects is not measured here."
    )


def _robustness(subject: Subject) -> str | None:
    found = subject.evidence.robustness
    if found is None:
        return None
    worst = {name: number(curve.points[-1].balanced_accuracy_change) for name, curve in found.curves.items()}
    changes = "; ".join(f"{name} {change}" for name, change in worst.items())
    return f"Eight perturbations at five severities. Change of balanced accuracy at the highest: {changes}."


MEASURED: dict[str, Callable[[Subject], str | None]] = {
    "groups": _groups,
    "ood_rejections": _ood_rejections,
    "robustness": _robustness,
    "sources_differ": _sources_differ,
}
"""Answers by the name that the checklists' items give."""
