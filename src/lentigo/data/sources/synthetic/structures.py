"""The seven diagnoses as amounts of pigment, blood and keratin: what a dermatoscope would show of each.

Every function draws one lesion from a random generator; the same generator state gives the same lesion in any view.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lentigo.data.sources.synthetic.canvas import Canvas, Field, ramp

__all__ = ["BLOOD", "DEEP", "KERATIN", "LESIONS", "MELANIN", "WHITE", "Layers", "blank"]

Layers = NDArray[np.float32]
"""Amounts of what colours skin, float32 [5, H, W]: melanin in the epidermis (brown), melanin in the dermis (seen
blue-grey), blood (red), keratin (yellow) and, from 0 to 1, what covers all of it in white."""
MELANIN, DEEP, BLOOD, KERATIN, WHITE = range(5)

Generator = np.random.Generator


def blank(canvas: Canvas) -> Layers:
    """Layers without anything in them."""
    return np.zeros((5, *canvas.shape), dtype=np.float32)


def nevus(canvas: Canvas, rng: Generator) -> Layers:
    """Melanocytic nevus: mostly even and symmetric; a few are atypical."""
    return melanocytic(canvas, rng, atypia=rng.beta(1.2, 5.0))


def melanoma(canvas: Canvas, rng: Generator) -> Layers:
    """Melanoma: mostly uneven, of several colours; a few are inconspicuous."""
    return melanocytic(canvas, rng, atypia=rng.beta(5.0, 1.8))


def melanocytic(canvas: Canvas, rng: Generator, atypia: float) -> Layers:
    """Pigment network, globules or an even brown; with growing `atypia` (0 to 1) asymmetry and several colours.

    Signs of atypia: irregular border, uneven pigment, blue-white veil, regression, streaks, dots at the periphery.
    """
    layers = blank(canvas)
    rho = outline(canvas, rng, irregularity=0.05 + 0.12 * atypia, finest=0.25)
    inside = ramp(rho, 1.15, 0.85 - 0.35 * rng.random())
    pattern = rng.choice(3, p=[0.45, 0.3, 0.25])
    texture = [
        lambda: 0.65 + 0.5 * network(canvas, rng, rng.uniform(0.13, 0.2)),
        lambda: 0.7 + 0.6 * ramp(canvas.waves(rng, rng.uniform(0.16, 0.26)), 0.2, 1.4),
        lambda: np.ones(canvas.shape, dtype=np.float32),
    ][pattern]()
    darker_centre = rng.uniform(0.0, 0.8) * np.exp(-2.0 * rho**2)
    uneven = np.exp((0.2 + 0.55 * atypia) * canvas.waves(rng, 2.2, 0.35)) + 0.1 * canvas.waves(rng, 0.4, 0.08)
    amount = rng.uniform(0.45, 1.2) + 0.45 * atypia
    layers[MELANIN] = amount * inside * (texture + darker_centre) * uneven
    layers[BLOOD] = rng.uniform(0.0, 0.3) * inside

    if rng.random() < atypia:  # blue-white veil
        veil = inside * patch(canvas, rng, radius=rng.uniform(0.3, 0.5))
        layers[DEEP] += 1.0 * veil
        layers[WHITE] += 0.2 * veil
    if rng.random() < 0.6 * atypia:  # regression: white and pink where pigment was
        regression = inside * patch(canvas, rng, radius=rng.uniform(0.2, 0.4))
        layers[MELANIN] *= 1.0 - 0.85 * regression
        layers[WHITE] += 0.25 * regression
        layers[BLOOD] += 0.3 * regression
    if rng.random() < 0.7 * atypia:  # streaks along a part of the border
        layers[MELANIN] += streaks(canvas, rng, rho)
    if rng.random() < 0.7 * atypia:  # dark dots, off centre
        count = int(rng.integers(5, 25))
        centres = rng.normal(rng.uniform(-0.6, 0.6, 2), 0.35, (count, 2))
        layers[MELANIN] += 1.8 * inside * canvas.spots(centres, rng.uniform(0.025, 0.06, count))
    return layers


def benign_keratosis(canvas: Canvas, rng: Generator) -> Layers:
    """Benign keratosis: plate with a sharp, moth-eaten border, fissures, milia-like cysts and comedo openings."""
    layers = blank(canvas)
    rho = outline(canvas, rng, irregularity=0.14, finest=0.13)
    inside = ramp(rho, 1.06, 0.9)
    raised = rng.random()
    ridges = ramp(np.abs(canvas.waves(rng, 0.45, 0.22)), 0.4, 0.0)
    layers[MELANIN] = inside * (rng.uniform(0.25, 0.75) + 0.3 * raised + 0.15 * canvas.waves(rng, 0.8, 0.1))
    layers[MELANIN] += inside * ridges * rng.uniform(0.0, 0.45)
    layers[KERATIN] = inside * (rng.uniform(0.2, 0.7) + 0.1 * canvas.waves(rng, 0.8, 0.2))
    cysts, openings = rng.poisson(2 + 16 * raised), rng.poisson(1 + 12 * raised)
    layers[WHITE] += 0.75 * inside * dots(canvas, rng, cysts, 0.035, 0.06)
    layers[MELANIN] += 1.5 * inside * dots(canvas, rng, openings, 0.04, 0.07)
    return layers


def basal_cell_carcinoma(canvas: Canvas, rng: Generator) -> Layers:
    """Basal cell carcinoma: pink shine, arborizing vessels, blue-grey ovoid nests, sometimes an ulcer."""
    layers = blank(canvas)
    rho = outline(canvas, rng, irregularity=0.12, finest=0.4)
    inside = ramp(rho, 1.15, 0.75)
    layers[BLOOD] = inside * (rng.uniform(0.15, 0.5) + 0.12 * canvas.waves(rng, 0.8, 0.2))
    layers[WHITE] = rng.uniform(0.05, 0.25) * inside * ramp(canvas.waves(rng, 0.9, 0.3), -0.5, 1.5)
    vessels = [branch for _ in range(rng.integers(2, 6)) for branch in arborize(rng)]
    layers[BLOOD] += rng.uniform(0.5, 1.3) * canvas.lines(vessels) * ramp(rho, 1.3, 0.9)
    if rng.random() < 0.75:  # ovoid nests
        nests = int(rng.integers(2, 9))
        centres = rng.normal(rng.uniform(-0.3, 0.3, 2), 0.42, (nests, 2))
        # Two spots a nest, one beside the other, make an oval.
        ovals = np.concatenate([centres, centres + rng.normal(0, 0.09, centres.shape)])
        radii = np.tile(rng.uniform(0.07, 0.17, nests), 2)
        layers[DEEP] += rng.uniform(0.6, 1.4) * ramp(canvas.spots(ovals, radii), 0.25, 1.4)
    if rng.random() < 0.35:  # ulcer
        ulcer = patch(canvas, rng, radius=rng.uniform(0.12, 0.3), reach=0.4)
        layers[BLOOD] += 1.5 * ulcer
        layers[MELANIN] += 0.7 * ulcer * ramp(canvas.waves(rng, 0.3), 0.0, 1.0)
    if rng.random() < 0.3:
        layers[MELANIN] += 0.5 * inside * ramp(canvas.waves(rng, 1.2, 0.3), 0.2, 1.4)
    return layers


def actinic_keratosis(canvas: Canvas, rng: Generator) -> Layers:
    """Actinic keratosis: no clear border, red pseudo-network round white follicles ('strawberry'), scale."""
    layers = blank(canvas)
    rho = outline(canvas, rng, irregularity=0.22, finest=0.35)
    inside = ramp(rho, 1.45, 0.5)
    mesh = network(canvas, rng, rng.uniform(0.15, 0.24))
    redness = rng.uniform(0.35, 0.85)
    layers[BLOOD] = inside * redness * (0.6 + 0.4 * mesh + 0.25 * canvas.waves(rng, 1.0, 0.1))
    layers[WHITE] = rng.uniform(0.0, 0.35) * inside * (1.0 - mesh) ** 2 * ramp(canvas.waves(rng, 1.2, 0.4), -1.0, 1.0)
    layers[KERATIN] = rng.uniform(0.1, 0.5) * inside
    if rng.random() < 0.6:  # scale
        flakes = ramp(canvas.waves(rng, 0.5, 0.09), rng.uniform(0.5, 1.2), 2.0)
        layers[WHITE] += 0.85 * flakes * ramp(rho, 1.0, 0.4)
    if rng.random() < 0.5:  # pigmented kind
        brown = ramp(canvas.waves(rng, 1.3, 0.25), -0.2, 1.5)
        layers[MELANIN] += rng.uniform(0.3, 0.8) * inside * brown * (0.4 + 0.6 * mesh)
    return layers


def dermatofibroma(canvas: Canvas, rng: Generator) -> Layers:
    """Dermatofibroma: white scar-like centre in a delicate light-brown network that fades into the skin."""
    layers = blank(canvas)
    rho = outline(canvas, rng, irregularity=0.07, finest=0.5)
    scar = ramp(rho + 0.1 * canvas.waves(rng, 0.5, 0.1), rng.uniform(0.5, 0.75), rng.uniform(0.1, 0.3))
    ring = ramp(rho, 1.3, 0.6) * (1.0 - 0.8 * scar)
    layers[MELANIN] = rng.uniform(0.25, 0.65) * ring * (0.7 + 0.4 * network(canvas, rng, rng.uniform(0.13, 0.19)))
    layers[BLOOD] = rng.uniform(0.0, 0.4) * ramp(rho, 1.3, 0.6)
    layers[WHITE] = rng.uniform(0.15, 0.55) * scar
    if rng.random() < 0.4:  # shiny white lines across the scar
        layers[WHITE] += 0.35 * scar * ramp(np.abs(canvas.waves(rng, 0.35)), 0.25, 0.0)
    return layers


def vascular(canvas: Canvas, rng: Generator) -> Layers:
    """Vascular lesion: red, purple or blue-black lacunae, sharply bounded, with pale septa between them."""
    layers = blank(canvas)
    rho = outline(canvas, rng, irregularity=0.1, finest=0.3)
    inside = ramp(rho, 1.06, 0.92)
    lacunae = ramp(network(canvas, rng, rng.uniform(0.35, 0.6), disorder=0.5), 1.0, 0.1)
    purple = rng.beta(1.0, 1.2)
    layers[BLOOD] = inside * (rng.uniform(0.6, 1.0) + rng.uniform(0.4, 1.0) * lacunae)
    layers[DEEP] = inside * purple * (0.35 + 0.9 * lacunae)
    layers[WHITE] = rng.uniform(0.0, 0.25) * inside * (1.0 - lacunae)
    if rng.random() < 0.25:  # thrombosed
        clot = inside * patch(canvas, rng, radius=rng.uniform(0.25, 0.5), reach=0.3)
        layers[DEEP] += 1.2 * clot
        layers[BLOOD] += 0.8 * clot
    return layers


LESIONS: dict[str, Callable[[Canvas, Generator], Layers]] = {
    "akiec": actinic_keratosis,
    "bcc": basal_cell_carcinoma,
    "bkl": benign_keratosis,
    "df": dermatofibroma,
    "mel": melanoma,
    "nv": nevus,
    "vasc": vascular,
}


def outline(canvas: Canvas, rng: Generator, irregularity: float, finest: float) -> Field:
    """Distance from the centre [H, W], 1 at the border: an ellipse, disturbed by waves no shorter than `finest`."""
    stretch = rng.uniform(1.0, 1.2)
    rho = np.hypot(canvas.u / stretch, canvas.v * stretch)
    return rho + irregularity * canvas.waves(rng, 1.6, finest)


def network(canvas: Canvas, rng: Generator, period: float, disorder: float = 0.3) -> Field:
    """Pigment network [H, W]: 1 on the lines and 0 in the holes of a honeycomb, warped by `disorder` periods."""
    warp = disorder * period
    u = canvas.u + warp * canvas.waves(rng, 8 * period, 3 * period)
    v = canvas.v + warp * canvas.waves(rng, 8 * period, 3 * period)
    k, turn = 4.0 * math.pi / math.sqrt(3.0) / period, rng.uniform(0, math.pi)
    axes = [turn + i * math.pi / 3 for i in range(3)]
    crests = [np.cos((k * math.cos(a)) * u + (k * math.sin(a)) * v) for a in axes]
    return ramp(crests[0] + crests[1] + crests[2], 1.2, -0.7)


def patch(canvas: Canvas, rng: Generator, radius: float, reach: float = 0.55) -> Field:
    """One irregular area [H, W] of values 0 to 1, centred up to `reach` off the lesion's centre."""
    direction, distance = rng.uniform(0, 2 * np.pi), reach * rng.uniform(0.3, 1.0)
    u, v = distance * math.cos(direction), distance * math.sin(direction)
    r = np.hypot(canvas.u - u, canvas.v - v) + 0.35 * radius * canvas.waves(rng, 0.8, 0.2)
    return ramp(r, 1.5 * radius, 0.5 * radius)


