"""The panels of a heat map's figure: the image, the map over it, its contours, and the map alone."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from lentigo.runtime.heat import COLOURS, central, heat

__all__ = ["LEVELS", "STRENGTH", "STYLES", "outline", "outline_lesion", "overlaid", "scaled"]

_SHORT, _LONG = 360, 900
"""Sides of a panel in pixels: the shorter is scaled to the first unless the longer would exceed the second."""
STRENGTH = 0.6
"""Opacity of the overlay, the same everywhere so that colours match the scale."""
LEVELS = (0.25, 0.5, 0.75)
"""Where contours are drawn, in shares of the strongest evidence."""


def scaled(pixels: NDArray[np.uint8]) -> Image.Image:
    """The image at the size of a panel."""
    height, width = pixels.shape[:2]
    scale = min(_SHORT / min(height, width), _LONG / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    # Greatly enlarged images show their pixels rather than an interpolated blur.
    how = Image.Resampling.NEAREST if scale > 3 else Image.Resampling.LANCZOS
    return Image.fromarray(pixels).resize(size, how)


def overlaid(panel: Image.Image, cam: NDArray[np.float32]) -> Image.Image:
    """The heat map on a grey copy of the image: skin colours could be mistaken for evidence."""
    values = heat(cam, panel.height, panel.width)
    grey = _evened(np.asarray(panel.convert("L"), np.float32))[..., None].repeat(3, axis=2)
    mixed = 140 + 0.45 * grey  # outside of the square, which the model doesn't see
    inside = _inside(panel)
    if values.any():
        mixed[inside] = (1 - STRENGTH) * grey[inside] + STRENGTH * _coloured(values[inside])
    else:  # the colour of 0 everywhere would look like a heat map
        mixed[inside] = grey[inside]
    return _image(mixed)


def contoured(panel: Image.Image, cam: NDArray[np.float32]) -> Image.Image:
    """Contours of the map at `LEVELS` on the image in its own colours: each line between black ones."""
    values = heat(cam, panel.height, panel.width)
    drawn = np.asarray(panel).copy()
    for level in LEVELS:
        above = values >= level
        drawn[_edge(above, 3)] = 0
        drawn[_edge(above, 2)] = COLOURS[round(255 * level)]
    return Image.fromarray(drawn)


def alone(panel: Image.Image, cam: NDArray[np.float32]) -> Image.Image:
    """The map without the image; grey outside of the square, and everywhere if it is empty."""
    values = heat(cam, panel.height, panel.width)
    drawn = np.full((panel.height, panel.width, 3), 200.0, np.float32)
    inside = _inside(panel)
    if values.any():
        drawn[inside] = _coloured(values[inside])
    return _image(drawn)


STYLES: dict[str, tuple[Callable[[Image.Image, NDArray[np.float32]], Image.Image] | None, ...]] = {
    "side-by-side": (None, overlaid),
    "overlay": (overlaid,),
    "contour": (contoured,),
    "map": (alone,),
}
"""The panels of each style; None is the image itself."""


def outline(panel: Image.Image) -> None:
    """Draw the model's input square: white between black lines, visible on any skin."""
    left, top, side = central(*panel.size)
    pen = ImageDraw.Draw(panel)
    for inset, ink in ((0, (0, 0, 0)), (1, (255, 255, 255)), (2, (255, 255, 255)), (3, (0, 0, 0))):
        if side > 2 * inset:
            pen.rectangle((left + inset, top + inset, left + side - 1 - inset, top + side - 1 - inset), outline=ink)


def outline_lesion(panel: Image.Image, mask: NDArray[np.bool_]) -> None:
    """Draw the lesion's edge: a white line within a black one.

    Args:
        panel: what to draw on.
        mask: where the lesion is, bool [H, W] over the image.
    """
    where = np.asarray(Image.fromarray(mask.astype(np.uint8)).resize(panel.size, Image.Resampling.NEAREST)) > 0
    drawn = np.asarray(panel).copy()
    drawn[_edge(where, 2)] = 0
    drawn[_edge(where, 1)] = 255
    panel.paste(Image.fromarray(drawn))


def _edge(where: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """Pixels at most `reach` - 1 steps from the inner edge of a region; the picture's own edge is none."""
    padded = np.pad(where, 1, mode="edge")
    eroded = padded[2:, 1:-1] & padded[:-2, 1:-1] & padded[1:-1, 2:] & padded[1:-1, :-2]
    edge = where & ~eroded
    for _ in range(reach - 1):
        grown = edge.copy()
        grown[1:] |= edge[:-1]
        grown[:-1] |= edge[1:]
        grown[:, 1:] |= edge[:, :-1]
        grown[:, :-1] |= edge[:, 1:]
        edge = grown
    return edge


def _inside(panel: Image.Image) -> tuple[slice, slice]:
    left, top, side = central(*panel.size)
    return slice(top, top + side), slice(left, left + side)


def _coloured(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return COLOURS[(values * 255).round().astype(np.uint8)].astype(np.float32)


def _image(values: NDArray[np.float32]) -> Image.Image:
    return Image.fromarray(values.round().clip(0, 255).astype(np.uint8))


def _evened(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """Grey levels stretched to a fixed range, so that the overlay looks alike on dark and light skin."""
    low, high = np.percentile(grey, (1, 99))
    return 60 + 160 * np.clip((grey - low) / max(high - low, 1.0), 0, 1)
