"""Figures of a model's evidence: the image and its heat map, with colour scale, model input and caption."""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from lentigo.errors import DataError, did_you_mean
from lentigo.runtime.heat import COLOURS
from lentigo.runtime.heat_panels import STRENGTH, STYLES, outline, outline_lesion, overlaid, scaled

__all__ = ["draw"]

_MARGIN, _GAP = 16, 12
_MIN_WIDTH = 732
_PAPER, _INK, _FAINT = (255, 255, 255), (20, 20, 20), (90, 90, 90)


def draw(
    pixels: NDArray[np.uint8],
    cam: NDArray[np.float32] | None,
    title: str,
    notes: list[str],
    *,
    style: str = "side-by-side",
    lesion: NDArray[np.bool_] | None = None,
    caption: bool = True,
) -> Image.Image:
    """The figure: image, heat map, colour scale, caption.

    Args:
        pixels: the image, uint8 [H, W, 3].
        cam: map [h, w] of the evidence for the diagnosis over the central square; None draws the image alone.
        title: first line of the caption.
        notes: further paragraphs of it.
        style: 'side-by-side' (the image beside the overlay), 'overlay', 'contour' (lines at 25, 50 and 75 % of the
            strongest evidence, on the image in its own colours) or 'map' (the map without the image).
        lesion: where the lesion is, bool [H, W]; its edge is drawn.
        caption: whether the caption and the colour scale are drawn at all.

    Raises:
        DataError: no such style.
    """
    if style not in STYLES:
        raise DataError(f"No style {style!r}.", did_you_mean(style, STYLES))
    panel = scaled(pixels)
    makers = (None,) if cam is None else STYLES[style]
    panels = [panel.copy() if cam is None or make is None else make(panel, cam) for make in makers]
    for each in panels:
        if lesion is not None:
            outline_lesion(each, lesion)
        outline(each)
    beside = panel.width <= 1.5 * panel.height
    across = len(panels) if beside else 1
    width = max(across * panel.width + (across - 1) * _GAP, _MIN_WIDTH if caption else 1)
    empty = cam is not None and not np.maximum(cam, 0).max() > 0
    if empty:
        notes = ["The map is empty: no region of the square has net evidence for this diagnosis.", *notes]
    lines = [(title, _font(19), _INK)] + [(line, _font(14), _FAINT) for line in notes]
    wrapped = [(part, font, ink) for text, font, ink in lines for part in _wrap(text, font, width) if caption]
    down = 1 if beside else len(panels)
    below = _MARGIN + down * panel.height + (down - 1) * _GAP + _GAP
    scale_height = 0 if cam is None or empty or not caption else 44
    text_height = sum(_line_height(font) for _, font, _ in wrapped)
    canvas = Image.new("RGB", (width + 2 * _MARGIN, below + scale_height + text_height + _MARGIN), _PAPER)
    for k, each in enumerate(panels):
        offset = k * ((panel.width if beside else panel.height) + _GAP)
        canvas.paste(each, (_MARGIN + offset, _MARGIN) if beside else (_MARGIN, _MARGIN + offset))
    if scale_height:
        _scale(canvas, below, width, STRENGTH if overlaid in STYLES[style] else 1.0)
    y, pen = below + scale_height, ImageDraw.Draw(canvas)
    for text, font, ink in wrapped:
        pen.text((_MARGIN, y), text, fill=ink, font=font)
        y += _line_height(font)
    return canvas


def _scale(canvas: Image.Image, y: int, width: int, strength: float) -> None:
    """The colour scale from no evidence to the strongest, blended with grey as in the panels."""
    shown = (1 - strength) * 140 + strength * COLOURS.astype(np.float32)
    bar = Image.fromarray(shown.round().astype(np.uint8)[None].repeat(16, axis=0)).resize((width, 16))
    canvas.paste(bar, (_MARGIN, y))
    pen, font = ImageDraw.Draw(canvas), _font(13)
    for x, anchor, text in (
        (0, "la", "0: none, or evidence against"),
        (width / 2, "ma", "0.5"),
        (width, "ra", "1: strongest in this image"),
    ):
        pen.text((_MARGIN + x, y + 19), text, fill=_INK, font=font, anchor=anchor)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _line_height(font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> int:
    box = font.getbbox("Ágjy")
    return round((box[3] - box[1]) * 1.35)


def _wrap(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> list[str]:
    """Lines of at most `width` pixels; a single wider word is cut."""
    lines = [""]
    for word in text.split():
        joined = f"{lines[-1]} {word}".strip()
        if font.getlength(joined) <= width:
            lines[-1] = joined
            continue
        if lines[-1]:
            lines.append("")
        for letter in word:
            if lines[-1] and font.getlength(lines[-1] + letter) > width:
                lines.append("")
            lines[-1] += letter
    return lines
