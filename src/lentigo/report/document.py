"""What a report says, as data: the HTML page and the JSON file are both made from it, so that they can't differ."""

from lentigo.evaluation.metrics import Metrics
from lentigo.evaluation.result import Result

__all__ = ["Block", "Curve", "Document", "Figure", "Mark", "Matrix", "Section", "Statement", "Table", "Text"]


class Statement(Result):
    """One thing that a reader must know first.

    Attributes:
        label: what it is about, in one or two words.
        text: one or two plain sentences.
        alarm: whether it is shouted.
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


class Curve(Result):
    """Points joined by a line.

    Attributes:
        name: as in the legend.
        x, y: coordinates, as many of one as of the other.
        colour: 0 to 6, a colour of the page's palette; it also chooses the dashes, so that colour is never alone.
        dots: whether the points are drawn too.
        strong: whether the line is thick.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    colour: int = 0
    dots: bool = False
    strong: bool = False


class Mark(Result):
    """A vertical line with a name."""

    name: str
    x: float


class Figure(Result):
    """Curves over axes of 0 to 1.

    Attributes:
        name: unique in the document, letters and hyphens.
        title: what it shows.
        caption: what the shown means, with its numbers.
        x_label, y_label: of the axes.
        diagonal: '' or the name of the line x = y.
    """

    name: str
    title: str
    caption: str
    x_label: str
    y_label: str
    curves: tuple[Curve, ...]
    marks: tuple[Mark, ...] = ()
    diagonal: str = ""


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


Block = Text | Table | Figure | Matrix


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
        links: further pages, text to address.
        made_by: the program and its version.
        sources: the predictions' files and their SHA-256.
    """

    title: str
    first: tuple[Statement, ...]
    sections: tuple[Section, ...]
    metrics: dict[str, Metrics]
    links: dict[str, str]
    made_by: str
    sources: dict[str, str]
