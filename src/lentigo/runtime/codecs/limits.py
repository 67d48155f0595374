"""What every format's reader refuses: too many pixels, several pictures in one file, a scale that nobody stated."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lentigo.errors import ImageError

__all__ = ["MAX_PIXELS", "damaged", "from_16_bits", "refuse_several", "refuse_size", "refuse_unused_range"]

MAX_PIXELS = 64_000_000
"""Largest image that is decoded, in pixels: above any dermatoscope or phone camera, below what exhausts memory."""


def damaged(reason: object) -> ImageError:
    """The error for a file that isn't whole."""
    return ImageError(f"damaged or truncated ({reason}).", "Fetch or export the image again.")


def refuse_size(width: int, height: int) -> None:
    """Stop before decoding: the header alone tells the size.

    Raises:
        ImageError: no pixels, or more than `MAX_PIXELS`.
    """
    if width < 1 or height < 1:
        raise damaged(f"{width}x{height} pixels")
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"{width}x{height} pixels is more than the {MAX_PIXELS:,} that are decoded.", "Downscale it first."
        )


def refuse_several(pictures: int) -> None:
    """Refuse a file of several pictures, since nothing says which of them is meant."""
    if pictures > 1:
        raise ImageError("it holds several pictures.", "Save the one that is meant as PNG or JPEG.")


def refuse_unused_range(high_bytes: NDArray[np.uint8]) -> None:
    """Refuse 16-bit pictures that use none of the upper three quarters of their range.

    Cameras of 8 to 14 bits are often saved in 16 without a word on what white is. Read as 16 bits they are nearly
    black; how much to brighten them would be a guess.
    """
    if high_bytes.max() < 64:
        raise ImageError(
            "a 16-bit picture whose values all lie in the lowest quarter: what its white is isn't stated.",
            "Save it with 8 bits per channel, adjusted to look correct on screen.",
        )


def from_16_bits(values: NDArray[np.integer]) -> Image.Image:
    """Grey of 16 bits as 8: the high bytes.

    Raises:
        ImageError: the values use so little of the range that their scale is in doubt.
    """
    high_bytes = (values.astype(np.uint16) >> 8).astype(np.uint8)
    refuse_unused_range(high_bytes)
    return Image.fromarray(high_bytes)
