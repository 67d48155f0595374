"""The first screen: in plain words what the model can and can't do. Every sentence is computed."""

import numpy as np
import pandas as pd

from lentigo.evaluation.subgroups.at_threshold import BEHIND, LESIONS, behind
from lentigo.evaluation.tasks import view
from lentigo.report.curves import balance
from lentigo.report.document import Statement
from lentigo.report.in_short import in_short, named
from lentigo.report.subject import Subject
from lentigo.report.words import natural_frequency, plural, points, versus
from lentigo.runtime import NOTICE

__all__ = ["MISSES_MORE", "first_screen"]

MISSES_MORE = "Misses more in some groups"
"""Label of the statement that names groups which a threshold serves worse."""

FEW_LESIONS = 30
"""Below this many lesions a diagnosis is named as hardly represented."""
PALE = ("ham10000", "isic", "dermamnist", "medmnist", "hmnist")
"""Data sets, by the beginning of their name, that are known to hold almost no dark skin."""
LEANS = 0.01
"""Difference of confidence and accuracy from which a model is called overconfident or underconfident."""


def first_screen(subject: Subject) -> tuple[Statement, ...]:
    """What a reader must know before any table."""
    return (
        *_leak(subject),
        in_short(subject),
        *_alarm(subject),
        _accuracy(subject),
        _calibration(subject),
        *_unequal(subject),
        *_behind(subject),
        _represented(subject),
        Statement(label="What this is", text=NOTICE),
    )


def _leak(subject: Subject) -> list[Statement]:
    what = subject.metrics.provenance
    if what.leaky:
        text = (
            f"The protocol {what.protocol} allows images of the same lesion in training and in this test part. "
            "Every number on this page is too good to be true and must not be quoted as performance."
        )
        return [Statement(label="LEAKY PROTOCOL", text=text, alarm=True)]
    if what.leaky is None:
        text = "It is unknown whether the model has seen these lesions in training. Trust no number here yet."
        return [Statement(label="Origin unknown", text=text, alarm=True)]
    return []


def _alarm(subject: Subject) -> list[Statement]:
    """How well what must not be missed is found, at thresholds that are read off these images and at its own."""
    what = subject.metrics.provenance
    alarm = what.label_set.alarm
    if alarm is None:
        return []
    name = what.label_set[alarm].name
    label = name[0].upper() + name[1:]
    if what.images_of[alarm] in (0, what.images):
        text = f"Not measurable: {'no image shows' if what.images_of[alarm] == 0 else 'every image shows'} {name}."
        return [Statement(label=label, text=text, alarm=True)]
    ranked, at_specificity, at_sensitivity = (
        subject.metrics.get(f"{metric}.{alarm}")
        for metric in ("auc", "sensitivity_at_80_specificity", "specificity_at_95_sensitivity")
    )
    text = (
        f"It ranks {name} above another lesion in {natural_frequency(ranked)} of 100 pairs (chance: 50). Of 100 "
        f"{plural(name)} it finds {natural_frequency(at_specificity)} where 20 of 100 other lesions are false "
        f"positives. To find 95 of 100, it flags {natural_frequency(at_sensitivity, complement=True)} of 100 others "
        "falsely. (Both thresholds were chosen on these images: one fixed in advance tends to perform worse.)"
    )
    return [Statement(label=label, text=text), *_at_points(subject)]


def _at_points(subject: Subject) -> list[Statement]:
    found = []
    for at in subject.evidence.bundle_points:
        name = "melanomas" if at.point.task == "melanoma" else "malignant lesions"
        text = (
            f"At its own threshold, set on validation images to find {100 * at.point.target:.0f} of 100 "
            f"{name}, it finds {natural_frequency(at.sensitivity)} and flags "
            f"{natural_frequency(at.specificity, complement=True)} of 100 other lesions falsely."
        )
        clinic = at.at_clinical_prevalence
        if clinic is not None and clinic.ppv.value:
            text += (
                f" Where {100 * clinic.prevalence:.0f} of 100 lesions are {name} (assumed, not measured), "
                f"{natural_frequency(clinic.ppv)} of 100 flagged lesions would be."
            )
        found.append(Statement(label=f"Threshold: {at.point.task}", text=text))
    return found


