"""The result of every method: a map, and all that is needed to say what it is a map of."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lentigo.errors import BundleError
from lentigo.runtime.heat import heat
from lentigo.runtime.lesion_masks import OnLesion, on_lesion

__all__ = ["Explanation"]


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """A map of the evidence for one diagnosis in one image.

    Attributes:
        map: float32 [h, w] over the square that the model sees, read-only, finite: above 0 where the image speaks for
            the diagnosis, below where it speaks against it, on the scale of its method. Methods that don't tell the two
            apart are nowhere below 0.
        target: id of the diagnosis.
        method: its name in `METHODS`.
        parameters: of the method, with which it gives the same map again.
        size: height and width of the image, in pixels.
        square: left, top and side of the square that the model sees, in pixels of the image.
        source: path or name of the image.
        model: the model's name.
        model_sha256: hash of its file, hexadecimal.
        name: full name of the diagnosis.

    Raises:
        BundleError: the map has values that are not finite.
    """

    map: NDArray[np.float32]
    target: str
    method: str
    parameters: Mapping[str, object]
    size: tuple[int, int]
    square: tuple[int, int, int]
    source: str
    model: str
    model_sha256: str
    name: str = field(default="")

    def __post_init__(self) -> None:
        values = np.array(self.map, dtype=np.float32)  # a copy: the caller may reuse its array
        if values.ndim != 2 or not np.isfinite(values).all():
            raise BundleError(
                f"{self.model}: the map by {self.method} for {self.source} has values that are not finite.",
                "Check the model: its weights or outputs may not be finite either.",
            )
        values.flags.writeable = False
        object.__setattr__(self, "map", values)

    def __repr__(self) -> str:
        height, width = self.map.shape
        shown = "empty" if self.empty else f"{height}x{width}"
        return f"Explanation({self.source!r}: {self.method} for {self.target} by {self.model}, {shown})"

    @property
    def empty(self) -> bool:
        """Whether nothing in the square speaks for the diagnosis: no value is above 0."""
        return not (self.map > 0).any()

    def heat(self) -> NDArray[np.float32]:
        """The positive part over the image, scaled to a maximum of 1: float32 [H, W]; zero outside of the square."""
        return heat(self.map, *self.size)

    def on_lesion(self, mask: NDArray) -> OnLesion:
        """How much of the map lies on the lesion.

        Args:
            mask: where the lesion is, [H, W] of the image: bool, or numbers of which those above 0 are lesion.

        Raises:
            DataError: a mask of another size than the image, or an empty one.
        """
        return on_lesion(self.map, mask, self.size)

    def to_dict(self) -> dict[str, object]:
        """As plain values for JSON, the map as rows of numbers."""
        return {
            "source": self.source,
            "method": self.method,
            "target": self.target,
            "name": self.name,
            "parameters": dict(self.parameters),
            "size": list(self.size),
            "square": list(self.square),
            "empty": self.empty,
            "map": [[float(f"{value:.6g}") for value in row] for row in self.map.tolist()],
            "model": self.model,
            "model_sha256": self.model_sha256,
        }
