"""The figures, each drawn from the numbers alone and sized for a phone's width."""

from collections.abc import Callable, Mapping
from typing import Literal

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lentigo.audit.describing.appearance import CHANNELS, Appearance
from lentigo.audit.describing.findings import FIELD_NAMES
from lentigo.audit.describing.summary import AGE_STEP, Summary
from lentigo.render.plots import BLUE, GREEN, INK, LINE, RED, canvas, drawing

__all__ = ["LETTERS", "figures", "sample_figure"]

BENIGN, MALIGNANT = BLUE, RED
COLOUR_OF = {"malignant": MALIGNANT, "benign": BENIGN, "not stated": INK}
CHANNEL_STYLE = {"red": (MALIGNANT, "o"), "green": (GREEN, "s"), "blue": (BENIGN, "^")}
WIDTH = 5.2
"""Inches; with letters of 11 points that is readable at a phone's width."""
STRONGEST = 0.55
"""Opacity of a table cell of 100 %: letters stay readable on it, on white as on black."""

LETTERS = 11.5
"""Points."""


def figures(summary: Summary, appearance: Appearance) -> dict[str, Figure]:
    """All figures that the data set has numbers for, by name."""
    drawn: dict[str, Callable[[], Figure]] = {
        "classes": lambda: _class_bars(summary.classes),
        "images_per_lesion": lambda: _bars(summary.per_lesion, "images of one lesion", "lesions"),
        "missing": lambda: _share_table(
            summary.missing.rename(FIELD_NAMES), summary.classes, summary.classes["images"]
        ),
        "sizes": lambda: _bars(appearance.sizes.head(10), "size in pixels", "images"),
        "colours": lambda: _colours(summary.classes, appearance.colours),
        "means": lambda: _pictures({_tag(summary.classes, c): appearance.means[c] for c in _seen(summary, appearance)}),
    }
    if len(summary.ages):
        drawn["age"] = lambda: _ages(summary)
    for field, counts in summary.fields.items():
        drawn[field] = lambda counts=counts: _share_table(counts, summary.classes, counts.sum())  # type: ignore[misc]
    if len(summary.shortcut):
        drawn["shortcut"] = lambda: _shortcut(summary.shortcut)
    with drawing(LETTERS):
        return {name: _settled(draw()) for name, draw in drawn.items()}


def sample_figure(title: str, pictures: Mapping[str, NDArray]) -> Figure:
    """Pictures of one class with their captions under them."""
    with drawing(LETTERS):
        figure = _pictures(pictures)
        figure.suptitle(title)
        return _settled(figure)


def _figure(height: float, rows: int = 1, columns: int = 1, *, sharex: bool = False) -> tuple[Figure, NDArray]:
    return canvas(WIDTH, height, rows, columns, sharex=sharex)


def _settled(figure: Figure) -> Figure:
    """Lay the figure out now, once, and not again for each file that it is saved to."""
    figure.draw_without_rendering()
    figure.set_layout_engine(None)
    return figure


def _class_bars(classes: pd.DataFrame) -> Figure:
    """Images and lesions of each class, its name above its bars."""
    figure, axes = _figure(0.62 * len(classes) + 0.5)
    ax = axes[0, 0]
    rows = range(len(classes))
    colours = [COLOUR_OF[kind] for kind in classes["kind"]]
    ax.barh(rows, classes["images"], 0.3, color=colours)
    ax.barh([row + 0.26 for row in rows], classes["lesions"], 0.14, color=colours, alpha=0.5)
    for row, (label, c) in zip(rows, classes.iterrows(), strict=True):
        ax.text(0, row - 0.2, c["name"] if c["name"] == label else f"{c['name']} ({label})", va="bottom")
        _note(ax, c["images"], row, f"{c['images']:,} {c['kind']}")
    ax.set_ylim(len(classes) - 0.55, -0.6)
    ax.set_xlim(0, classes["images"].max() * 1.35)
    ax.set_yticks([])
    ax.set_xlabel("images (thick) and lesions (thin)")
    ax.xaxis.set_major_formatter("{x:,.0f}")
    _quiet(ax, "x")
    return figure


def _bars(counts: pd.Series, label: str, unit: str) -> Figure:
    """One bar for each value, its count at the end."""
    figure, axes = _figure(0.3 * len(counts) + 0.7)
    ax = axes[0, 0]
    rows = range(len(counts))
    ax.barh(rows, counts, 0.6, color=BENIGN)
    for row, count in zip(rows, counts, strict=True):
        _note(ax, count, row, f"{count:,}")
    ax.set_yticks(rows, [str(v) for v in counts.index])
    ax.set_ylim(len(counts) - 0.5, -0.5)
    ax.set_xlim(0, counts.max() * 1.15)
    ax.set_xlabel(f"{unit}, by {label}")
    ax.xaxis.set_major_formatter("{x:,.0f}")
    _quiet(ax, "x")
    return figure


