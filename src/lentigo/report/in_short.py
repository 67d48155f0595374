"""The first statement of a report: what the product's own default answers are worth on these images.

It describes what `classify` prints without a stated prevalence: the decision at the model's own threshold and the most
probable diagnosis, both at the balanced prior. Counts come first; there is no praise, and a warning where
the counts call for one.
"""

from dataclasses import dataclass

from lentigo.evaluation.result import Estimate
from lentigo.evaluation.subgroups.fairness import Group
from lentigo.report.document import Statement
from lentigo.report.subject import Subject
from lentigo.report.words import in_brackets, natural_frequency, plural, versus

__all__ = ["WorstGroup", "in_short", "mistaken", "named", "worst_group"]

FEWEST = 5
"""Lesions of the class that must not be missed that a group needs to be named as the worst."""
NOT_PEOPLE = ("dx_type",)
"""What images are grouped by other than patients, sites and cameras."""


def in_short(subject: Subject) -> Statement:
    """Images, missed melanomas and false alarms; then the diagnosis; then the worst group; then what it can't do."""
    warning = _warning(subject)
    sentences = [_counted(subject), warning, named(subject), _worst(subject), _never(subject)]
    return Statement(label="In short", text=" ".join(s for s in sentences if s), alarm=bool(warning))


def _counted(subject: Subject) -> str:
    what = subject.metrics.provenance
    where, alarm = f"On {what.images:,} images of {what.groups:,} lesions", what.label_set.alarm
    if alarm is None:
        return f"{where} no class is marked as the one not to be missed, so misses can't be counted."
    positives, name = what.images_of[alarm], what.label_set[alarm].name
    negatives = what.images - positives
    if not positives or not negatives:
        lacking = f"shows {name}, so that misses" if negatives else f"shows anything but {name}, so that false alarms"
        return f"{where}: none {lacking} can't be counted."
    own = [at for at in subject.evidence.bundle_points if at.point.task in ("melanoma", alarm)]
    if not own:
        return f"{where} {mistaken(subject)}, going by its most probable diagnosis at the balanced prior, its default."
    at = own[0]
    missed, alarms = (in_brackets(rate, complement=True) for rate in (at.sensitivity, at.specificity))
    return (
        f"{where} it missed {at.false_negatives:,} of {positives:,} {plural(name)} {missed} and raised "
        f"{at.false_positives:,} false alarms on {negatives:,} others {alarms}, going by its own threshold as classify "
        f"does. Going by the most probable diagnosis, {mistaken(subject)}."
    )


def mistaken(subject: Subject) -> str:
    """Misses and false alarms where going by the most probable diagnosis at the balanced prior."""
    metrics = subject.metrics
    what, found = metrics.provenance, metrics.views["equal_prevalence"]["diagnosis"]
    alarm = what.label_set.alarm
    if alarm is None:
        return "it has no class that must not be missed"
    k, name = found.classes.index(alarm), what.label_set[alarm].name
    hits, positives, called = found.confusion[k][k], sum(found.confusion[k]), sum(row[k] for row in found.confusion)
    rates = (metrics.get(f"{metric}.{alarm}") for metric in ("recall", "specificity"))
    missed, alarms = (in_brackets(rate, complement=True) for rate in rates)
    return (
        f"it missed {positives - hits:,} of {positives:,} {plural(name)} {missed} and called {called - hits:,} of "
        f"{what.images - positives:,} others {name} {alarms}"
    )


def _warning(subject: Subject) -> str:
    """A plain warning about a poor model; empty for any other."""
    labels = subject.metrics.provenance.label_set
    balanced, found = subject.metrics.get("balanced_accuracy"), []
    if not _above(balanced, 1 / _present(subject)):
        found.append("it is not shown to name diagnoses better than guessing")
    elif not _above(balanced, 0.5, value_alone=True):
        found.append("averaged over the diagnoses it is wrong more often than correct")
    if labels.alarm is not None:
        ranked, recall = (subject.metrics.get(f"{metric}.{labels.alarm}") for metric in ("auc", "recall"))
        name = plural(labels[labels.alarm].name)
        if ranked.value is not None and not _above(ranked, 0.5):
            found.append(f"it is not shown to distinguish {name} from other lesions")
        if recall.value is not None and recall.value < 0.5:
            found.append(f"it names most {name} as something else")
    return f"A poor model: {'; '.join(found)}." if found else ""


