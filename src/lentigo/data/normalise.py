"""From 8-bit pixels to what a network is fed, both ways of the literature: 0 to 1, or standardised per channel."""

import json
import math
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from lentigo.errors import DataError
from lentigo.progress import track

__all__ = ["UNIT", "Normalisation", "measure"]

CHUNK = 64
"""Images that are counted at a time."""

Channels = tuple[float, float, float]


@dataclass(frozen=True)
class Normalisation:
    """y = (x / 255 - mean) / std for each channel of 8-bit pixels x.

    Attributes:
        mean: red, green, blue, on the scale of 0 to 1.
        std: red, green, blue, on the same scale, above 0.

    Raises:
        DataError: not three finite numbers each, or a std that is not above 0.
    """

    mean: Channels = (0.0, 0.0, 0.0)
    std: Channels = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        if len(self.mean) != 3 or len(self.std) != 3 or not all(map(math.isfinite, (*self.mean, *self.std))):
            raise DataError(f"{self} is not a normalisation of three channels.", "Give three numbers each.")
        if min(self.std) <= 0:
            raise DataError(f"A standard deviation of {min(self.std)} can't be divided by.", "Measure on more images.")

    def apply(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Normalise pixels [..., H, W, 3], 0 to 255, in the same shape."""
        mean, std = (np.array(values, dtype=np.float32) for values in (self.mean, self.std))
        normalised: NDArray[np.float32] = (pixels.astype(np.float32) / np.float32(255) - mean) / std
        return normalised

    def to_json(self) -> str:
        """One line of JSON with mean and std."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Normalisation":
        """The inverse of `to_json`.

        Raises:
            DataError: not a normalisation.
        """
        try:
            fields = json.loads(text)
            return cls(tuple(map(float, fields["mean"])), tuple(map(float, fields["std"])))  # type: ignore[arg-type]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{text[:80]!r} is not a normalisation ({error}).", "It needs mean and std.") from None


UNIT = Normalisation()
"""Pixels on the scale of 0 to 1 and nothing more."""


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
            f"Pixels of type {pixels.dtype} and shape {pixels.shape} can't be measured.", "Give [N, H, W, 3]."
        )
    chosen = np.arange(len(pixels)) if rows is None else np.sort(rows)  # in the order of a memory map
    if len(chosen) == 0 or pixels.size == 0:
        raise DataError("There are no pixels to measure.", "Give a training part that has images.")
    histogram = np.zeros((3, 256), dtype=np.int64)
    chunks = range(0, len(chosen), CHUNK)
    for start in track(chunks, "Measuring colours", len(chunks)):
        part = pixels[chosen[start : start + CHUNK]]
        histogram += [np.bincount(part[..., channel].ravel(), minlength=256) for channel in range(3)]
    share, levels = histogram / histogram.sum(1, keepdims=True), np.arange(256) / 255
    mean = share @ levels
    variance = (share * (levels - mean[:, None]) ** 2).sum(1)
    return Normalisation(tuple(mean.tolist()), tuple(np.sqrt(variance).tolist()))
