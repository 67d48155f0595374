"""Where the lesion is, by a mask that someone gives; and how much of a map lies on it."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lentigo.errors import DataError
from lentigo.runtime.heat import central, heat
from lentigo.runtime.images import ImageSource, decode

__all__ = ["OnLesion", "find_mask", "mask_folder", "on_lesion", "read_mask"]

_NAMES = ("{}_segmentation.png", "{}_mask.png", "{}.png")
"""What a mask of an image is called, as HAM10000 and ISIC do, and otherwise."""


class OnLesion(NamedTuple):
    """How much of a map lies on the lesion.

    Attributes:
        share: of the positive part of the map, 0 to 1; None if the map is empty.
        area: what share of the square that the model sees the lesion covers: what a map without preference would have.
    """

    share: float | None
    area: float

    def __str__(self) -> str:
        covers = f"the lesion covers {self.area:.0%} of the square"
        return f"the map is empty; {covers}" if self.share is None else f"{self.share:.0%} of the map on it; {covers}"


def on_lesion(cam: NDArray[np.float32], mask: NDArray, size: tuple[int, int]) -> OnLesion:
    """How much of a map lies on the lesion.

    Args:
        cam: map [h, w] over the central square.
        mask: where the lesion is, over the whole image [H, W]: bool, or numbers of which those above 0 are lesion.
        size: height and width of the image.

    Raises:
        DataError: the mask is empty within the square, or of another size than the image.
    """
    mask = np.asarray(mask)
    if mask.shape != tuple(size):
        raise DataError(
            f"A mask of shape {mask.shape} for an image of {size[1]}x{size[0]} pixels.",
            "Pass one value for each pixel of the image, [H, W].",
        )
    where = mask > 0
    height, width = where.shape
    left, top, side = central(width, height)
    seen = where[top : top + side, left : left + side]
    if not seen.any():
        raise DataError(
            "The mask is empty: no pixel of the square that the model sees is lesion.", "Check that it is this image's."
        )
    values = heat(cam, height, width).astype(np.float64)
    total = values.sum()
    return OnLesion(float(values[where].sum() / total) if total > 0 else None, float(seen.mean()))


def read_mask(source: ImageSource, size: tuple[int, int] | None = None) -> NDArray[np.bool_]:
    """A mask from its file: bool [H, W], true where the brighter of its two levels is.

    Args:
        source: an image file, white where the lesion is, black elsewhere.
        size: height and width that it must have: those of its image.

    Raises:
        ImageError: it can't be read.
        DataError: it has other colours than black and white, is empty, or is of another size than its image.
    """
    name = os.fsdecode(source) if isinstance(source, str | os.PathLike) else "the given mask"
    pixels = decode(source)
    levels = pixels.max(axis=2)
    if (pixels.min(axis=2) != levels).any() or ((levels > 55) & (levels < 200)).mean() > 0.02:
        raise DataError(f"{name}: not a mask: it has other colours than black and white.", "Name the folder of masks.")
    if size is not None and levels.shape != tuple(size):
        raise DataError(
            f"{name}: the mask is {levels.shape[1]}x{levels.shape[0]}, its image {size[1]}x{size[0]} pixels.",
            "Scale the mask to the size of the image.",
        )
    found = levels > 127
    if not found.any():
        raise DataError(f"{name}: the mask is empty: no pixel of it is lesion.", "Check the mask.")
    return found


def mask_folder(folder: str | os.PathLike[str]) -> Path:
    """A folder of masks.

    Raises:
        DataError: it isn't there.
    """
    place = Path(folder)
    if not place.is_dir():
        raise DataError(f"{place}: there is no such folder of masks.", "Check the path.")
    return place


def find_mask(folder: str | os.PathLike[str], image: str | os.PathLike[str]) -> Path | None:
    """The file of an image's mask: NAME_segmentation.png, NAME_mask.png or NAME.png in the folder; None without one.

    Raises:
        DataError: there is no such folder, or several masks are there.
    """
    place = mask_folder(folder)
    stem = Path(os.fsdecode(image)).stem
    candidates = [place / pattern.format(stem) for pattern in _NAMES]
    own = Path(os.path.realpath(image))
    found = [c for c in candidates if c.is_file() and Path(os.path.realpath(c)) != own]
    if len(found) > 1:
        raise DataError(
            f"{image}: {len(found)} masks of it in {place}: {', '.join(c.name for c in found)}.", "Keep one of them."
        )
    return found[0] if found else None
