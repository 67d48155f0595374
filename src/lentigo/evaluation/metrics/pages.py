"""Fairness and robustness as Markdown for people."""

from lentigo.evaluation.catalogue import VIEW_LABELS
from lentigo.evaluation.provenance import Provenance
from lentigo.evaluation.robustness.curves import Robustness
from lentigo.evaluation.subgroups.fairness import Factor, Fairness
from lentigo.render.markdown import table

__all__ = ["describe_fairness", "describe_robustness"]


def describe_fairness(found: Fairness) -> str:
    """Tables of groups and of gaps, factor by factor."""
    what = found.provenance
    lines = [
        f"# {what.model} by subgroup",
        "",
        f"Written by `lentigo evaluate`. n = {what.images:,} images of {what.groups:,} lesions, protocol "
        f"{what.protocol}, {what.part}; {VIEW_LABELS['equal_prevalence']}; {found.level:.0%} intervals from "
        f"{found.replicates:,} resamples of lesions, seed {found.seed}.",
        *(f"- {warning}" for warning in what.warnings),
    ]
    for name, factor in found.factors.items():
        lines += ["", f"## {name}", "", factor.about]
        if factor.unknown:
            lines += ["", f"Unknown: {factor.unknown:,} images."]
        if factor.groups:
            lines += ["", _groups(factor, what), "", _gaps(factor, what)]
    return "\n".join(lines) + "\n"


def _groups(factor: Factor, what: Provenance) -> str:
    names, labels = what.shown("group"), what.label_set
    counted = [] if labels.alarm is None else [labels.alarm]
    heads = ["melanomas" if c == labels.melanoma else f"lesions of {c}" for c in counted]
    rows = [
        (
            g.name,
            f"{g.images:,}",
            f"{g.lesions:,}",
            *(f"{g.lesions_of[c]:,}" for c in counted),
            *(g.values[m] for m in names),
        )
        for g in factor.groups
    ]
    return table(("group", "images", "lesions", *heads, *map(what.label, names)), rows)


def _gaps(factor: Factor, what: Provenance) -> str:
    rows = []
    for metric in what.shown("group"):
        gap = factor.gaps[metric]
        pair = (gap.best, gap.worst) if gap.best else ("–", "–")
        rows.append((what.label(metric), *pair, gap.difference, gap.difference.note if gap.best else ""))
    return table(("gap", "best", "worst", "difference", "note"), rows)


def describe_robustness(found: Robustness) -> str:
    """A table of all perturbations and strengths."""
    what = found.provenance
    rows: list[tuple[object, ...]] = [
        ("unperturbed", "", found.intact.balanced_accuracy, "", found.intact.auc_melanoma, ""),
    ]
    for name, curve in found.curves.items():
        rows += [
            (
                name,
                f"{p.strength:g}",
                p.balanced_accuracy,
                p.balanced_accuracy_change,
                p.auc_melanoma,
                p.auc_melanoma_change,
            )
            for p in curve.points
        ]
    chosen = (
        "all of them"
        if what.images == found.available
        else f"{what.images:,} of them, sampled as evenly over the diagnoses as possible"
    )
    lines = [
        f"# {what.model}: robustness to degraded images",
        "",
        f"Written by `lentigo evaluate --robustness`. Of {found.available:,} images, protocol {what.protocol}, "
        f"{what.part}, {chosen}; {VIEW_LABELS['equal_prevalence']}; {found.level:.0%} intervals from "
        f"{found.replicates:,} resamples of lesions, seed {found.seed}; changes are paired.",
        "",
        table(("perturbation", "strength", "balanced accuracy", "change", "melanoma AUC", "change of the AUC"), rows),
        "",
        *(f"- {name}: {curve.unit}" for name, curve in found.curves.items()),
    ]
    return "\n".join(lines) + "\n"
