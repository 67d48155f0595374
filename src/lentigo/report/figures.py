"""Figures as inline SVG: text stays text, and colours are the page's own, so that light, dark and print all fit.

The palette is that of Okabe and Ito (Color Universal Design, 2008), without its yellow, which is invisible on white
paper. Every line also has its own dashes.
"""

import re
from xml.sax.saxutils import quoteattr

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from lentigo.render.plots import drawing, svg_of
from lentigo.report.document import Curve, Figure, Forest, Matrix, Panels, Picture

__all__ = ["COLOURS", "draw"]

COLOURS = {
    "ink": ("#1b1f24", "#e8eaed"),
    "faint": ("#c9ced6", "#4a5058"),
    "paper": ("#ffffff", "#16191d"),
    "c0": ("#d55e00", "#ff8a3d"),
    "c1": ("#0072b2", "#56a8e0"),
    "c2": ("#009e73", "#2fc79a"),
    "c3": ("#cc79a7", "#e29cc4"),
    "c4": ("#b87900", "#e69f00"),
    "c5": ("#1b1f24", "#e8eaed"),
    "c6": ("#3d9bd6", "#9ad4f7"),
}
"""Name of a colour to its value on light and on dark paper."""
_DASHES = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (5, 1.5, 1.2, 1.5)), (0, (8, 2)), (0, (3, 1)), (0, (2, 2.5)))
_MARKERS = "os^Dv<>"
_LONGEST = 26
"""Letters of a name in a legend of two columns."""
_COLUMNS = 2
"""Panels beside each other."""
# What matplotlib paints with; each is replaced by the page's variable of the same name.
_STANDS_FOR = {name: f"#0100{i:02x}" for i, name in enumerate(COLOURS)}


def draw(figure: Picture) -> str:
    """One `<svg>` element, described by the figure's title and caption for those who can't see it."""
    with drawing(8.5):
        canvas = Canvas(figsize=_size(figure), layout="constrained")
        match figure:
            case Panels():
                _draw_panels(canvas, figure)
            case Matrix():
                _draw_matrix(_dress(canvas.add_subplot()), figure)
            case Forest():
                _draw_forest(canvas, _dress(canvas.add_subplot()), figure)
            case Figure():
                _draw_curves(canvas, _dress(canvas.add_subplot()), figure)
        return _inline(svg_of(canvas), figure)


