"""The worst mistakes as one picture: each lesion, what it is, what it was called, and all probabilities."""

import os
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lentigo import data
from lentigo.atomic import write_text
from lentigo.errors import DataError, ImageError
from lentigo.evaluation.errors.mistakes import KINDS, Case, Mistakes
from lentigo.render.plots import BLUE, RED, drawing, save

__all__ = ["draw_mistakes", "write_mistakes"]

COLUMNS = 6
TRUTH, DECISION, OTHER = BLUE, RED, "#b0b0b0"
"""The bars' labels say it too."""


def write_mistakes(mistakes: Mistakes, records: data.Records, out: str | os.PathLike[str]) -> tuple[Path, Path]:
    """Write `mistakes.png` and `mistakes.json` into a folder, which is made if it isn't there.

    Args:
        mistakes: what `find_mistakes` found.
        records: the data set that the predictions were made on.
        out: the folder.

    Raises:
        DataError: there are no mistakes to draw, or an image of them is not among the records.
    """
    folder = Path(out)
    figure = draw_mistakes(mistakes, records)
    picture, text = folder / "mistakes.png", folder / "mistakes.json"
    save(figure, picture, dpi=110)
    write_text(text, mistakes.to_json() + "\n")
    return picture, text


def draw_mistakes(mistakes: Mistakes, records: data.Records) -> Figure:
    """Draw the worst cases, kind by kind, missed melanomas first.

    Raises:
        DataError: there are no mistakes, or an image of them is not among the records.
    """
    if not mistakes.worst:
        raise DataError("There are no errors to draw.", "Draw those of predictions that have some.")
    rows = [
        (kind, cases[start : start + COLUMNS])
        for kind in KINDS
        if (cases := [c for c in mistakes.worst if c.kind == kind])
        for start in range(0, len(cases), COLUMNS)
    ]
    with drawing():
        return _draw(mistakes, records, rows)


def _draw(mistakes: Mistakes, records: data.Records, rows: list[tuple[str, list[Case]]]) -> Figure:
    height = 3.1 * len(rows) + 0.9
    figure = Figure(figsize=(2.3 * COLUMNS, height))
    what = mistakes.provenance
    title = f"The most confident errors of {what.model or 'a model'}: {what.images:,} images, protocol {what.protocol}"
    figure.text(0.01, 1 - 0.15 / height, title, fontsize=14, va="top")
    legend = "Probabilities at the balanced prior. Bars: T true diagnosis, X predicted diagnosis."
    figure.text(0.01, 1 - 0.48 / height, legend, fontsize=9, va="top")
    parts = figure.subfigures(len(rows) + 1, 1, squeeze=False, height_ratios=[0.7, *[3.1] * len(rows)])[:, 0]
    previous = ""
    for part, (kind, cases) in zip(parts[1:], rows, strict=True):
        if kind != previous:
            listed = sum(c.kind == kind for c in mistakes.worst)
            heading = f"{kind.capitalize()} ({mistakes.images_of_kind[kind]} images, {listed} lesions shown)"
            part.text(0.01, 0.95, heading, fontsize=11, weight="bold", va="top")
        previous = kind
        axes = part.subplots(2, COLUMNS, squeeze=False, gridspec_kw={"height_ratios": [2.2, 1]})
        part.subplots_adjust(left=0.035, right=0.99, top=0.74, bottom=0.05, wspace=0.25, hspace=0.06)
        for column in range(COLUMNS):
            if column < len(cases):
                _draw_case(axes[0, column], axes[1, column], cases[column], records)
            else:
                axes[0, column].axis("off")
                axes[1, column].axis("off")
    return figure


def _draw_case(above: Axes, below: Axes, case: Case, records: data.Records) -> None:
    path = records.take([case.image_id]).table["path"].iloc[0]
    try:
        above.imshow(records.decode(path))
    except ImageError as error:
        above.text(0.5, 0.5, str(error), fontsize=6, ha="center", va="center", wrap=True, transform=above.transAxes)
    above.set_anchor("S")
    above.spines[:].set_visible(False)
    above.set_xticks([])
    above.set_yticks([])
    known = [case.known[k] for k in ("sex", "age", "site", "dx_type") if case.known[k]]
    also = f" and {case.same_lesion} more" if case.same_lesion else ""
    title = f"{case.truth}, called {case.decision}\n{case.image_id}{also}\n{', '.join(known) or 'patient unknown'}"
    if case.alike:
        title += "\nanswered like " + ", ".join(f"a {n.truth}" for n in case.alike)
    above.set_title(title, fontsize=7, pad=3)
    names = list(case.probabilities)
    marks = {case.truth: "T", case.decision: "X"}
    colours = [TRUTH if c == case.truth else DECISION if c == case.decision else OTHER for c in names]
    values = [case.probabilities[c] for c in names]
    below.bar(names, values, color=colours)
    for i, (c, value) in enumerate(zip(names, values, strict=True)):
        if c in marks:
            below.text(i, value + 0.02, f"{marks[c]} {value:.2f}", fontsize=6, ha="center", va="bottom")
    below.set_ylim(0, 1.15)
    below.set_yticks([0, 0.5, 1])
    below.tick_params(labelsize=5.5, length=1.5, pad=1.5)
