"""Metrics as Markdown that a person reads: the headline first, never accuracy without its baseline."""

from lentigo import taxonomy
from lentigo.evaluation.catalogue import HEADLINE, PRIORS, VIEW_LABELS, VIEW_NOTE, choice, label
from lentigo.evaluation.metrics.measure import Metrics
from lentigo.render.markdown import table

__all__ = ["summarise"]


def summarise(metrics: Metrics) -> str:
    """Headline, per-class and confusion tables as Markdown."""
    views, classes, per_class = list(metrics.views), taxonomy.CLASSES, choice("class")
    confusion = metrics.views["equal_prevalence"]["diagnosis"].confusion
    blocks = [
        table(
            ("metric", *(VIEW_LABELS[v] for v in views)),
            ((label(name), *(metrics.get(name, view=v) for v in views)) for name in HEADLINE),
        ),
        VIEW_NOTE,
        _scale(metrics),
        "\n".join(f"- {warning}" for warning in metrics.provenance.warnings),
        f"By diagnosis, {VIEW_LABELS['equal_prevalence']}:",
        table(
            ("diagnosis", "n", *map(label, per_class)),
            (
                (
                    taxonomy.DIAGNOSES[c].name,
                    metrics.provenance.images_of[c],
                    *(metrics.get(f"{name}.{c}") for name in per_class),
                )
                for c in classes
            ),
        ),
        f"Confusion matrix (rows: truth, columns: the decision at the {PRIORS['equal_prevalence']}):",
        table(("", *classes), ((f"**{c}**", *row) for c, row in zip(classes, confusion, strict=True))),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _scale(metrics: Metrics) -> str:
    what = metrics.provenance
    intervals = (
        f"{metrics.level:.0%} intervals from {metrics.replicates:,} resamples of lesions (seed {metrics.seed})."
        if metrics.replicates
        else "No intervals were asked for."
    )
    return f"n = {what.images:,} images of {what.groups:,} lesions, protocol {what.protocol}, {what.part}. {intervals}"
