"""Metrics as Markdown that a person reads: the headline first, never accuracy without its baseline."""

from lentigo import taxonomy
from lentigo.evaluation.metrics import Metrics

__all__ = ["summarise"]

HEADLINES = {
    "balanced_accuracy": "Balanced accuracy",
    "auc.macro": "Macro AUC",
    "sensitivity_at_80_specificity.mel": "Melanoma sensitivity at 0.80 specificity",
    "specificity_at_95_sensitivity.mel": "Melanoma specificity at 0.95 sensitivity",
    "ece": "Calibration error (ECE)",
    "accuracy": "Accuracy",
    "accuracy_always.nv": "Accuracy of always saying nevus",
}
PER_CLASS = ("precision", "recall", "f1", "specificity", "auc")


def summarise(metrics: Metrics) -> str:
    """Headline, per-class and confusion tables as Markdown."""
    views = list(metrics.views)
    names = {"equal_prevalence": "diagnoses equally common", "training_prevalence": "as common as in training"}
    lines = [f"| metric | {' | '.join(names[v] for v in views)} |", "|---" * (len(views) + 1) + "|"]
    for key, name in HEADLINES.items():
        lines.append(f"| {name} | {' | '.join(str(metrics.get(key, view=v)) for v in views)} |")
    lines += ["", _scale(metrics), ""]
    lines += [f"- {warning}" for warning in metrics.provenance.warnings]
    lines += ["", f"| diagnosis | n | {' | '.join(PER_CLASS)} |", "|---" * (len(PER_CLASS) + 2) + "|"]
    for c in taxonomy.CLASSES:
        values = " | ".join(str(metrics.get(f"{m}.{c}")) for m in PER_CLASS)
        lines.append(f"| {taxonomy.DIAGNOSES[c].name} | {metrics.provenance.images_of[c]} | {values} |")
    lines += ["", "Confusion (rows: truth, columns: what the model says, diagnoses equally common):", ""]
    lines += [f"| | {' | '.join(taxonomy.CLASSES)} |", "|---" * (len(taxonomy.CLASSES) + 1) + "|"]
    confusion = metrics.views["equal_prevalence"]["diagnosis"].confusion
    for c, row in zip(taxonomy.CLASSES, confusion, strict=True):
        lines.append(f"| **{c}** | {' | '.join(map(str, row))} |")
    return "\n".join(lines) + "\n"


def _scale(metrics: Metrics) -> str:
    what = metrics.provenance
    intervals = (
        f"{metrics.level:.0%} intervals from {metrics.replicates:,} resamples of lesions (seed {metrics.seed})."
        if metrics.replicates
        else "No intervals were asked for."
    )
    return f"n = {what.images:,} images of {what.groups:,} lesions, protocol {what.protocol}, {what.part}. {intervals}"
