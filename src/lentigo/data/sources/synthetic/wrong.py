"""Pictures that show no skin lesion, to test whether a model notices: drawn from a seed, no photograph involved.

Crude on purpose: what counts is that colours, edges and layout are those of such pictures at thumbnail size.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from lentigo.errors import DataError

__all__ = ["KINDS", "wrong_image"]

Generator = np.random.Generator
Colour = tuple[int, int, int]
Size = tuple[int, int]
"""Width and height in pixels."""

WORDS = [
    "the",
    "of",
    "and",
    "patient",
    "with",
    "lesion",
    "report",
    "on",
    "a",
    "in",
    "is",
    "no",
    "date",
    "result",
    "was",
    "for",
    "seen",
    "left",
    "arm",
    "normal",
    "as",
    "to",
]


def wrong_image(kind: str, seed: int, size: Size = (256, 192)) -> NDArray[np.uint8]:
    """Draw one picture, uint8 [H, W, 3]; the same for the same kind, seed and size.

    Args:
        kind: one of `KINDS`.
        seed: seed of everything in it.
        size: width and height in pixels.

    Raises:
        DataError: no such kind.
    """
    if kind not in KINDS:
        raise DataError(f"Unknown kind of wrong image {kind!r}.", f"Kinds: {', '.join(KINDS)}.")
    image = KINDS[kind](np.random.default_rng(seed), size)
    return np.asarray(image.convert("RGB"))


def _noise(rng: Generator, size: Size) -> Image.Image:
    """Coloured squares of 1 to 32 pixels."""
    cell = int(rng.choice([1, 2, 4, 8, 16, 32]))
    cells = rng.integers(0, 256, (-(-size[1] // cell), -(-size[0] // cell), 3), dtype=np.uint8)
    return Image.fromarray(cells).resize(size, Image.Resampling.NEAREST)


def _blank(rng: Generator, size: Size) -> Image.Image:
    """One colour, a faint shading and a camera's noise: a lens cap, a wall, a sheet of paper."""
    shade = np.linspace(-1, 1, size[0])[None, :, None] * rng.uniform(0, 12)
    grain = rng.normal(0, rng.uniform(1, 4), (size[1], size[0], 3))
    return _picture(_colours(rng, 1) + shade + grain)


def _texture(rng: Generator, size: Size) -> Image.Image:
    """Two to three colours mixed by a stretched cloud: fur, cloth, wood, stone, leaves."""
    stretch = (rng.uniform(1, 6), 1.0)
    weight = _cloud(rng, size, rng.uniform(0.2, 1.2), stretch)
    colours = _colours(rng, 3)
    mixed = colours[0] + (colours[1] - colours[0]) * weight
    if rng.random() < 0.5:
        mixed += (colours[2] - mixed) * (_cloud(rng, size, 0.5) > 0.6)
    return _picture(mixed)


def _scene(rng: Generator, size: Size) -> Image.Image:
    """Sky over a ground, with hills, houses and trees."""
    width, height = size
    horizon = int(height * rng.uniform(0.35, 0.7))
    sky = np.linspace(0, 1, height)[:, None, None] * np.array([90, 60, 20]) + rng.uniform(
        [60, 100, 160], [140, 180, 255]
    )
    sky = sky + (255 - sky) * 0.6 * np.clip(_cloud(rng, size, 1.0, (3, 1)) * 2 - 1, 0, 1)
    ground = rng.uniform([30, 60, 20], [150, 160, 90]) + 70 * (_cloud(rng, size, 0.4) - 0.5)
    image = _picture(np.where(np.arange(height)[:, None, None] < horizon, sky, ground + np.zeros_like(sky)))
    draw = ImageDraw.Draw(image)
    for _ in range(rng.integers(0, 3)):
        x, reach = rng.uniform(0, width), rng.uniform(0.3, 0.9) * width
        _ellipse(draw, (x, horizon), (reach, rng.uniform(0.1, 0.3) * height), _mixed(rng, (40, 70, 50), 30))
    for _ in range(rng.integers(0, 5)):
        left, top = rng.uniform(0, width), horizon - rng.uniform(0.05, 0.4) * height
        right, bottom = left + rng.uniform(0.1, 0.3) * width, horizon + rng.uniform(0, 0.15) * height
        draw.rectangle((left, top, right, bottom), fill=_mixed(rng, (150, 120, 100), 80))
        for x in np.arange(left + 5, right - 8, 14):
            for y in np.arange(top + 6, bottom - 8, 16):
                draw.rectangle((x, y, x + 6, y + 8), fill=_mixed(rng, (50, 60, 80), 40))
    for _ in range(rng.integers(0, 5)):
        x, radius = rng.uniform(0, width), rng.uniform(0.05, 0.16) * height
        draw.rectangle((x - 3, horizon - radius, x + 3, horizon + 2 * radius), fill=(80, 60, 40))
        _ellipse(draw, (x, horizon - radius), (radius, radius * 1.2), _mixed(rng, (40, 95, 40), 30))
    return image


