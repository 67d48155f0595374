"""The page: one self-contained HTML file, and the same content as JSON with its schema beside it."""

import json
from collections.abc import Mapping
from pathlib import Path

from markupsafe import Markup

from lentigo import __version__
from lentigo.atomic import write_text
from lentigo.render.html import fill
from lentigo.report.document import Block, Document, Figure, Forest, Gallery, Matrix, Panels
from lentigo.report.figures import COLOURS, draw
from lentigo.report.first_screen import first_screen
from lentigo.report.sections import SECTIONS
from lentigo.report.subject import Subject

__all__ = ["describe", "write"]


def describe(subject: Subject, links: Mapping[str, str] | None = None) -> Document:
    """Everything that the page of one model says.

    Args:
        subject: the model.
        links: further pages, text to address.
    """
    return Document(
        title=f"{subject.name} on {subject.data}",
        first=first_screen(subject),
        sections=tuple(section(subject) for section in SECTIONS),
        metrics={subject.name: subject.metrics},
        evidence={subject.name: subject.evidence},
        links=dict(links or {}),
        made_by=f"lentigo {__version__}",
        sources={subject.path.name: subject.sha256},
    )


def write(document: Document, folder: Path) -> Path:
    """Write index.html, report.json and report.schema.json; give the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "report.schema.json", json.dumps(Document.model_json_schema(), indent=2) + "\n")
    write_text(folder / "report.json", document.to_json() + "\n")
    return write_text(folder / "index.html", _render(document))


def _render(document: Document) -> str:
    return fill(
        "lentigo.report",
        "page.html.jinja",
        filters={"draw": _figure},
        tests={
            "picture": lambda block: isinstance(block, Figure | Matrix | Forest | Panels),
            "gallery": lambda block: isinstance(block, Gallery),
        },
        document=document,
        colours=COLOURS,
    )


def _figure(block: Block) -> Markup:
    if not isinstance(block, Figure | Matrix | Forest | Panels):
        raise TypeError(f"{type(block).__name__} is not a figure")
    return Markup(draw(block))
