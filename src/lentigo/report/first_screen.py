"""The first screen: in plain words what the model can and can't do. Every sentence is computed."""

import numpy as np
import pandas as pd

from lentigo import taxonomy
from lentigo.evaluation.tasks import view
from lentigo.report.curves import balance
from lentigo.report.document import Statement
from lentigo.report.in_short import in_short, named
from lentigo.report.subject import Subject
from lentigo.report.words import natural_frequency, points, versus
from lentigo.runtime import NOTICE

__all__ = ["first_screen"]

FEW_LESIONS = 30
"""Below this many lesions a diagnosis is named as hardly represented."""
PALE = ("ham10000", "isic", "dermamnist", "medmnist", "hmnist")
"""Data sets, by the beginning of their name, that are known to hold almost no dark skin."""
LEANS = 0.01
"""Difference of confidence and accuracy from which a model is called too sure or too unsure."""


def first_screen(subject: Subject) -> tuple[Statement, ...]:
    """What a reader must know before any table."""
    return (
        *_leak(subject),
        in_short(subject),
        *_melanoma(subject),
        _accuracy(subject),
        _calibration(subject),
        *_unequal(subject),
        _represented(subject),
        Statement(label="What this is", text=NOTICE),
    )


def _leak(subject: Subject) -> list[Statement]:
    what = subject.metrics.provenance
    if what.leaky:
        text = (
            f"The protocol {what.protocol} lets images of one lesion lie in training and in this test. "
            "Every number on this page is too good to be true and must not be quoted as performance."
        )
        return [Statement(label="LEAKY PROTOCOL", text=text, alarm=True)]
    if what.leaky is None:
        text = (
            "These predictions don't say whether the model has seen these lesions in training. "
            "Trust no number here yet."
        )
        return [Statement(label="Origin unknown", text=text, alarm=True)]
    return []


def _melanoma(subject: Subject) -> list[Statement]:
    images = subject.metrics.provenance.images_of["mel"]
    if images in (0, len(subject.predictions)):
        text = f"Not measurable: {'no image shows' if images == 0 else 'every image shows'} a melanoma."
        return [Statement(label="Melanoma", text=text, alarm=True)]
    at_specificity = subject.metrics.get("sensitivity_at_80_specificity.mel")
    at_sensitivity = subject.metrics.get("specificity_at_95_sensitivity.mel")
    ranked = subject.metrics.get("auc.mel")
    text = (
        f"It ranks a melanoma above another lesion in {natural_frequency(ranked)} of 100 pairs (guessing: 50). "
        f"Of 100 melanomas it finds {natural_frequency(at_specificity)} where 20 of 100 other lesions are false "
        "positives. "
        f"To find 95 of 100, it flags {natural_frequency(at_sensitivity, complement=True)} of 100 others falsely. "
        "(Both thresholds are read off these very images: one that is fixed before tends to do worse.)"
    )
    return [Statement(label="Melanoma", text=text), *_at_points(subject)]


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
    text = named(subject)
    if "training_prevalence" in subject.metrics.views:
        accuracy = subject.metrics.get("accuracy", view="training_prevalence")
        baseline = subject.metrics.get("majority_class_baseline.nv", view="training_prevalence").value or 0.0
        text += (
            f" At the training prior instead, which `classify` takes if that prevalence is stated, it is correct for "
            f"{natural_frequency(accuracy)} of 100 of these images: against always naming nevus it is "
            f"{versus(accuracy, baseline)}."
        )
    return Statement(label="Naming the diagnosis", text=text)


def _calibration(subject: Subject) -> Statement:
    error = subject.metrics.get("ece")
    seen, labels = view(subject.predictions, "equal_prevalence"), subject.predictions.labels
    sure = np.average(seen.probabilities.max(axis=1), weights=balance(labels))
    right = np.average(seen.probabilities.argmax(axis=1) == labels, weights=balance(labels))
    if abs(sure - right) < LEANS:
        lean = "on the whole neither too sure nor too unsure"
    else:
        lean = f"too {'sure' if sure > right else 'unsure'}: {sure:.0%} sure on average, and correct in {right:.0%}"
    chance = ", no more than chance may make of a perfect one" if error.low == 0 else ""
    text = (
        f"As it states them, at the balanced prior, its percentages are off by {points(error)}{chance}; it is {lean}."
    )
    if "training_prevalence" in subject.metrics.views:
        turned = subject.metrics.get("ece", view="training_prevalence")
        text += f" At the training prior they are off by {points(turned)}."
    return Statement(label="Can its percentages be believed?", text=text)


def _unequal(subject: Subject) -> list[Statement]:
    """Gaps between groups of people or cameras that chance can't explain."""
    words = {
        "recall.mel": "melanomas are named as such",
        "auc.mel": "melanomas rank above other lesions (AUC)",
        "balanced_accuracy": "diagnoses are correct (balanced accuracy)",
    }
    told = []
    for factor, found in subject.evidence.fairness.factors.items() if subject.evidence.fairness else ():
        values = {g.name: g.values for g in found.groups}
        for metric, what in words.items():
            gap = found.gaps[metric]
            if factor != "dx_type" and gap.best and gap.worst and gap.difference.low:
                best, worst = (natural_frequency(values[name][metric]) for name in (gap.best, gap.worst))
                told.append(f"by {factor.replace('_', ' ')}, {what}: {gap.worst} {worst} of 100, {gap.best} {best}")
    if not told:
        return []
    text = f"Beyond chance it differs {'; '.join(told)}. See 'Who is in these images' below."
    return [Statement(label="Worse for some", text=text)]


def _represented(subject: Subject) -> Statement:
    what, table = subject.metrics.provenance, subject.predictions.table
    lacking = []
    if subject.data.lower().startswith(PALE):
        lacking.append("people with dark skin (these images hold almost none)")
    else:
        lacking.append("skin tones (unknown here)")
    if "age" in table and table["age"].notna().any():
        age = pd.to_numeric(table["age"], errors="coerce")
        lacking.append(f"people under 20 ({int((age < 20).sum())} images)")
    scarce = [f"{taxonomy.DIAGNOSES[c].name} ({n} lesions)" for c, n in what.groups_of.items() if 0 < n < FEW_LESIONS]
    absent = [f"{taxonomy.DIAGNOSES[c].name} (none)" for c, n in what.groups_of.items() if n == 0]
    lacking += absent + scarce
    text = (
        f"Not or hardly represented: {', '.join(lacking)}. For them, and for any disease outside of the seven, this "
        "page says nothing."
    )
    return Statement(label="Who is missing", text=text)
