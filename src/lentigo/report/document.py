"""What a report says, as data: the HTML page and the JSON file are both made from it, so that they can't differ."""

from pydantic import Field, field_validator

from lentigo.evaluation.metrics.measure import Metrics
from lentigo.evaluation.result import Result
from lentigo.render.markdown import once
from lentigo.report.evidence import Evidence

__all__ = [
    "Block",
    "Curve",
    "Document",
    "Exhibit",
    "Figure",
    "Forest",
    "Gallery",
    "Mark",
    "Matrix",
    "Panel",
    "Panels",
    "Picture",
    "Section",
    "Statement",
    "Table",
    "Text",
    "Whisker",
]


class Statement(Result):
    """One thing that a reader must know first.

    Attributes:
        label: what it is about, in one or two words.
        text: one or two plain sentences.
        alarm: whether it is highlighted.
    """

    label: str
    text: str
    alarm: bool = False


class Text(Result):
    """A paragraph."""

    text: str


class Table(Result):
    """A table; the first column names the row.

    Attributes:
        caption: what its numbers mean.
        columns: heads.
        rows: cells as text, as many as there are columns.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @field_validator("rows")
    @classmethod
    def _reasons_once(cls, rows: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
        """A reason why there is no number appears once in its row."""
        return tuple(tuple(once(row)) for row in rows)


class Curve(Result):
    """Points joined by a line.

    Attributes:
        name: as in the legend.
        x, y: coordinates, as many of one as of the other.
        colour: 0 to 6, a colour of the page's palette; it also chooses the dashes, so that colour is never alone.
        dots: whether the points are drawn too.
        strong: whether the line is thick.
        low, high: ends of the interval at each point; empty where there is none.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    colour: int = 0
    dots: bool = False
    strong: bool = False
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()


class Mark(Result):
    """A vertical line with a name."""

    name: str
    x: float


class Figure(Result):
    """Curves over two axes.

    Attributes:
        name: unique in the document, letters and hyphens.
        title: what it shows.
        caption: what the shown means, with its numbers.
        x_label, y_label: of the axes.
        diagonal: '' or the name of the line x = y.
        x_range, y_range: ends of the axes.
    """

    name: str
    title: str
    caption: str
    x_label: str
    y_label: str
    curves: tuple[Curve, ...]
    marks: tuple[Mark, ...] = ()
    diagonal: str = ""
    x_range: tuple[float, float] = (0.0, 1.0)
    y_range: tuple[float, float] = (0.0, 1.0)


class Matrix(Result):
    """Counts by truth (rows) and decision (columns).

    Attributes:
        name, title, caption: as in `Figure`.
        labels: of rows and columns.
        counts: images [K, K].
    """

    name: str
    title: str
    caption: str
    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


class Whisker(Result):
    """A value and its interval.

    Attributes:
        name: of the row.
        value, low, high: the ends are None where there is no interval.
        heading: whether the row only names the ones below it; then there is no value.
    """

    name: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    heading: bool = False


class Forest(Result):
    """Values with their intervals under each other.

    Attributes:
        name, title, caption, x_label: as in `Figure`.
        rows: from above.
        marks: vertical lines.
        x_range: ends of the axis.
    """

    name: str
    title: str
    caption: str
    x_label: str
    rows: tuple[Whisker, ...]
    marks: tuple[Mark, ...] = ()
    x_range: tuple[float, float] = (0.0, 1.0)


class Panel(Result):
    """One of several small figures; its curves are over the positions 0, 1, 2 of `ticks`."""

    title: str
    x_label: str
    ticks: tuple[str, ...]
    curves: tuple[Curve, ...]


class Panels(Result):
    """Small figures with one vertical axis and one legend.

    Attributes:
        name, title, caption, y_label: as in `Figure`.
        panels: from left to right and down.
        y_range: ends of the vertical axis.
    """

    name: str
    title: str
    caption: str
    y_label: str
    panels: tuple[Panel, ...]
    y_range: tuple[float, float] = (0.0, 1.0)


class Exhibit(Result):
    """One image and what is to be reported for it.

    Attributes:
        title: one line.
        lines: further lines.
        picture: a data URL for the page, '' where the image isn't at hand; never in the JSON.
    """

    title: str
    lines: tuple[str, ...]
    picture: str = Field(default="", exclude=True)


class Gallery(Result):
    """Images under a caption."""

    caption: str
    exhibits: tuple[Exhibit, ...]


Picture = Figure | Matrix | Forest | Panels
"""What is drawn."""
Block = Text | Table | Picture | Gallery


class Section(Result):
    """A part of the page under a heading."""

    name: str
    title: str
    blocks: tuple[Block, ...]


class Document(Result):
    """A whole report.

    Attributes:
        title: what was measured on what.
        first: what a reader must know first.
        sections: the rest, in order.
        metrics: every metric behind it, by model.
        evidence: all else that was measured, by model.
        links: further pages, text to address.
        made_by: the program and its version.
        sources: the predictions' files and their SHA-256.
    """

    title: str
    first: tuple[Statement, ...]
    sections: tuple[Section, ...]
    metrics: dict[str, Metrics]
    evidence: dict[str, Evidence]
    links: dict[str, str]
    made_by: str
    sources: dict[str, str]
