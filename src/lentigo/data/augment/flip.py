"""Mirror images, exact to the bit: no pixel's value is interpolated."""

import torch
from torch import Tensor

from lentigo.data.augment.base import Augmentation, Parameters

__all__ = ["RandomFlip"]


class RandomFlip(Augmentation):
    """y(i, j) = x(i, W - 1 - j) for half of the images, and independently y(i, j) = x(H - 1 - i, j).

    Args:
        horizontal: whether left and right may be exchanged.
        vertical: whether top and bottom may be exchanged.
    """

    def __init__(self, horizontal: bool = True, vertical: bool = True) -> None:
        self.horizontal, self.vertical = horizontal, vertical

    def draw(self, count: int, generator: torch.Generator) -> Parameters:
        """Which images to mirror in each direction: horizontal [N] and vertical [N], bool."""
        coins = torch.rand(2, count, generator=generator) < 0.5
        return {"horizontal": coins[0] & self.horizontal, "vertical": coins[1] & self.vertical}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Mirror the chosen images."""
        images = torch.where(parameters["horizontal"][:, None, None, None], images.flip(3), images)
        return torch.where(parameters["vertical"][:, None, None, None], images.flip(2), images)
