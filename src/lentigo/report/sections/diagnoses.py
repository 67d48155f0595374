"""How well each diagnosis is distinguished from the rest."""

from lentigo.evaluation.catalogue import VIEW_LABELS
from lentigo.report import curves
from lentigo.report.document import Block, Figure, Section, Table
from lentigo.report.subject import Subject
from lentigo.report.words import natural_frequency, number

__all__ = ["diagnoses"]


def diagnoses(subject: Subject) -> Section:
    """How well each diagnosis is distinguished from the rest."""
    blocks: list[Block] = []
    labels, probabilities = subject.predictions.labels, subject.predictions.probabilities
    label_set = subject.predictions.label_set
    colour_of, alarm = curves.colours(label_set), label_set.alarm
    shown = {c: labels == k for k, c in enumerate(label_set.classes) if 0 < (labels == k).sum() < len(labels)}
    if shown:
        aucs = {c: subject.metrics.get(f"auc.{c}") for c in shown}
        ranked = sorted(shown, key=lambda c: aucs[c].value or 0)
        risks = {c: probabilities[:, label_set.classes.index(c)] for c in shown}
        least, most = ranked[0], ranked[-1]
        blocks.append(
            Figure(
                name="roc",
                title="ROC curves: sensitivity versus false-positive rate",
                caption="Given an image of a diagnosis and one of another, the model ranks the correct one higher in "
                f"{natural_frequency(aucs[most])} of 100 pairs for {label_set[most].name} (its best) and "
                f"{natural_frequency(aucs[least])} for {label_set[least].name} (its worst). 50 is chance.",
                x_label="false-positive rate",
                y_label="share found",
                curves=tuple(
                    curves.roc(
                        f"{label_set[c].name}, AUC {aucs[c].value:.3f}",
                        risks[c],
                        shown[c],
                        colour_of[c],
                        strong=c == alarm,
                    )
                    for c in reversed(ranked)
                ),
                diagonal="chance, AUC 0.500",
            )
        )
        rarest = min(shown, key=lambda c: shown[c].sum())
        precisions = {c: subject.metrics.get(f"average_precision.{c}").value for c in shown}
        blocks.append(
            Figure(
                name="precision-recall",
                title="Precision-recall curves",
                caption="At the prevalence in these images. Chance precision is the prevalence of a diagnosis: "
                f"{shown[rarest].mean():.1%} for {label_set[rarest].name}, the rarest. Numbers in the "
                "legend are average precisions.",
                x_label="recall (sensitivity)",
                y_label="precision (PPV)",
                curves=tuple(
                    curves.precision_recall(
                        f"{label_set[c].name}, {precisions[c]:.3f}", risks[c], shown[c], colour_of[c], strong=c == alarm
                    )
                    for c in shown
                ),
            )
        )
    blocks.append(_per_class(subject))
    return Section(name="diagnoses", title="Performance by diagnosis", blocks=tuple(blocks))


def _per_class(subject: Subject) -> Table:
    metrics, what = subject.metrics, subject.metrics.provenance
    return Table(
        caption=f"{VIEW_LABELS['equal_prevalence'].capitalize()}. Precision: share of predictions of this "
        "diagnosis that are correct. "
        "Recall (sensitivity): share of images of this diagnosis that are recognised.",
        columns=("diagnosis", "images", "lesions", *map(what.label, what.shown("class"))),
        rows=tuple(
            (
                f"{what.label_set[c].name} ({c})",
                f"{metrics.provenance.images_of[c]:,}",
                f"{metrics.provenance.groups_of[c]:,}",
                *(number(metrics.get(f"{name}.{c}")) for name in what.shown("class")),
            )
            for c in what.label_set.classes
        ),
    )
