"""Size and colour of a lesion inside its mask."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lentigo.errors import DataError, ImageError
from lentigo.runtime import decode

__all__ = ["Measured", "measure", "read_mask"]

# sRGB to XYZ, rows divided by the white point D65 (IEC 61966-2-1).
_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE = _TO_XYZ.sum(axis=1)


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


def read_mask(path: Path, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """A mask, bool [H, W]: true where the file is brighter than half.

    Args:
        path: an image file of two values.
        shape: height and width of the image that it belongs to.

    Raises:
        DataError: it can't be read, has another size or more than two values, is empty, or covers the whole image.
    """
    try:
        values = decode(path)
    except ImageError as error:
        raise DataError(error.message, error.hint) from None
    if values.shape[:2] != shape[:2]:
        (height, width), (tall, wide) = values.shape[:2], shape[:2]
        raise DataError(
            f"{path}: the mask has {width}x{height} pixels, its image {wide}x{tall}.", "Use a mask of this image."
        )
    grey = values.max(axis=2)
    if ((grey > 63) & (grey < 192)).mean() > 0.02:
        raise DataError(f"{path}: more than two values: not a mask.", "Use black for skin and white for the lesion.")
    mask = grey > 127
    if not mask.any():
        raise DataError(f"{path}: the mask is empty.", "Outline the lesion, or leave the mask out.")
    if mask.all():
        raise DataError(f"{path}: the mask covers the whole image.", "Outline the lesion, or leave the mask out.")
    return mask


def measure(pixels: NDArray[np.uint8], mask: NDArray[np.bool_]) -> Measured:
    """Size and colour of a lesion, of an image uint8 [H, W, 3] and its mask [H, W]."""
    lab = _cielab(pixels)
    inside, outside = lab[mask].mean(axis=0), lab[~mask].mean(axis=0)
    edges = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    return Measured(float(mask.mean()), _triple(inside), _triple(inside - outside), bool(edges.any()))


def _cielab(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """CIE L*a*b* [H, W, 3] of sRGB, D65 (CIE 15:2004)."""
    value = rgb / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    t = linear @ _TO_XYZ.T / _WHITE
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


def _triple(values: NDArray[np.float64]) -> tuple[float, float, float]:
    one, two, three = (round(float(v), 2) for v in values)
    return one, two, three
