"""Figures of the model's evidence: the image beside its heat map, with colour scale, model input and caption."""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

__all__ = ["COLOURS", "draw", "heat"]

_ANCHORS = (
    "440154 481769 472a7a 433d84 3d4e8a 355e8d 2e6d8e 297b8e 23898e 1f978b 21a585 2eb37c 46c06f 65cb5e 89d548 b0dd2f "
    "d8e219 fde725"
)
COLOURS: NDArray[np.uint8] = np.stack(
    [
        np.interp(np.linspace(0, 1, 256), np.linspace(0, 1, 18), channel).round().astype(np.uint8)
        for channel in np.array([list(bytes.fromhex(c)) for c in _ANCHORS.split()]).T
    ],
    axis=1,
)
"""viridis [256, 3]: perceptually uniform, also in grey and for colour-blind people (matplotlib, CC0)."""

_SHORT, _LONG = 360, 900
"""Sides of a panel in pixels: the shorter is scaled to the first unless the longer would exceed the second."""
_MARGIN, _GAP = 16, 12
_MIN_WIDTH = 2 * _SHORT + _GAP
_STRENGTH = 0.6
"""Opacity of the overlay, the same everywhere so that colours match the scale."""
_PAPER, _INK, _FAINT = (255, 255, 255), (20, 20, 20), (90, 90, 90)


def heat(cam: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """The positive part of a map, scaled to a maximum of 1, over an image: float32 [height, width].

    Args:
        cam: class-activation map [h, w] over the central square.
        height, width: of the image, in pixels.
    """
    positive = np.nan_to_num(np.maximum(cam, 0), nan=0.0, posinf=0.0)
    if positive.max() > 0:
        positive = positive / positive.max()
    left, top, side = _square(width, height)
    spread = Image.fromarray(positive.astype(np.float32)).resize((side, side), Image.Resampling.BILINEAR)
    placed = np.zeros((height, width), np.float32)
    placed[top : top + side, left : left + side] = np.clip(np.asarray(spread), 0, 1)
    return placed


def draw(pixels: NDArray[np.uint8], cam: NDArray[np.float32] | None, title: str, notes: list[str]) -> Image.Image:
    """The figure: image, overlaid heat map, colour scale, caption.

    Args:
        pixels: the image, uint8 [H, W, 3].
        cam: class-activation map [h, w] of the diagnosis; None draws the image alone.
        title: first line of the caption.
        notes: further paragraphs of it.
    """
    panel = _scaled(pixels)
    panels = [panel] if cam is None else [panel, _overlaid(panel, cam)]
    for each in panels:
        _outline(each)
    beside = panel.width <= 1.5 * panel.height
    across = len(panels) if beside else 1
    width = max(across * panel.width + (across - 1) * _GAP, _MIN_WIDTH)
    empty = cam is not None and not np.maximum(cam, 0).max() > 0
    if empty:
        notes = ["The map is empty: no region of the square has net evidence for this diagnosis.", *notes]
    lines = [(title, _font(19), _INK)] + [(line, _font(14), _FAINT) for line in notes]
    wrapped = [(part, font, ink) for text, font, ink in lines for part in _wrap(text, font, width)]
    down = 1 if beside else len(panels)
    below = _MARGIN + down * panel.height + (down - 1) * _GAP + _GAP
    scale_height = 0 if cam is None or empty else 44
    text_height = sum(_line_height(font) for _, font, _ in wrapped)
    canvas = Image.new("RGB", (width + 2 * _MARGIN, below + scale_height + text_height + _MARGIN), _PAPER)
    for k, each in enumerate(panels):
        offset = k * ((panel.width if beside else panel.height) + _GAP)
        canvas.paste(each, (_MARGIN + offset, _MARGIN) if beside else (_MARGIN, _MARGIN + offset))
    if scale_height:
        _scale(canvas, below, width)
    y, pen = below + scale_height, ImageDraw.Draw(canvas)
    for text, font, ink in wrapped:
        pen.text((_MARGIN, y), text, fill=ink, font=font)
        y += _line_height(font)
    return canvas


def _square(width: int, height: int) -> tuple[int, int, int]:
    """Left, top and side of the central square, which is the model's input."""
    side = min(width, height)
    return (width - side) // 2, (height - side) // 2, side


def _scaled(pixels: NDArray[np.uint8]) -> Image.Image:
    """The image at the size of a panel."""
    height, width = pixels.shape[:2]
    scale = min(_SHORT / min(height, width), _LONG / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    # Greatly enlarged images show their pixels rather than an interpolated blur.
    how = Image.Resampling.NEAREST if scale > 3 else Image.Resampling.LANCZOS
    return Image.fromarray(pixels).resize(size, how)


def _overlaid(panel: Image.Image, cam: NDArray[np.float32]) -> Image.Image:
    """The heat map on a grey copy of the image: skin colours could be mistaken for evidence."""
    values = heat(cam, panel.height, panel.width)
    grey = _evened(np.asarray(panel.convert("L"), np.float32))[..., None].repeat(3, axis=2)
    mixed = 140 + 0.45 * grey  # outside of the square, which the model doesn't see
    left, top, side = _square(*panel.size)
    inside = (slice(top, top + side), slice(left, left + side))
    if values.any():
        colours = COLOURS[(values[inside] * 255).round().astype(np.uint8)].astype(np.float32)
        mixed[inside] = (1 - _STRENGTH) * grey[inside] + _STRENGTH * colours
    else:  # the colour of 0 everywhere would look like a heat map
        mixed[inside] = grey[inside]
    return Image.fromarray(mixed.round().clip(0, 255).astype(np.uint8))


def _evened(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """Grey levels stretched to a fixed range, so that the overlay looks alike on dark and light skin."""
    low, high = np.percentile(grey, (1, 99))
    return 60 + 160 * np.clip((grey - low) / max(high - low, 1.0), 0, 1)


def _outline(panel: Image.Image) -> None:
    """The model's input square: white between black lines, visible on any skin."""
    left, top, side = _square(*panel.size)
    pen = ImageDraw.Draw(panel)
    for inset, ink in ((0, (0, 0, 0)), (1, (255, 255, 255)), (2, (255, 255, 255)), (3, (0, 0, 0))):
        if side > 2 * inset:
            pen.rectangle((left + inset, top + inset, left + side - 1 - inset, top + side - 1 - inset), outline=ink)


def _scale(canvas: Image.Image, y: int, width: int) -> None:
    """The colour scale from no evidence to the strongest, blended with grey as in the overlay."""
    shown = (1 - _STRENGTH) * 140 + _STRENGTH * COLOURS.astype(np.float32)
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
