"""MixUp: the weighted mean of two images, and of their truths."""

import torch
from torch import Tensor

from lentigo.data.augment.base import Parameters
from lentigo.data.augment.mixing import Mixing, beta

__all__ = ["MixUp"]


class MixUp(Mixing):
    """y = s x + (1 - s) x_partner with s of Beta(alpha, alpha), drawn for each image by itself.

    Source: Zhang, Cisse, Dauphin, Lopez-Paz, 'mixup: beyond empirical risk minimization', ICLR 2018.

    Args:
        alpha: 0.2 leaves most images nearly alone; 1 takes every share as likely.
    """

    def __init__(self, alpha: float = 0.2) -> None:
        self.alpha = alpha

    def draw(self, count: int, generator: torch.Generator) -> Parameters:
        """Partner [N] and share [N]."""
        return {
            "partner": torch.randperm(count, generator=generator),
            "share": beta(self.alpha, count, generator),
        }

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Average each image with its partner."""
        share = parameters["share"][:, None, None, None].to(images.dtype)
        return torch.lerp(images[parameters["partner"]], images, share).clamp_(0, 1)

    def share(self, parameters: Parameters) -> Tensor:
        """The share that was drawn."""
        return parameters["share"]