def _face(rng: Generator, size: Size) -> Image.Image:
    """A head with hair, eyes and a mouth before a background."""
    image = _texture(rng, size).filter(ImageFilter.GaussianBlur(6))
    draw, (width, height) = ImageDraw.Draw(image), size
    x, y = width * rng.uniform(0.42, 0.58), height * rng.uniform(0.45, 0.55)
    wide, tall = height * rng.uniform(0.2, 0.32), height * rng.uniform(0.3, 0.42)
    skin = _mixed(rng, *(((225, 175, 150), 25) if rng.random() < 0.6 else ((120, 80, 60), 30)))
    dark: Colour = (skin[0] * 6 // 10, skin[1] * 5 // 10, skin[2] * 5 // 10)
    draw.rectangle((x - 2 * wide, y + tall * 1.1, x + 2 * wide, 2 * height), fill=_mixed(rng, (110, 110, 110), 100))
    _ellipse(draw, (x, y - tall * 0.25), (wide * 1.2, tall), _mixed(rng, (70, 50, 40), 40))
    draw.rectangle((x - wide * 0.4, y, x + wide * 0.4, y + tall * 1.25), fill=skin)
    _ellipse(draw, (x, y), (wide, tall), skin)
    for side in (-1, 1):
        _ellipse(draw, (x + side * wide * 0.42, y - tall * 0.15), (wide * 0.2, tall * 0.09), (240, 240, 240))
        _ellipse(draw, (x + side * wide * 0.42, y - tall * 0.15), (wide * 0.09, tall * 0.08), (40, 40, 40))
        _ellipse(draw, (x + side * wide * 0.42, y - tall * 0.32), (wide * 0.25, tall * 0.03), dark)
    _ellipse(draw, (x, y + tall * 0.15), (wide * 0.1, tall * 0.12), dark)
    _ellipse(draw, (x, y + tall * 0.5), (wide * 0.35, tall * 0.07), (170, 70, 70))
    return image.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 3)))


def _text(rng: Generator, size: Size) -> Image.Image:
    """A page of print, or of a dark screen."""
    paper, ink = _mixed(rng, (235, 235, 230), 20), _mixed(rng, (30, 30, 40), 30)
    if rng.random() < 0.25:
        paper, ink = ink, paper
    image = Image.new("RGB", size, paper)
    draw, height = ImageDraw.Draw(image), int(rng.integers(9, 26))
    font, step = ImageFont.load_default(height), int(height * rng.uniform(1.2, 1.8))
    for y in range(int(rng.integers(4, 20)), size[1], step):
        draw.text((int(rng.integers(4, 16)), y), " ".join(rng.choice(WORDS, rng.integers(2, 14))), fill=ink, font=font)
    return image