def _share_table(counts: pd.DataFrame, classes: pd.DataFrame, totals: pd.Series) -> Figure:
    """Per cent of each class (column) that has each value (row), as numbers on cells that darken with them."""
    figure, axes = _figure(0.3 * len(counts) + 0.75)
    ax = axes[0, 0]
    shares = counts / totals
    for column, label in enumerate(counts.columns):
        colour = COLOUR_OF[classes.loc[label, "kind"]]
        for row, share in enumerate(shares[label]):
            ax.add_patch(
                matplotlib.patches.Rectangle(
                    (column - 0.48, row - 0.48), 0.96, 0.96, color=colour, alpha=STRONGEST * share, lw=0
                )
            )
            ax.text(column, row, _percent(share), ha="center", va="center")
    ax.set_xlim(-0.5, len(counts.columns) - 0.5)
    ax.set_ylim(len(counts) - 0.5, -0.5)
    ax.xaxis.tick_top()
    ax.set_xticks(range(len(counts.columns)), counts.columns)
    ax.set_yticks(range(len(counts)), [str(v) for v in counts.index])
    figure.supxlabel(f"percentage of a class; {_halves(classes)}", fontsize="medium")
    ax.spines[:].set_visible(False)
    return figure


def _ages(summary: Summary) -> Figure:
    """Share of each class's patients by age, one strip a class, with the median marked."""
    labels = list(summary.ages.index)
    figure, axes = _figure(0.62 * len(labels) + 0.6, len(labels), sharex=True)
    # Rounded ages represent the years around them, others for those from there on.
    middle = 0 if summary.ages_rounded > 0.99 else AGE_STEP / 2
    for ax, label in zip(axes[:, 0], labels, strict=True):
        counts = summary.age_bins[label]
        median = summary.ages.loc[label, "median"]
        colour = COLOUR_OF[summary.classes.loc[label, "kind"]]
        ax.bar(counts.index + middle, counts / counts.sum(), AGE_STEP * 0.9, color=colour)
        ax.axvline(median, color=INK, lw=1.2)
        ax.text(0.0, 0.95, f"{label}: median {median:.0f}", transform=ax.transAxes, va="top")
        ax.set_yticks([])
        ax.spines["left"].set_visible(False)
    axes[-1, 0].set_xlabel("age in years")
    return figure


def _shortcut(shortcut: pd.Series) -> Figure:
    """AUC of each field alone, from 0.5 on."""
    values = shortcut.sort_values(ascending=False)
    figure, axes = _figure(0.34 * len(values) + 0.7)
    ax = axes[0, 0]
    rows = range(len(values))
    ax.barh(rows, values - 0.5, 0.6, left=0.5, color=BENIGN)
    for row, value in zip(rows, values, strict=True):
        _note(ax, value, row, f"{value:.2f}")
    ax.set_yticks(rows, [FIELD_NAMES[str(f)] for f in values.index])
    ax.set_ylim(len(values) - 0.5, -0.5)
    ax.set_xlim(0.5, 1)
    ax.set_xlabel("AUC for malignancy, from chance to perfect")
    _quiet(ax, "x")
    return figure


def _colours(classes: pd.DataFrame, colours: pd.DataFrame) -> Figure:
    """Mean intensity of each channel and class, with one standard deviation from image to image."""
    labels = [c for c in classes.index if c in colours.index]
    figure, axes = _figure(0.5 * len(labels) + 1.0)
    ax = axes[0, 0]
    for shift, channel in zip((-0.22, 0, 0.22), CHANNELS, strict=True):
        part = colours.xs(channel, level="channel").loc[labels]
        colour, marker = CHANNEL_STYLE[channel]
        rows = np.arange(len(labels)) + shift
        ax.errorbar(part["mean"], rows, xerr=part["between"], fmt=marker, color=colour, ms=6, lw=1.5, label=channel)
    ax.set_yticks(range(len(labels)), labels)
    ax.set_ylim(len(labels) - 0.5, -0.5)
    figure.supxlabel("mean intensity; line: one standard deviation", fontsize="medium")
    ax.grid(axis="x", color=LINE, lw=0.5)
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    return figure


def _pictures(pictures: Mapping[str, NDArray], columns: int = 4) -> Figure:
    """Pictures in rows of four with their captions under them."""
    rows = -(-len(pictures) // columns)
    figure, axes = _figure(1.55 * rows, rows, columns)
    for ax in axes.flat:
        ax.axis("off")
    for ax, (caption, picture) in zip(axes.flat, pictures.items(), strict=False):
        ax.imshow(picture)
        ax.text(0.5, -0.04, caption, transform=ax.transAxes, fontsize=9, ha="center", va="top")
    return figure


def _seen(summary: Summary, appearance: Appearance) -> list[str]:
    return [c for c in summary.classes.index if c in appearance.means]


def _tag(classes: pd.DataFrame, label: str) -> str:
    return f"{label} (n = {classes.loc[label, 'images']:,})"


def _halves(classes: pd.DataFrame) -> str:
    """Which columns are malignant; the colour says the same."""
    malignant = list(classes.index[classes["malignant"]])
    if malignant:
        return f"malignant: {', '.join(malignant)}"
    return "all benign" if (classes["kind"] == "benign").all() else "none stated to be malignant"


def _percent(share: float) -> str:
    """A short number for a cell; what is there but rounds to nothing shows as '<1'."""
    return "·" if share == 0 else "<1" if share < 0.005 else f"{share * 100:.0f}"


def _note(ax: Axes, x: float, y: float, text: str) -> None:
    """A number at the end of a bar."""
    ax.annotate(text, (x, y), (4, 0), textcoords="offset points", va="center")


def _quiet(ax: Axes, axis: Literal["x", "y"]) -> None:
    """Faint lines across, and no frame."""
    ax.grid(axis=axis, color=LINE, lw=0.5)
    ax.set_axisbelow(True)
    ax.spines[:].set_visible(False)
