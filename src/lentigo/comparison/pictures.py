"""Images side by side, each with a few words under it, and a sentence under all."""

import os
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from lentigo.atomic import replacing, writable
from lentigo.errors import OutputError
from lentigo.runtime.heatmap_files import mark, refuse_to_replace, save

__all__ = ["outlined", "picture_file", "side_by_side"]

SIDE = 220
GAP = 12
LINE = 17
ACROSS = 6
"""Pictures in a row."""
_INK, _PAPER, _OUTLINE = (28, 28, 30), (255, 255, 255), (0, 114, 178)
_ENDINGS = (".png", ".jpg", ".jpeg")


def picture_file(out: str | os.PathLike[str], *, overwrite: bool) -> Path:
    """Where `side_by_side` is to write, refused before any work if it can't.

    Raises:
        OutputError: another ending than .png or .jpg, its folder can't be written to, or the file exists; `overwrite`
            lets a picture drawn by lentigo be replaced, and nothing else.
    """
    file = writable(out)
    refuse_to_replace(file, overwrite=overwrite)
    if file.suffix.lower() not in _ENDINGS:
        raise OutputError(f"{file}: the picture's name must end in .png or .jpg.", "Rename the output.")
    return file


def side_by_side(
    pictures: Sequence[NDArray[np.uint8]], captions: Sequence[Sequence[str]], sentence: str, out: Path
) -> Path:
    """Write a picture of pictures, with the tag of heat maps, so that it is never taken for a lesion.

    Args:
        pictures: uint8 [H, W, 3] each, of any sizes; each keeps its aspect.
        captions: lines under each.
        sentence: under all of them.
        out: as `picture_file` gives it.

    Raises:
        OutputError: the file can't be written.
    """
    font = ImageFont.load_default(13)
    columns = min(len(pictures), ACROSS)
    rows = -(-len(pictures) // columns)
    lines = max(len(c) for c in captions)
    cell = SIDE + lines * LINE + GAP
    width = max(columns * (SIDE + GAP) + GAP, 3 * SIDE)
    words = textwrap.wrap(sentence, max(20, width // 7))
    sheet = Image.new("RGB", (width, GAP + rows * cell + (len(words) + 1) * LINE), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for i, (pixels, caption) in enumerate(zip(pictures, captions, strict=True)):
        left, top = GAP + i % columns * (SIDE + GAP), GAP + i // columns * cell
        small = Image.fromarray(pixels)
        scale = SIDE / max(small.size)
        small = small.resize([max(1, round(n * scale)) for n in small.size], Image.Resampling.LANCZOS)
        sheet.paste(small, (left + (SIDE - small.width) // 2, top + (SIDE - small.height) // 2))
        for k, line in enumerate(caption):
            draw.text((left, top + SIDE + 2 + k * LINE), _fitted(line, font), fill=_INK, font=font)
    for k, line in enumerate(words):
        draw.text((GAP, GAP + rows * cell + k * LINE), line, fill=_INK, font=font)
    if out.suffix.lower() == ".png":
        return save(sheet, out, {"picture": "comparison"})
    with replacing(out) as partial:
        mark(sheet).save(partial, "JPEG")
    return out


def outlined(pixels: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """An image with the border of a mask [H, W] drawn on it, in blue between white."""
    drawn = pixels.copy()
    width = max(1, round(max(mask.shape) / SIDE))
    inner, outer = mask, mask
    for _ in range(width):
        outer = _grown(outer)
    border = outer & ~inner
    drawn[_grown(border) & ~border] = 255
    drawn[border] = _OUTLINE
    return drawn


def _grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A mask and the pixels beside it."""
    padded = np.pad(mask, 1)
    return padded[1:-1, 1:-1] | padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]


def _fitted(line: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont) -> str:
    """A line cut to the width of a picture."""
    if font.getlength(line) <= SIDE:
        return line
    while line and font.getlength(line + "…") > SIDE:
        line = line[:-1]
    return line + "…"
