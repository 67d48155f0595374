"""The first statement of a report: what the product's own default answers are worth on these images.

It speaks of what `classify` prints without a stated prevalence: the decision at the model's own threshold and the most
probable diagnosis, both at the balanced prior. Counts come first; no word of praise is given, and one of warning where
the counts ask for it.
"""

from dataclasses import dataclass

from lentigo.evaluation.result import Estimate
from lentigo.evaluation.subgroups.fairness import Group
from lentigo.report.document import Statement
from lentigo.report.subject import Subject
from lentigo.report.words import in_brackets, natural_frequency, versus

__all__ = ["in_short", "melanoma_named", "named", "worst_group"]

FEWEST = 5
"""Melanoma lesions from which on a group is named as the worst: a rate of fewer says nothing."""
NOT_PEOPLE = ("dx_type",)
"""What images are grouped by that is no group of patients, sites or cameras."""


def in_short(subject: Subject) -> Statement:
    """Images, missed melanomas and false alarms; then the diagnosis; then the worst group; then what it can't do."""
    warning = _warning(subject)
    sentences = [_counted(subject), warning, named(subject), _worst(subject), _never(subject)]
    return Statement(label="In short", text=" ".join(s for s in sentences if s), alarm=bool(warning))


def _counted(subject: Subject) -> str:
    what = subject.metrics.provenance
    where = f"On {what.images:,} images of {what.groups:,} lesions"
    melanomas = what.images_of["mel"]
    others = what.images - melanomas
    if not melanomas or not others:
        lacking = "shows a melanoma, so that misses" if others else "shows anything else, so that false alarms"
        return f"{where}: none {lacking} can't be counted."
    named = melanoma_named(subject)
    own = [at for at in subject.evidence.bundle_points if at.point.task == "melanoma"]
    if not own:
        return f"{where} {named}, going by the most probable diagnosis at the balanced prior, as `classify` does."
    at = own[0]
    missed, alarms = (in_brackets(rate, complement=True) for rate in (at.sensitivity, at.specificity))
    return (
        f"{where} it missed {at.false_negatives:,} of {melanomas:,} melanomas {missed} and raised "
        f"{at.false_positives:,} false alarms on {others:,} others {alarms}, going by its own threshold as "
        f"`classify` does. Going by the most probable diagnosis, {named}."
    )


def melanoma_named(subject: Subject) -> str:
    """Misses and false alarms where 'melanoma' is the most probable diagnosis at the balanced prior."""
    metrics = subject.metrics
    found = metrics.views["equal_prevalence"]["diagnosis"]
    k = found.classes.index("mel")
    hits, melanomas, called = found.confusion[k][k], sum(found.confusion[k]), sum(row[k] for row in found.confusion)
    missed, alarms = (in_brackets(metrics.get(name), complement=True) for name in ("recall.mel", "specificity.mel"))
    return (
        f"it missed {melanomas - hits:,} of {melanomas:,} melanomas {missed} and called {called - hits:,} of "
        f"{metrics.provenance.images - melanomas:,} others melanoma {alarms}"
    )


def _warning(subject: Subject) -> str:
    """What must be reported for a poor model, in the plainest words; nothing of another."""
    balanced, ranked, recall = (subject.metrics.get(n) for n in ("balanced_accuracy", "auc.mel", "recall.mel"))
    found = []
    if not _above(balanced, 1 / _present(subject)):
        found.append("it is not shown to name diagnoses better than guessing")
    elif not _above(balanced, 0.5, value_alone=True):
        found.append("averaged over the diagnoses it is wrong more often than right")
    if ranked.value is not None and not _above(ranked, 0.5):
        found.append("it is not shown to tell melanomas from other lesions")
    if recall.value is not None and recall.value < 0.5:
        found.append("it names most melanomas as something else")
    return f"A poor model: {'; '.join(found)}." if found else ""


def _above(found: Estimate, baseline: float, *, value_alone: bool = False) -> bool:
    """Whether a share lies above a baseline, with its whole interval where it has one."""
    least = found.value if value_alone or found.low is None else found.low
    return least is not None and least > baseline


def _present(subject: Subject) -> int:
    """Diagnoses that these images show."""
    return sum(n > 0 for n in subject.metrics.provenance.images_of.values())


def named(subject: Subject) -> str:
    """How often the most probable diagnosis at the balanced prior is correct, beside what needs no model."""
    accuracy, always, balanced = (
        subject.metrics.get(name) for name in ("accuracy", "majority_class_baseline.nv", "balanced_accuracy")
    )
    present, baseline = _present(subject), always.value or 0.0
    correct, averaged = natural_frequency(accuracy), natural_frequency(balanced)
    return (
        f"The most probable of its {len(subject.metrics.provenance.images_of)} diagnoses at the balanced prior, its "
        f"default, is correct for {correct} of 100 of these images; always naming nevus would be correct for "
        f"{100 * baseline:.0f}: against that it is {versus(accuracy, baseline)}. Averaged over the {present} diagnoses "
        f"that are here it is correct for {averaged} of 100; guessing would be for {100 / present:.0f}."
    )


@dataclass(frozen=True)
class WorstGroup:
    """The group in which the smallest share of melanomas is called melanoma.

    Attributes:
        factor: what the images are grouped by, such as 'site'.
        group: the group, with its counts.
        recall: share of its melanomas that are called melanoma.
        beyond_chance: whether chance can't explain how far it lies below the best group.
    """

    factor: str
    group: Group
    recall: Estimate
    beyond_chance: bool


def worst_group(subject: Subject) -> WorstGroup | None:
    """Of all groups of patients, sites and cameras with `FEWEST` melanoma lesions or more; None if there are none."""
    found = []
    for factor, f in subject.evidence.fairness.factors.items() if subject.evidence.fairness else ():
        if factor in NOT_PEOPLE:
            continue
        gap = f.gaps["recall.mel"]
        for group in f.groups:
            recall = group.values["recall.mel"]
            if recall.value is not None and group.lesions_of["mel"] >= FEWEST:
                beyond = gap.worst == group.name and bool(gap.difference.low)
                found.append(WorstGroup(factor, group, recall, beyond))
    return min(found, key=lambda w: w.recall.value or 0.0, default=None)


def _worst(subject: Subject) -> str:
    worst = worst_group(subject)
    if worst is None:
        return "Whether it is worse for some people, sites or cameras is unknown."
    why = "beyond chance fewer than in the best group" if worst.beyond_chance else "how far chance explains it is open"
    factor, lesions = worst.factor.replace("_", " "), worst.group.lesions_of["mel"]
    recognised = natural_frequency(worst.recall)
    return (
        f"Worst group: {factor} {worst.group.name}, where it names {recognised} of 100 melanomas as such "
        f"({lesions:,} melanoma lesions; {why})."
    )


def _never(subject: Subject) -> str:
    return (
        "It can't rule a melanoma out, judge a disease outside of its "
        f"{len(subject.metrics.provenance.images_of)} diagnoses, or replace a clinician."
    )
