"""Size and colour of a lesion inside its mask."""

import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lentigo.errors import DataError, ImageError
from lentigo.runtime.colour import cielab
from lentigo.runtime.lesion_masks import read_mask

__all__ = ["Measured", "lesion_in", "measure"]


@dataclass(frozen=True)
class Measured:
    """A lesion inside its mask.

    Attributes:
        area: share of the image, 0 to 1. Without a scale it says nothing in millimetres.
        colour: mean CIE L*, a*, b* inside the mask.
        contrast: that, less the mean of what is outside the mask.
        touches_border: whether the mask reaches the image's border, so that the lesion may be larger.
    """

    area: float
    colour: tuple[float, float, float]
    contrast: tuple[float, float, float]
    touches_border: bool


def lesion_in(source: str | os.PathLike[str], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """A mask [H, W] that leaves some skin, whose colour the lesion's is compared with.

    Args:
        source: an image file, white where the lesion is, black elsewhere.
        shape: of the image that it belongs to.

    Raises:
        DataError: as `runtime.lesion_masks.read_mask`, it can't be read, or it covers the whole image.
    """
    try:
        mask = read_mask(source, (shape[0], shape[1]))
    except ImageError as error:
        raise DataError(error.message, error.hint) from None
    if mask.all():
        raise DataError(f"{source}: the mask covers the whole image.", "Outline the lesion, or leave the mask out.")
    return mask


def measure(pixels: NDArray[np.uint8], mask: NDArray[np.bool_]) -> Measured:
    """Size and colour of a lesion, of an image uint8 [H, W, 3] and its mask [H, W]."""
    lab = cielab(pixels)
    inside, outside = lab[mask].mean(axis=0), lab[~mask].mean(axis=0)
    edges = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    return Measured(float(mask.mean()), _triple(inside), _triple(inside - outside), bool(edges.any()))


def _triple(values: NDArray[np.float64]) -> tuple[float, float, float]:
    one, two, three = (round(float(v), 2) for v in values)
    return one, two, three
