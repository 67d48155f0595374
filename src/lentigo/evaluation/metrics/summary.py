"""Metrics as Markdown that a person reads: the headline first, never accuracy without its baseline."""

from lentigo.evaluation.catalogue import PRIORS, VIEW_LABELS, VIEW_NOTE
from lentigo.evaluation.metrics.measure import Metrics
from lentigo.render.markdown import table

__all__ = ["summarise"]


def summarise(metrics: Metrics) -> str:
    """Headline, per-class and confusion tables as Markdown."""
    what, views = metrics.provenance, list(metrics.views)
    labels, classes, per_class = what.label_set, what.label_set.classes, what.shown("class")
    confusion = metrics.views["equal_prevalence"]["diagnosis"].confusion
    blocks = [
        table(
            ("metric", *(VIEW_LABELS[v] for v in views)),
            ((what.label(name), *(metrics.get(name, view=v) for v in views)) for name in what.shown("headline")),
        ),
        VIEW_NOTE,
        _scale(metrics),
        "\n".join(f"- {warning}" for warning in what.warnings),
        f"By diagnosis, {VIEW_LABELS['equal_prevalence']}:",
        table(
            ("diagnosis", "n", *map(what.label, per_class)),
            (
                (
                    labels[c].name,
                    what.images_of[c],
                    *(metrics.get(f"{name}.{c}") for name in per_class),
                )
                for c in classes
            ),
        ),
        f"Confusion matrix (rows: true diagnosis, columns: decision at the {PRIORS['equal_prevalence']}):",
        table(("", *classes), ((f"**{c}**", *row) for c, row in zip(classes, confusion, strict=True))),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _scale(metrics: Metrics) -> str:
    what = metrics.provenance
    intervals = (
        f"{metrics.level:.0%} intervals from {metrics.replicates:,} resamples of lesions (seed {metrics.seed})."
        if metrics.replicates
        else "Intervals were not requested."
    )
    return f"n = {what.images:,} images of {what.groups:,} lesions, protocol {what.protocol}, {what.part}. {intervals}"
