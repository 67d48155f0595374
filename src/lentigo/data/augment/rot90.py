"""Quarter turns, exact to the bit: no pixel's value is interpolated."""

import torch
from torch import Tensor

from lentigo.data.augment.base import Augmentation, Parameters
from lentigo.errors import DataError

__all__ = ["RandomRot90"]


class RandomRot90(Augmentation):
    """0, 1, 2 or 3 quarter turns anticlockwise, each as likely: one turn is y(i, j) = x(j, W - 1 - i).

    With `RandomFlip` these are the eight symmetries of the square.
    """

    def draw(self, count: int, generator: torch.Generator) -> Parameters:
        """Quarter turns [N], int64 of 0 to 3."""
        return {"turns": torch.randint(4, (count,), generator=generator)}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Turn each image.

        Raises:
            DataError: the images are not square, so a quarter turn would change their shape.
        """
        if images.shape[2] != images.shape[3]:
            raise DataError(
                f"Images of {images.shape[3]}x{images.shape[2]} pixels can't be turned by 90 degrees in one batch.",
                "Crop them to squares first.",
            )
        turned = torch.empty_like(images)
        for turns in range(4):
            rows = (parameters["turns"] == turns).nonzero().squeeze(1)
            turned[rows] = images[rows].rot90(turns, (2, 3))
        return turned
