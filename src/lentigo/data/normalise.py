"""Mean and spread of each channel over some images: the normalisation that makes them 0 and 1."""

import numpy as np
from numpy.typing import NDArray

from lentigo.errors import DataError
from lentigo.normalisation import Normalisation
from lentigo.progress import track

__all__ = ["measure"]

CHUNK = 64
"""Images that are counted at a time."""


def measure(pixels: NDArray[np.uint8], rows: NDArray[np.int64] | None = None) -> Normalisation:
    """Mean and standard deviation of each channel, over all pixels of some images.

    Counts of 8-bit values are whole numbers, so neither the order nor the number of the images rounds anything away.
    A few images are held in memory at a time: `pixels` may be a memory map larger than memory.

    Args:
        pixels: uint8 [N, H, W, 3].
        rows: which images; give those of the training part, or what the network is fed has seen the test images.

    Raises:
        DataError: not such an array, no images, or a channel that is the same everywhere.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[3] != 3:
        raise DataError(
            f"Pixels of type {pixels.dtype} and shape {pixels.shape} are not images.", "Pass uint8 [N, H, W, 3]."
        )
    chosen = np.arange(len(pixels)) if rows is None else np.sort(rows)  # in the order of a memory map
    if len(chosen) == 0 or pixels.size == 0:
        raise DataError("There are no pixels to measure.", "Use a training part that has images.")
    histogram = np.zeros((3, 256), dtype=np.int64)
    chunks = range(0, len(chosen), CHUNK)
    for start in track(chunks, "Measuring colours", len(chunks)):
        part = pixels[chosen[start : start + CHUNK]]
        histogram += [np.bincount(part[..., channel].ravel(), minlength=256) for channel in range(3)]
    share, levels = histogram / histogram.sum(1, keepdims=True), np.arange(256) / 255
    mean = share @ levels
    variance = (share * (levels - mean[:, None]) ** 2).sum(1)
    return Normalisation(tuple(mean.tolist()), tuple(np.sqrt(variance).tolist()))
