"""Figures without pyplot: one palette, one style, and one lock.

Matplotlib's settings belong to the process, and it says of itself that it isn't safe with threads. So that a server can
draw, every figure is made and saved under `drawing`, one at a time, with settings that nobody's own can change.
"""

import io
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from matplotlib import style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lentigo.atomic import replacing

__all__ = ["BLUE", "DASHES", "GREEN", "INK", "LINE", "PALETTE", "RED", "STYLE", "canvas", "drawing", "save", "svg_of"]

BLUE, RED, GREEN, INK, LINE = "#0072b2", "#d55e00", "#009e73", "#1c1c1e", "#c8c8cc"
PALETTE = (RED, BLUE, GREEN, "#cc79a7", "#e69f00", INK, "#56b4e9")
"""Of Okabe and Ito (Color Universal Design, 2008), distinguishable with any colour vision; melanoma's first."""
DASHES = ("-", "--", ":", "-.", (0, (8, 2)), (0, (3, 1)), (0, (5, 1, 1, 1, 1, 1)))
"""One for each colour, so that colour is never alone."""
STYLE: Mapping[str, Any] = MappingProxyType(
    {
        "svg.fonttype": "none",
        "svg.hashsalt": "lentigo",
        "text.parse_math": False,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": LINE,
        "axes.labelcolor": INK,
        "text.color": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "xtick.major.size": 0,
        "ytick.major.size": 0,
        "legend.frameon": False,
    }
)
"""Settings of every figure: text stays text, and the same figure is the same file."""
_LOCK = threading.RLock()
_inside: list[float] = []
"""Size of letters of the outermost block that the thread with the lock is in."""


@contextmanager
def drawing(size: float = 10) -> Iterator[None]:
    """Under this figures are made and saved: alone in the process, in our style whatever the user's own is.

    Args:
        size: of letters, in points; inside of another such block that one's stays.
    """
    with _LOCK:
        if _inside:
            yield
            return
        _inside.append(size)
        try:
            with style.context(["default", {**STYLE, "font.size": size}]):
                yield
        finally:
            _inside.clear()


def canvas(
    width: float, height: float, rows: int = 1, columns: int = 1, **options: Any
) -> tuple[Figure, NDArray]:  # options of Figure.subplots
    """A figure of so many inches, laid out by itself, and its axes [rows, columns]."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def save(figure: Figure, path: Path, *, dpi: int = 120) -> Path:
    """Write a figure whole, in the format of the path's ending; SVG without the date, so that it can be compared."""
    metadata = {"Date": None, "Creator": None} if path.suffix == ".svg" else None
    with drawing(), replacing(path) as partial:
        figure.savefig(partial, format=path.suffix[1:], dpi=dpi, facecolor="white", metadata=metadata)
    return path


def svg_of(figure: Figure) -> str:
    """The `<svg>` element of a figure, on no paper, to stand in a page."""
    text = io.StringIO()
    with drawing():
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = text.getvalue()
    return svg[svg.index("<svg") :]
