"""How far answers hold on worse images: one small figure per perturbation."""

from lentigo.evaluation.robustness.curves import Curve as RobustnessCurve
from lentigo.evaluation.robustness.curves import Point, Robustness
from lentigo.report import curves
from lentigo.report.document import Panel, Panels, Section, Table, Text
from lentigo.report.subject import Subject
from lentigo.report.words import number

__all__ = ["worse_images"]

TITLE = "Robustness to degraded images"


def worse_images(subject: Subject) -> Section:
    """The curves, and their numbers."""
    found = subject.evidence.robustness
    if found is None:
        return Section(name="robustness", title=TITLE, blocks=(Text(text=subject.evidence.missing["robustness"]),))
    return Section(name="robustness", title=TITLE, blocks=(_panels(found), _table(found)))


def _panels(found: Robustness) -> Panels:
    drops = {name: curve.points[-1].balanced_accuracy_change for name, curve in found.curves.items()}
    known = {name: drop for name, drop in drops.items() if drop.value is not None}
    worst = min(known, key=lambda name: known[name].value or 0.0) if known else None
    told = (
        f" The strongest {worst} has the largest effect: {_change(known[worst].value)} of balanced accuracy lost."
        if worst
        else ""
    )
    harmless = [
        name
        for name, curve in found.curves.items()
        if all((p.balanced_accuracy_change.high or 0) >= 0 for p in curve.points)
    ]
    fine = f" No loss beyond chance at any severity: {', '.join(harmless)}." if harmless else ""
    images = found.provenance.images
    chosen = (
        f"All {images:,} images"
        if images == found.available
        else f"The same {images:,} of {found.available:,} images, sampled as evenly over the diagnoses as possible, so "
        "that the levels differ from those of all images"
    )
    return Panels(
        name="robustness-curves",
        title="Eight perturbations at five severities",
        caption=f"{chosen}, unperturbed at the left and increasingly degraded to the right.{told}{fine} Bands "
        "are 95 % intervals.",
        y_label="balanced accuracy; AUC of melanoma",
        panels=tuple(_panel(name, curve, found.intact) for name, curve in found.curves.items()),
    )


def _panel(name: str, curve: RobustnessCurve, intact: Point) -> Panel:
    points = (intact, *curve.points)
    names = {"balanced_accuracy": ("balanced accuracy", 0), "auc_melanoma": ("AUC of melanoma", 1)}
    x = [float(i) for i in range(len(points))]
    shown = tuple(
        curves.estimates(words, x, [getattr(p, key) for p in points], colour, dots=True)
        for key, (words, colour) in names.items()
    )
    ticks = ("as is", *(f"{p.strength:g}" for p in curve.points))
    return Panel(title=name, x_label=curve.unit, ticks=ticks, curves=shown)


def _table(found: Robustness) -> Table:
    rows = []
    for name, curve in found.curves.items():
        for p in curve.points:
            rows.append(
                (
                    f"{name} {p.strength:g}",
                    number(p.balanced_accuracy),
                    number(p.balanced_accuracy_change),
                    number(p.auc_melanoma),
                    number(p.auc_melanoma_change),
                )
            )
    return Table(
        caption=f"Unperturbed: balanced accuracy {number(found.intact.balanced_accuracy)}, AUC of melanoma "
        f"{number(found.intact.auc_melanoma)}. Changes are paired, against the same images. Units: "
        + "; ".join(f"{name}: {curve.unit}" for name, curve in found.curves.items())
        + ".",
        columns=("perturbation", "balanced accuracy", "change", "AUC of melanoma", "change of AUC"),
        rows=tuple(rows),
    )


def _change(value: float | None) -> str:
    return f"{100 * abs(value or 0):.0f} percentage points"
