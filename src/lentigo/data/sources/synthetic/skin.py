"""The skin round a lesion, the light on it, and what lies between it and the lens."""

import numpy as np
from numpy.typing import NDArray

from lentigo.data.sources.synthetic.canvas import Canvas, Field, ramp
from lentigo.data.sources.synthetic.structures import BLOOD, KERATIN, MELANIN, WHITE, Generator, Layers, blank

__all__ = ["photograph", "skin"]

# Absorbance of one unit of each layer in red, green and blue: melanin, melanin in the dermis, blood, keratin.
ABSORBANCE = np.array(
    [[0.45, 0.95, 1.35], [1.15, 0.95, 0.60], [0.22, 1.15, 0.75], [0.05, 0.25, 0.75]], dtype=np.float32
)


def _planes(red: float, green: float, blue: float) -> Field:
    """A colour to be spread over planes, [3, 1, 1]."""
    return np.array([red, green, blue], dtype=np.float32).reshape(3, 1, 1)


BARE = _planes(0.97, 0.90, 0.88)
COVER = _planes(0.96, 0.92, 0.90)
HAIR = _planes(0.16, 0.11, 0.10)


def skin(canvas: Canvas, rng: Generator, tan: float, flush: float) -> Layers:
    """Skin with mottled pigment and blood, and on some pictures freckles.

    Args:
        canvas: the view.
        rng: source of the texture.
        tan, flush: mean amounts of melanin and blood.
    """
    layers = blank(canvas)
    grain = canvas.waves(rng, 0.3, 0.08, count=48)
    layers[MELANIN] = tan * (1.0 + 0.15 * canvas.waves(rng, 3.0, 0.4) + 0.16 * grain)
    layers[BLOOD] = flush * (1.0 + 0.2 * canvas.waves(rng, 2.0, 0.3) + 0.1 * grain)
    layers[KERATIN] = 0.05
    if rng.random() < 0.2:  # sun-damaged
        layers[MELANIN] += 0.16 * ramp(canvas.waves(rng, 1.0, 0.2), 0.7, 2.2)
    return np.maximum(layers, 0.0)


def photograph(canvas: Canvas, rng: Generator, layers: Layers) -> NDArray[np.uint8]:
    """The picture of some layers, uint8 RGB [H, W, 3].

    Absorption by Beer and Lambert; then hairs, ruler and gel; then light, lens and noise.
    """
    absorbance = np.tensordot(ABSORBANCE.T, layers[:WHITE], axes=1)
    cover = np.clip(layers[WHITE], 0.0, 0.9)
    picture = BARE * np.exp(-np.maximum(absorbance, 0.0)) * (1.0 - cover) + COVER * cover

    view = Canvas(canvas.shape[1], canvas.shape[0])
    if rng.random() < 0.35:
        hair = view.lines(_hairs(rng)) * rng.uniform(0.4, 0.9)
        picture = picture * (1.0 - hair) + HAIR * hair
    if rng.random() < 0.12:
        picture *= 1.0 - 0.85 * view.lines(_ruler(rng))
    if rng.random() < 0.15:
        picture += 0.3 * _bubbles(view, rng)

    tint = _planes(1.0, *rng.normal([0.96, 0.98], [0.035, 0.05]))  # white balance
    slope_x, slope_y = rng.normal(0, 0.03, 2).tolist()
    light = rng.uniform(0.85, 1.07) * (1.0 + slope_x * view.x + slope_y * view.y[:, None])
    picture *= tint * (light * _vignette(view, rng))
    picture += rng.uniform(0.005, 0.02) * rng.standard_normal(canvas.shape, dtype=np.float32)
    eight_bits = (np.clip(picture, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
    return np.ascontiguousarray(np.moveaxis(eight_bits, 0, 2))


def _vignette(view: Canvas, rng: Generator) -> Field:
    """Fall of light to the edges, or the black rim of the tube on some pictures."""
    r = np.hypot(view.x, view.y[:, None])
    fall = 1.0 - rng.uniform(0.0, 0.025) * r**2
    if rng.random() < 0.15:
        rim = rng.uniform(2.15, 2.6)
        fall = fall * (0.06 + 0.94 * ramp(r, rim, rim - 0.15))
    return fall.astype(np.float32)


def _hairs(rng: Generator) -> list[tuple[NDArray, float]]:
    """Long bent hairs that run roughly one way."""
    t = np.linspace(-1.0, 1.0, 16)
    way, width = rng.uniform(0, np.pi), rng.uniform(0.014, 0.03)
    curves = []
    for _ in range(rng.integers(2, 14)):
        heading = way + rng.normal(0, 0.4)
        along, across = rng.uniform(0.5, 2.0) * t, rng.normal(0, 0.3) * t**2
        turn = np.array([[np.cos(heading), np.sin(heading)], [-np.sin(heading), np.cos(heading)]])
        curves.append((np.stack([along, across], axis=1) @ turn + rng.uniform(-1.8, 1.8, 2), width))
    return curves


def _ruler(rng: Generator) -> list[tuple[NDArray, float]]:
    """The millimetre ticks of a contact plate along one edge."""
    edge, step = rng.uniform(1.45, 1.75), rng.uniform(0.25, 0.4)
    sign, upright = rng.choice([-1.0, 1.0]), rng.random() < 0.5
    ticks = []
    for i, at in enumerate(np.arange(-2.4, 2.4, step)):
        points = np.array([[at, edge], [at, edge - (0.22 if i % 5 else 0.36)]]) * [1.0, sign]
        ticks.append((points if upright else points[:, ::-1] * [1.3, 1.0], 0.03))
    return ticks


def _bubbles(view: Canvas, rng: Generator) -> Field:
    """Bright rings of air bubbles in the gel [H, W]."""
    rings = np.zeros(view.shape, dtype=np.float32)
    for _ in range(rng.integers(1, 6)):
        x, y = rng.uniform(-2.2, 2.2), rng.uniform(-1.7, 1.7)
        radius = rng.uniform(0.04, 0.18)
        r = np.hypot(view.x - x, view.y[:, None] - y)
        rings += np.exp(-(((r - radius) / 0.025) ** 2)) * (0.6 + 0.4 * np.sign(view.x - x))
    return rings