def dots(canvas: Canvas, rng: Generator, count: int, smallest: float, largest: float) -> Field:
    """Small round spots [H, W] of values 0 to 1, scattered over the lesion."""
    radius, direction = 0.85 * np.sqrt(rng.random(count)), rng.uniform(0, 2 * np.pi, count)
    centres = np.stack([radius * np.cos(direction), radius * np.sin(direction)], axis=1)
    return ramp(canvas.spots(centres, rng.uniform(smallest, largest, count)), 0.2, 0.8)


def streaks(canvas: Canvas, rng: Generator, rho: Field) -> Field:
    """Radial lines [H, W] of values 0 to 1 that leave the border over a part of the circumference."""
    around = np.arctan2(canvas.v, canvas.u)
    rays = ramp(np.cos(float(rng.integers(20, 34)) * around + 3.0 * canvas.waves(rng, 1.2, 0.5)), 0.0, 1.0)
    sector = ramp(np.cos(around - rng.uniform(0, 2 * np.pi)), rng.uniform(-0.3, 0.5), 0.9)
    return rays * sector * ramp(rho, 0.7, 0.95) * ramp(rho, 1.3, 1.0)


def arborize(rng: Generator) -> list[tuple[NDArray, float]]:
    """A vessel that enters at the border and branches twice: curves for `Canvas.lines`."""
    start = rng.uniform(0, 2 * np.pi)
    tips = [(0.95 * np.array([np.cos(start), np.sin(start)]), start + np.pi + rng.normal(0, 0.3), 0.04)]
    curves = []
    for _ in range(3):
        grown = []
        for point, heading, width in tips:
            headings = heading + np.cumsum(rng.normal(0, 0.3, 6))
            path = point + np.cumsum(0.09 * np.stack([np.cos(headings), np.sin(headings)], axis=1), axis=0)
            curves.append((np.vstack([point, path]), width))
            grown += [(path[-1], headings[-1] + side * rng.uniform(0.3, 0.8), 0.65 * width) for side in (-1, 1)]
        tips = grown
    return curves
