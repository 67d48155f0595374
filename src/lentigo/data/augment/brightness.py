"""Brightness: the light of the dermatoscope and the exposure of the camera."""

import torch
from torch import Tensor

from lentigo.data.augment.base import Augmentation, Parameters, uniform

__all__ = ["Brightness"]


class Brightness(Augmentation):
    """y = clip(b x), with one b for each image.

    Args:
        spread: largest relative change: b is uniform in 1 - spread to 1 + spread.
    """

    def __init__(self, spread: float = 0.2) -> None:
        self.spread = spread

    def draw(self, count: int, generator: torch.Generator) -> Parameters:
        """Factor b [N]."""
        return {"factor": uniform(1 - self.spread, 1 + self.spread, (count,), generator)}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Scale each image."""
        return (images * parameters["factor"][:, None, None, None]).clamp_(0, 1)
