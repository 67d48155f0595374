"""What is drawn is what the document holds: positions measured in the SVG itself."""

import re

import numpy as np
import pytest

from lentigo.report.document import Curve, Figure, Forest, Mark, Matrix, Panel, Panels, Whisker
from lentigo.report.figures import draw

TEXTS = {"title": "A < B", "caption": "of 'them'"}


def lines(svg, colour):
    """The points [N, 2] of each line of a colour of the palette."""
    found = []
    for tag in re.findall(r"<path [^>]*>", svg):
        path, style = re.search(r' d="([^"]*)"', tag), re.search(r' style="([^"]*)"', tag)
        if path and style and f"stroke: var(--c{colour})" in style.group(1) and "fill: none" in style.group(1):
            found.append(np.array(re.findall(r"[ML] (\S+) (\S+)", path.group(1)), dtype=float))
    return found


def placed(points, x, y):
    """Whether points of a picture stand as these coordinates do, scaled alike; the picture's y points down."""
    share = (points - points[0]) / (points[-1] - points[0])
    return np.allclose(share[:, 0], (x - x[0]) / (x[-1] - x[0]), atol=1e-3) and np.allclose(
        share[:, 1], (y - y[0]) / (y[-1] - y[0]), atol=1e-3
    )


def test_curves_go_through_their_points():
    x, bent, steep = np.array([0.1, 0.4, 0.9]), np.array([0.2, 0.1, 0.7]), np.array([0.0, 0.5, 0.6])
    curves = (
        Curve(name="bent", x=tuple(x), y=tuple(bent), colour=0),
        Curve(name="steep", x=tuple(x), y=tuple(steep), colour=3, low=tuple(steep - 0.1), high=tuple(steep + 0.1)),
    )
    svg = draw(
        Figure(name="f", x_label="along", y_label="up", curves=curves, marks=(Mark(name="here", x=0.4),), **TEXTS)
    )
    (first, *_), (second, *_) = lines(svg, 0), lines(svg, 3)
    assert placed(first, x, bent)
    assert placed(second, x, steep)
    assert first[0, 1] > first[-1, 1]  # larger is higher
    assert np.allclose(first[:, 0], second[:, 0])  # on one axis
    for word in ("bent", "steep", "along", "up", "here"):
        assert re.search(rf"> ?{word}</text>", svg)
    assert "aria-label=\"A &lt; B. of 'them'\"" in svg


def test_whiskers_reach_from_low_to_high_and_headings_have_none():
    rows = (
        Whisker(name="all", heading=True),
        Whisker(name="wide", value=0.5, low=0.2, high=0.8),
        Whisker(name="narrow", value=0.4, low=0.35, high=0.5),
        Whisker(name="alone", value=0.3),
    )
    svg = draw(Forest(name="f", x_label="skill", rows=rows, **TEXTS))
    wide, narrow = (line for line in lines(svg, 0) if len(line) == 2 and line[0, 1] == line[1, 1])
    scale = (wide[1, 0] - wide[0, 0]) / 0.6
    assert (narrow[:, 0] - wide[0, 0]) / scale + 0.2 == pytest.approx([0.35, 0.5], abs=1e-3)
    assert wide[0, 1] < narrow[0, 1]  # in order, from above
    assert re.findall(r">(all|wide|narrow|alone|skill)</text>", svg) == ["all", "wide", "narrow", "alone", "skill"]


def test_a_matrix_names_counts_and_shares_of_the_truth():
    counts = ((6, 2), (0, 1234))
    svg = draw(Matrix(name="m", labels=("nv", "mel"), counts=counts, **TEXTS))
    cells = re.findall(r">([\d,]+)</\w+>\s*<[^>]*>(\d+%)<", svg)
    assert cells == [("6", "75%"), ("2", "25%"), ("1,234", "100%")]


def test_every_panel_is_drawn_with_its_curves():
    x = np.array([0.0, 1.0, 2.0])
    panels = tuple(
        Panel(
            title=f"panel {i}",
            x_label="strength",
            ticks=("none", "some", "much"),
            curves=(Curve(name="a", x=tuple(x), y=tuple(y), colour=1),),
        )
        for i, y in enumerate([x / 2, 1 - x / 4, x**2 / 4])
    )
    svg = draw(Panels(name="p", y_label="skill", panels=panels, **TEXTS))
    found = [line for line in lines(svg, 1) if len(line) == 3 or len(line) == 2]
    for i in range(3):
        assert f">panel {i}</text>" in svg
    assert any(placed(line, x, x**2 / 4) for line in found if len(line) == 3)
