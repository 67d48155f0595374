"""Contrast: flare, glare and the camera's tone curve."""

import torch
from torch import Tensor

from lentigo.data.augment.base import Augmentation, Parameters, uniform

__all__ = ["Contrast"]


class Contrast(Augmentation):
    """y = clip(c (x - m) + m), with m the image's mean over pixels and channels, and one c for each image.

    Args:
        spread: largest relative change: c is uniform in 1 - spread to 1 + spread.
    """

    def __init__(self, spread: float = 0.2) -> None:
        self.spread = spread

    def draw(self, count: int, generator: torch.Generator) -> Parameters:
        """Factor c [N]."""
        return {"factor": uniform(1 - self.spread, 1 + self.spread, (count,), generator)}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Stretch each image around its own mean."""
        mean = images.mean((1, 2, 3), keepdim=True)
        return torch.lerp(mean, images, parameters["factor"][:, None, None, None]).clamp_(0, 1)