def _above(found: Estimate, baseline: float, *, value_alone: bool = False) -> bool:
    """Whether a share is above a baseline, with its whole interval where it has one."""
    least = found.value if value_alone or found.low is None else found.low
    return least is not None and least > baseline


def _present(subject: Subject) -> int:
    """Diagnoses that these images show."""
    return sum(n > 0 for n in subject.metrics.provenance.images_of.values())


def named(subject: Subject) -> str:
    """How often the most probable diagnosis at the balanced prior is right, beside what needs no model."""
    what = subject.metrics.provenance
    accuracy, always, balanced = (
        subject.metrics.get(name)
        for name in ("accuracy", f"majority_class_baseline.{what.majority}", "balanced_accuracy")
    )
    present, baseline = _present(subject), always.value or 0.0
    correct, averaged = natural_frequency(accuracy), natural_frequency(balanced)
    return (
        f"The most probable of its {len(what.label_set)} diagnoses at the balanced prior, its default, is correct for "
        f"{correct} of 100 of these images; always naming {what.label_set[what.majority].name} would be correct for "
        f"{100 * baseline:.0f}: against that it is {versus(accuracy, baseline)}. Averaged over the {present} diagnoses "
        f"that are here it is correct for {averaged} of 100; guessing would be for {100 / present:.0f}."
    )


@dataclass(frozen=True)
class WorstGroup:
    """The group in which the smallest share of what must not be missed is named as such.

    Attributes:
        factor: what the images are grouped by, such as 'site'.
        group: the group, with its counts.
        recall: share of its melanomas that are called melanoma.
        beyond_chance: whether chance can't explain how far it is below the best group.
    """

    factor: str
    group: Group
    recall: Estimate
    beyond_chance: bool


def worst_group(subject: Subject) -> WorstGroup | None:
    """Of all groups of patients, sites and cameras with `FEWEST` melanoma lesions or more; None if there are none."""
    alarm, found = subject.metrics.provenance.label_set.alarm, []
    for factor, f in subject.evidence.fairness.factors.items() if alarm and subject.evidence.fairness else ():
        if factor in NOT_PEOPLE:
            continue
        gap = f.gaps[f"recall.{alarm}"]
        for group in f.groups:
            recall = group.values[f"recall.{alarm}"]
            if recall.value is not None and group.lesions_of[alarm or ""] >= FEWEST:
                beyond = gap.worst == group.name and bool(gap.difference.low)
                found.append(WorstGroup(factor, group, recall, beyond))
    return min(found, key=lambda w: w.recall.value or 0.0, default=None)


def _worst(subject: Subject) -> str:
    worst, labels = worst_group(subject), subject.metrics.provenance.label_set
    if worst is None or labels.alarm is None:
        return "Whether it is worse for some people, sites or cameras is unknown."
    why = "beyond chance fewer than in the best group" if worst.beyond_chance else "chance may explain this"
    factor, lesions = worst.factor.replace("_", " "), worst.group.lesions_of[labels.alarm]
    name, recognised = labels[labels.alarm].name, natural_frequency(worst.recall)
    return (
        f"Worst group: {factor} {worst.group.name}, where it names {recognised} of 100 {plural(name)} as such "
        f"({lesions:,} lesions of {name}; {why})."
    )


def _never(subject: Subject) -> str:
    labels = subject.metrics.provenance.label_set
    out = f"rule {labels[labels.alarm].name} out, " if labels.alarm else ""
    return f"It can't {out}recognise a disease outside its {len(labels)} diagnoses, or replace a clinician."
