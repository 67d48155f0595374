"""Normalisation of 8-bit pixels before a network: scaled to 0..1, or standardised per channel."""

import json
import math
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from lentigo.errors import DataError

__all__ = ["IMAGENET", "UNIT", "Normalisation"]

Channels = tuple[float, float, float]


@dataclass(frozen=True)
class Normalisation:
    """y = (x / 255 - mean) / std for each channel of 8-bit pixels x.

    Attributes:
        mean: red, green, blue, on the scale 0 to 1.
        std: red, green, blue, on the same scale, above 0.

    Raises:
        DataError: not three finite numbers each, or a std that is not above 0.
    """

    mean: Channels = (0.0, 0.0, 0.0)
    std: Channels = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        if len(self.mean) != 3 or len(self.std) != 3 or not all(map(math.isfinite, (*self.mean, *self.std))):
            raise DataError(f"{self} is not a normalisation of three channels.", "Give three means and three stds.")
        if min(self.std) <= 0:
            raise DataError(f"A standard deviation of {min(self.std)} is not a divisor.", "Estimate it on more images.")

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
"""Scaling to 0..1 only."""
IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Statistics of the ImageNet training images, as torchvision's weights expect."""
