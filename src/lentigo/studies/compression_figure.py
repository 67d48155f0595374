"""Bytes against balanced accuracy: what was measured, beside published figures that can't be compared with it."""

from collections.abc import Sequence
from pathlib import Path
from string import ascii_lowercase

from matplotlib.lines import Line2D

from lentigo.compression.survey import TECHNIQUES
from lentigo.render.plots import INK, PALETTE, canvas, drawing, save
from lentigo.studies.compressed_cnn import VARIANTS
from lentigo.studies.compression_rows import Row

__all__ = ["MEGABYTE", "PUBLISHED", "draw"]

MEGABYTE = 1e6
PUBLISHED = (
    *((f"compressed_cnn, {variant.name}", variant.megabytes * MEGABYTE, variant.accuracy) for variant in VARIANTS),
    ("distilled student, arXiv 2406.17051", 469_770.0, 0.9875),
)
"""Name, bytes and accuracy as printed: none under a split grouped by lesion, and not the balanced accuracy."""


def draw(measured: Sequence[Row], path: Path) -> None:
    """Bytes of the file against balanced accuracy: filled points are measured here, hollow ones published.

    There are more techniques than colours that differ enough, so a colour is a network and a letter a technique.
    """
    networks = dict(
        zip(dict.fromkeys(row.network for row in measured), zip("osD^", PALETTE, strict=False), strict=False)
    )
    letters = dict(
        zip([t for t in TECHNIQUES if any(row.technique == t for row in measured)], ascii_lowercase, strict=False)
    )
    with drawing():
        figure, axes = canvas(9, 5)
        axis = axes[0, 0]
        for row in measured:
            value = row.metrics["balanced accuracy"]
            if value.value is None:
                continue
            ends = [value.value if end is None else end for end in (value.low, value.high)]
            marker, colour = networks[row.network]
            place = (row.size["file"], value.value)
            error = [[value.value - ends[0]], [ends[1] - value.value]]
            axis.errorbar(*place, yerr=error, fmt=marker, color=colour, markersize=4, elinewidth=0.6)
            side = 5 if ord(letters[row.technique]) % 2 else -5
            axis.annotate(
                letters[row.technique],
                place,
                fontsize=7,
                color=colour,
                xytext=(side, 0),
                textcoords="offset points",
                ha="left" if side > 0 else "right",
                va="center",
            )
        for number, (_, size, accuracy) in enumerate(PUBLISHED, 1):
            axis.plot(size, accuracy, "o", markerfacecolor="none", color=INK)
            axis.annotate(
                str(number), (size, accuracy), fontsize=8, xytext=(0, 6), textcoords="offset points", ha="center"
            )
        axis.set(xscale="log", xlabel="MB of the file", ylabel="balanced accuracy; hollow: accuracy as printed")
        axis.set_title("Hollow, numbered: published figures, not comparable", fontsize=9, pad=14)
        ticks = [0.1, 0.3, 1, 3, 10]
        axis.set_xticks([tick * MEGABYTE for tick in ticks], [f"{tick:g}" for tick in ticks])
        axis.minorticks_off()
        keys = [Line2D([], [], marker=m, color=c, linestyle="", label=name) for name, (m, c) in networks.items()]
        keys += [Line2D([], [], linestyle="", label=f"{letter}  {name}") for name, letter in letters.items()]
        axis.legend(handles=keys, fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
        save(figure, path)
