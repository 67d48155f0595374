"""Colour cast: what the white balance of another camera, or another lamp, does to the channels."""

import torch
from torch import Tensor

from lentigo.data.augment.base import Augmentation, Parameters, uniform

__all__ = ["ColourCast"]


class ColourCast(Augmentation):
    """y_c = clip(g_c x_c), a gain for each channel of each image: von Kries' model of a change of light.

    Source: von Kries, 'Influence of adaptation on the effects produced by luminous stimuli', 1905; the inverse of what
    `ShadesOfGrey` estimates.

    Args:
        spread: largest relative change: each g_c is uniform in 1 - spread to 1 + spread.
    """

    def __init__(self, spread: float = 0.06) -> None:
        self.spread = spread

    def draw(self, count: int, generator: torch.Generator) -> Parameters:
        """Gains [N, 3], red, green, blue."""
        return {"gain": uniform(1 - self.spread, 1 + self.spread, (count, 3), generator)}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Scale each channel."""
        return (images * parameters["gain"][:, :, None, None]).clamp_(0, 1)