def _radiograph(rng: Generator, size: Size) -> Image.Image:
    """A chest in greys: dark lungs, ribs, spine, heart."""
    (width, height), tone = size, int(rng.integers(120, 190))
    image = Image.new("L", size, int(rng.integers(5, 50)))
    draw, middle = ImageDraw.Draw(image), width / 2 + rng.uniform(-8, 8)
    _ellipse(draw, (middle, height * 0.6), (width * 0.42, height * 0.62), tone)
    for side in (-1, 1):
        _ellipse(draw, (middle + side * width * 0.18, height * 0.5), (width * 0.13, height * 0.36), tone // 3)
        for y in np.linspace(0.15, 0.8, 8) * height:
            x = middle + side * width * 0.18
            draw.arc((x - width * 0.17, y, x + width * 0.17, y + height * 0.2), 190, 350, tone * 2 // 3, 4)
    _ellipse(draw, (middle + width * 0.05, height * 0.62), (width * 0.11, height * 0.17), tone)
    draw.rectangle((middle - width * 0.03, 0, middle + width * 0.03, height), fill=min(tone + 30, 255))
    soft = np.asarray(image.filter(ImageFilter.GaussianBlur(rng.uniform(2, 5))), float)
    return _picture((soft + rng.normal(0, 4, soft.shape))[..., None].repeat(3, axis=2))


def _histology(rng: Generator, size: Size) -> Image.Image:
    """A stained section: pink tissue, purple nuclei, white gaps."""
    tissue = rng.uniform([205, 130, 165], [240, 190, 215]) + 50 * (_cloud(rng, size, 0.5) - 0.5)
    image = _picture(np.where(_cloud(rng, size, 1.0) > rng.uniform(0.65, 0.95), [245.0, 240, 245], tissue))
    draw, radius = ImageDraw.Draw(image), rng.uniform(2, 7)
    for x, y in rng.uniform(0, 1, (int(rng.integers(80, 400)), 2)) * size:
        _ellipse(draw, (x, y), tuple(radius * rng.uniform(0.7, 1.4, 2)), _mixed(rng, (95, 55, 135), 25))
    return image.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 1.5)))


def _drawing(rng: Generator, size: Size) -> Image.Image:
    """Flat coloured shapes: a logo, a chart, a screenshot."""
    image = Image.new("RGB", size, _mixed(rng, (230, 230, 230), 25))
    draw = ImageDraw.Draw(image)
    for _ in range(rng.integers(3, 14)):
        centre, reach = rng.uniform(0, 1, 2) * size, rng.uniform(0.03, 0.25, 2) * size
        colour = _mixed(rng, (128, 128, 128), 127)
        if rng.random() < 0.6:
            draw.rectangle((*(centre - reach), *(centre + reach)), fill=colour)
        else:
            _ellipse(draw, tuple(centre), tuple(reach), colour)
    return image


KINDS: dict[str, Callable[[Generator, Size], Image.Image]] = {
    "noise": _noise,
    "blank": _blank,
    "texture": _texture,
    "scene": _scene,
    "face": _face,
    "text": _text,
    "radiograph": _radiograph,
    "histology": _histology,
    "drawing": _drawing,
}
"""What can be drawn, by name."""


def _cloud(rng: Generator, size: Size, smooth: float, stretch: tuple[float, float] = (1, 1)) -> NDArray[np.float64]:
    """Random field [H, W, 1] over 0 to 1, of octaves whose weight falls by 2 ** -smooth from coarse to fine."""
    field = np.zeros((size[1], size[0]))
    for octave in range(2, 8):
        cells = [max(2, round(2**octave / s)) for s in stretch]
        coarse = Image.fromarray(rng.normal(0, 1, (cells[1], cells[0])).astype(np.float32))
        field += 2 ** (-smooth * octave) * np.asarray(coarse.resize(size, Image.Resampling.BICUBIC))
    return ((field - field.min()) / np.ptp(field))[..., None]


def _colours(rng: Generator, count: int) -> NDArray[np.float64]:
    """Colours [count, 3]: any, or, half of the time, warm ones such as fur, wood and skin have."""
    if rng.random() < 0.5:
        return rng.uniform(0, 255, (count, 3))
    return rng.uniform(40, 255, (count, 1)) * [1, 0.8, 0.65] + rng.uniform(-25, 25, (count, 3))


def _picture(values: NDArray) -> Image.Image:
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def _mixed(rng: Generator, colour: Colour, reach: int) -> Colour:
    """A colour near another."""
    red, green, blue = (int(np.clip(c + rng.integers(-reach, reach + 1), 0, 255)) for c in colour)
    return red, green, blue


def _ellipse(draw: ImageDraw.ImageDraw, centre: tuple, reach: tuple, fill: Colour | int) -> None:
    (x, y), (a, b) = centre, reach
    draw.ellipse((x - a, y - b, x + a, y + b), fill=fill)
