"""The headline metrics, and the diagnoses pooled into questions of yes or no."""

from lentigo.evaluation.catalogue import VIEW_NOTE
from lentigo.report.document import Section, Table
from lentigo.report.subject import Subject
from lentigo.report.words import number

__all__ = ["headline", "yes_or_no"]


def headline(subject: Subject) -> Section:
    """The headline metrics in the known views."""
    metrics, what = subject.metrics, subject.metrics.provenance
    table = Table(
        caption=f"{VIEW_NOTE} In brackets, the 95 % confidence interval (it would contain the true value in 95 "
        "of 100 such studies).",
        columns=("metric", *subject.views.values()),
        rows=tuple(
            (what.label(name), *(number(metrics.get(name, view=v)) for v in subject.views))
            for name in what.shown("headline")
        ),
    )
    return Section(name="headline", title="Headline numbers", blocks=(table,))


def yes_or_no(subject: Subject) -> Section:
    """The pooled questions that the label set can answer."""
    labels = subject.predictions.label_set
    malignant = [labels[c].name for c in labels.malignant] or ["none, as far as is known"]
    rows = []
    known = subject.metrics.views["equal_prevalence"]
    for task, answer in (("malignancy", "malignant"), ("melanoma", "melanoma")):
        if task not in known:
            continue
        names = ("auc", "average_precision", "sensitivity_at_80_specificity", "specificity_at_95_sensitivity")
        rows.append((f"{answer}?", *(number(subject.metrics.get(f"{n}.{answer}", task=task)) for n in names)))
    table = Table(
        caption=f"Diagnoses pooled into binary tasks; malignant are {', '.join(malignant)}.",
        columns=(
            "question",
            "AUC",
            "average precision",
            "sensitivity at 0.80 specificity",
            "specificity at 0.95 sens.",
        ),
        rows=tuple(rows),
    )
    return Section(name="yes-or-no", title="Binary tasks", blocks=(table,))