def _accuracy(subject: Subject) -> Statement:
    """The default view first, then the other one."""
    text, what = named(subject), subject.metrics.provenance
    if "training_prevalence" in subject.metrics.views:
        accuracy, always = (
            subject.metrics.get(name, view="training_prevalence")
            for name in ("accuracy", f"majority_class_baseline.{what.majority}")
        )
        text += (
            f" At the training prior instead, which classify takes if that prevalence is stated, it is correct for "
            f"{natural_frequency(accuracy)} of 100 of these images: against always naming "
            f"{what.label_set[what.majority].name} it is {versus(accuracy, always.value or 0.0)}."
        )
    return Statement(label="Naming the diagnosis", text=text)


def _calibration(subject: Subject) -> Statement:
    error = subject.metrics.get("ece")
    seen, labels = view(subject.predictions, "equal_prevalence"), subject.predictions.labels
    sure = np.average(seen.probabilities.max(axis=1), weights=balance(labels))
    right = np.average(seen.probabilities.argmax(axis=1) == labels, weights=balance(labels))
    if abs(sure - right) < LEANS:
        lean = "on average neither over- nor underconfident"
    else:
        lean = (
            f"{'over' if sure > right else 'under'}confident: {sure:.0%} confident on average, and correct "
            f"in {right:.0%}"
        )
    chance = ", no more than expected by chance of a perfectly calibrated model" if error.low == 0 else ""
    text = f"At the balanced prior, its default, its percentages are off by {points(error)}{chance}; it is {lean}."
    if "training_prevalence" in subject.metrics.views:
        turned = subject.metrics.get("ece", view="training_prevalence")
        text += f" At the training prior they are off by {points(turned)}."
    return Statement(label="Can its percentages be believed?", text=text)


def _unequal(subject: Subject) -> list[Statement]:
    """Differences between groups of people or cameras that chance can't explain."""
    what, differing = subject.metrics.provenance, []
    alarm = what.label_set.alarm
    metrics = (*((f"recall.{alarm}", f"auc.{alarm}") if alarm else ()), "balanced_accuracy")
    for factor, found in subject.evidence.fairness.factors.items() if subject.evidence.fairness else ():
        values = {g.name: g.values for g in found.groups}
        for metric in metrics:
            gap = found.gaps[metric]
            if factor != "dx_type" and gap.best and gap.worst and gap.difference.low:
                best, worst = (natural_frequency(values[name][metric]) for name in (gap.best, gap.worst))
                by = f"in {what.label(metric).lower().replace('auc', 'AUC')} by {factor.replace('_', ' ')}"
                differing.append(f"{by}: {gap.worst} {worst} of 100, {gap.best} {best}")
    if not differing:
        return []
    text = f"Beyond chance it differs {'; '.join(differing)}. See 'Who is in these images' below."
    return [Statement(label="Worse for some", text=text)]


def _behind(subject: Subject) -> list[Statement]:
    """Groups in which the model's own threshold misses clearly more, whether or not chance explains it."""
    found = []
    for at in subject.evidence.bundle_points:
        if worse := behind(subject.predictions, at.point):
            name = "melanomas" if at.point.task == "melanoma" else "malignant lesions"
            listed = ", ".join(f"{group.factor} {group.name} {group.found} of {group.positives}" for group in worse)
            positives = at.true_positives + at.false_negatives
            text = (
                f"At its own threshold it finds {at.true_positives} of {positives} {name}; in these groups a share "
                f"more than {100 * BEHIND:.0f} points lower: {listed}. (Groups of at least {LESIONS} lesions; where "
                f"{name} are few, chance may explain it.)"
            )
            found.append(Statement(label=f"{MISSES_MORE}: {at.point.task}", text=text, alarm=True))
    return found


def _represented(subject: Subject) -> Statement:
    what, table = subject.metrics.provenance, subject.predictions.table
    lacking = []
    if subject.data.lower().startswith(PALE):
        lacking.append("people with dark skin (almost none in these images)")
    else:
        lacking.append("skin tones (unknown here)")
    if "age" in table and table["age"].notna().any():
        age = pd.to_numeric(table["age"], errors="coerce")
        lacking.append(f"people under 20 ({int((age < 20).sum())} images)")
    names = {label.id: label.name for label in what.label_set.labels}
    scarce = [f"{names[c]} ({n} lesions)" for c, n in what.groups_of.items() if 0 < n < FEW_LESIONS]
    absent = [f"{names[c]} (none)" for c, n in what.groups_of.items() if n == 0]
    lacking += absent + scarce
    text = (
        f"Not or barely represented: {', '.join(lacking)}. For them, and for any disease outside its "
        f"{len(names)} diagnoses, this page says nothing."
    )
    return Statement(label="Who is missing", text=text)
