"""One self-contained HTML page: no script, nothing fetched; for phone, desk and paper, light and dark."""

import re
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from matplotlib.figure import Figure

from lentigo.render.html import fill
from lentigo.render.plots import BLUE, GREEN, INK, LINE, RED, svg_of

__all__ = ["THUMBNAIL", "Card", "Gallery", "Section", "inline_svg", "render"]

THEMED = {INK: "--ink", LINE: "--line", BLUE: "--benign", RED: "--malignant", GREEN: "--green"}
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


def render(**content: Any) -> str:
    """Fill the page's template; every name in it must be given."""
    return fill("lentigo.audit.describing", "page.html.jinja", **content)


def inline_svg(figure: Figure, label: str) -> Markup:
    """A figure as an SVG element that takes the page's width, letters and colours.

    Args:
        figure: what `figures` drew.
        label: what it shows, for those who can't see it.
    """
    svg = svg_of(figure)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    for colour, variable in THEMED.items():
        svg = svg.replace(colour, f"var({variable})")
    return Markup(svg.replace("<svg", Markup('<svg role="img" aria-label="{}"').format(label), 1))