def _size(figure: Picture) -> tuple[float, float]:
    """Width and height in inches."""
    match figure:
        case Forest():
            return 4.4, 0.9 + 0.19 * len(figure.rows)
        case Panels():
            return 4.4, 0.6 + 1.75 * -(-len(figure.panels) // _COLUMNS)
        case Figure():
            return 4.4, 3.5 + 0.17 * -(-_named(figure) // _legend_columns(figure))
    return 4.4, 3.9


def _named(figure: Figure) -> int:
    """Lines of a legend's figure."""
    return len(figure.curves) + bool(figure.diagonal)


def _legend_columns(figure: Figure) -> int:
    """Two, unless a name is too long to fit beside another."""
    return 1 if any(len(curve.name) > _LONGEST for curve in figure.curves) else 2


def _dress(axes: Axes) -> Axes:
    ink, faint = _STANDS_FOR["ink"], _STANDS_FOR["faint"]
    axes.patch.set_visible(False)
    axes.tick_params(colors=ink, length=2)
    for spine in axes.spines.values():
        spine.set_color(faint)
    return axes


def _draw_curves(canvas: Canvas, axes: Axes, figure: Figure) -> None:
    ink, faint = _STANDS_FOR["ink"], _STANDS_FOR["faint"]
    axes.grid(color=faint, linewidth=0.4)
    axes.set(xlim=_wider(figure.x_range), ylim=_wider(figure.y_range))
    axes.set_xlabel(figure.x_label, color=ink)
    axes.set_ylabel(figure.y_label, color=ink)
    if figure.diagonal:
        axes.plot([0, 1], [0, 1], color=faint, linewidth=1.5, label=figure.diagonal)
    for curve in figure.curves:
        _draw_curve(axes, curve)
    for mark in figure.marks:
        axes.axvline(mark.x, color=ink, linewidth=0.9)
        place = (mark.x, figure.y_range[0] + 0.02 * (figure.y_range[1] - figure.y_range[0]))
        axes.text(*place, f" {mark.name}", rotation=90, color=ink, va="bottom", ha="right", fontsize=7.5)
    canvas.legend(loc="outside lower center", ncols=_legend_columns(figure), labelcolor=ink, handlelength=4)


def _wider(ends: tuple[float, float]) -> tuple[float, float]:
    """A little more than the range, so that lines at its ends are seen whole."""
    rim = 0.01 * (ends[1] - ends[0])
    return ends[0] - rim, ends[1] + rim


def _draw_curve(axes: Axes, curve: Curve) -> None:
    colour = _STANDS_FOR[f"c{curve.colour}"]
    if curve.low:
        axes.fill_between(curve.x, curve.low, curve.high, color=colour, alpha=0.18, linewidth=0)
    axes.plot(
        curve.x,
        curve.y,
        color=colour,
        linestyle=_DASHES[curve.colour],
        linewidth=2.4 if curve.strong else 1.3,
        marker=_MARKERS[curve.colour] if curve.dots else None,
        markersize=4,
        label=curve.name,
    )


def _draw_panels(canvas: Canvas, figure: Panels) -> None:
    ink, faint = _STANDS_FOR["ink"], _STANDS_FOR["faint"]
    rows = -(-len(figure.panels) // _COLUMNS)
    grid = canvas.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for axes in grid[len(figure.panels) :]:
        axes.axis("off")
    for axes, panel in zip(grid, figure.panels, strict=False):
        _dress(axes)
        axes.grid(color=faint, linewidth=0.4)
        axes.set(ylim=_wider(figure.y_range))
        axes.set_title(panel.title, color=ink, fontsize=8.5)
        axes.set_xlabel(panel.x_label, color=ink, fontsize=6.5)
        axes.set_xticks(range(len(panel.ticks)), panel.ticks, fontsize=5.8)
        for curve in panel.curves:
            _draw_curve(axes, curve)
    canvas.supylabel(figure.y_label, color=ink, fontsize=8.5)
    handles, names = grid[0].get_legend_handles_labels()
    canvas.legend(handles, names, loc="outside lower center", ncols=2, frameon=False, labelcolor=ink, handlelength=3)


def _draw_forest(canvas: Canvas, axes: Axes, forest: Forest) -> None:
    ink, faint = _STANDS_FOR["ink"], _STANDS_FOR["faint"]
    axes.set(xlim=_wider(forest.x_range), ylim=(len(forest.rows) - 0.5, -0.5))
    axes.grid(color=faint, linewidth=0.4, axis="x")
    canvas.supxlabel(forest.x_label, color=ink, fontsize=8.5)  # wider than the axes
    axes.set_yticks(range(len(forest.rows)), [row.name for row in forest.rows])
    axes.tick_params(axis="y", length=0)
    for label, row in zip(axes.get_yticklabels(), forest.rows, strict=True):
        label.set_fontweight("bold" if row.heading else "normal")
    for mark in forest.marks:
        axes.axvline(mark.x, color=_STANDS_FOR["c1"], linewidth=1.2, linestyle=_DASHES[1], zorder=1)
        axes.annotate(
            mark.name,
            (mark.x, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, 2),
            textcoords="offset points",
            color=ink,
            fontsize=7.5,
            ha="center",
            va="bottom",
        )
    for place, row in enumerate(forest.rows):
        if row.low is not None and row.high is not None:
            axes.plot([row.low, row.high], [place, place], color=_STANDS_FOR["c0"], linewidth=1.6)
        if row.value is not None:
            axes.plot([row.value], [place], color=_STANDS_FOR["c0"], marker="o", markersize=4.5)


def _draw_matrix(axes: Axes, matrix: Matrix) -> None:
    ink, size = _STANDS_FOR["ink"], len(matrix.labels)
    axes.set(xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5))
    axes.set_xticks(range(size), matrix.labels)
    axes.set_yticks(range(size), matrix.labels)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("predicted diagnosis", color=ink)
    axes.set_ylabel("true diagnosis", color=ink)
    for row, counts in enumerate(matrix.counts):
        total = sum(counts)
        for column, count in enumerate(counts):
            share = count / total if total else 0.0
            tint = _STANDS_FOR["c2" if row == column else "c0"]
            axes.fill_between(
                [column - 0.48, column + 0.48], row - 0.48, row + 0.48, color=tint, alpha=0.6 * share, lw=0
            )
            if count:
                text = f"{count:,}\n{share:.0%}"
                axes.text(column, row, text, color=ink, ha="center", va="center", fontsize=8, linespacing=1.05)


def _inline(svg: str, figure: Picture) -> str:
    """Strip what only a file of its own needs, make ids unique on the page, and hand the colours to the page."""
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\sid="|url\(#|href="#)', rf"\g<1>{figure.name}-", svg)
    svg = re.sub(r"font: ([\d.]+px) [^;\"]+", r"font: \1 system-ui, sans-serif", svg)
    for name, colour in _STANDS_FOR.items():
        svg = svg.replace(colour, f"var(--{name})")
    box = re.search(r'viewBox="[^"]+"', svg)
    head = f"<svg {box.group() if box else ''} role='img' aria-label={quoteattr(figure.title + '. ' + figure.caption)}>"
    return head + svg[svg.index(">") + 1 :].strip()
