"""Brightness, contrast and colour cast: what differs between cameras, lights and skins."""

import torch
from torch import Tensor

from lentigo.data.augment.base import Augmentation, Parameters

__all__ = ["ColourJitter"]


class ColourJitter(Augmentation):
    """y = clip(c (g x b - m) + m), with m the image's mean, c contrast, b brightness, g a gain for each channel.

    Args:
        brightness: largest relative change of b.
        contrast: largest relative change of c.
        cast: largest relative change of each channel's g.
    """

    def __init__(self, brightness: float = 0.2, contrast: float = 0.2, cast: float = 0.06) -> None:
        self.brightness, self.contrast, self.cast = brightness, contrast, cast

    def draw(self, count: int, generator: torch.Generator) -> Parameters:
        """Gain [N, 3] (brightness included) and contrast [N], all around 1."""

        def around_one(spread: float, *shape: int) -> Tensor:
            return 1 + (torch.rand(*shape, generator=generator) * 2 - 1) * spread

        gain = around_one(self.brightness, count, 1) * around_one(self.cast, count, 3)
        return {"gain": gain, "contrast": around_one(self.contrast, count)}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Change each image's gain, then its contrast around its own mean."""
        images = images * parameters["gain"][:, :, None, None]
        mean = images.mean((1, 2, 3), keepdim=True)
        return ((images - mean) * parameters["contrast"][:, None, None, None] + mean).clamp(0, 1)
