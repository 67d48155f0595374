"""One self-contained HTML page: no script, nothing fetched; for phone, desk and paper, light and dark."""

import base64
import io
import re
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from lentigo.audit.describing.figures import BENIGN, GREEN, INK, LINE, MALIGNANT, styled

__all__ = ["Card", "Gallery", "Section", "inline_svg", "picture_url", "render"]

THEMED = {INK: "--ink", LINE: "--line", BENIGN: "--benign", MALIGNANT: "--malignant", GREEN: "--green"}
"""Colours of the figures that the page's light and dark themes replace."""
THUMBNAIL = 300
"""Longer side of a sample picture on the page, in pixels."""


@dataclass(frozen=True)
class Card:
    """A figure with what it shows.

    Attributes:
        name: the figure's name.
        title: the finding's headline.
        text: what it means.
        svg: the drawing.
    """

    name: str
    title: str
    text: str
    svg: Markup


@dataclass(frozen=True)
class Section:
    """Cards under one heading."""

    title: str
    cards: tuple[Card, ...]


@dataclass(frozen=True)
class Gallery:
    """Pictures of one class.

    Attributes:
        title: the class's name.
        kind: 'malignant', 'benign' or 'not stated'.
        text: a few sentences on it.
        pictures: data URL and caption of each.
    """

    title: str
    kind: str
    text: str
    pictures: tuple[tuple[str, str], ...]


def render(**content: object) -> str:
    """Fill the page's template; every name in it must be given."""
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("page.html.j2").render(**content)


def inline_svg(figure: Figure, label: str) -> Markup:
    """A figure as an SVG element that takes the page's width, letters and colours.

    Args:
        figure: what `figures` drew.
        label: what it shows, for those who can't see it.
    """
    buffer = io.StringIO()
    with styled():
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    for colour, variable in THEMED.items():
        svg = svg.replace(colour, f"var({variable})")
    return Markup(svg.replace("<svg", Markup('<svg role="img" aria-label="{}"').format(label), 1))


def picture_url(picture: NDArray) -> str:
    """A picture as a data URL, JPEG, scaled down to a thumbnail."""
    image = Image.fromarray(picture)
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=88)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
