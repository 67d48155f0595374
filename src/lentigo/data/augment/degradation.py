"""Degradations: an image out of focus, and one with a part missing."""

import torch
from torch import Tensor

from lentigo.data.augment.base import Augmentation, Interval, Parameters, Share, log_uniform

__all__ = ["GaussianBlur", "RandomErasing"]


class GaussianBlur(Augmentation):
    """Defocus: y = G x G' with Gaussian weights that sum to 1 in each row, cut at the borders.

    Sizes are shares of the side, so that an image of any resolution loses the same detail; `evaluation.robustness`
    measures 0.0025 to 0.04.

    Args:
        sigma: smallest and largest standard deviation as a share of the shorter side, uniform in its logarithm.
    """

    def __init__(self, sigma: Interval = (0.0025, 0.03)) -> None:
        self.sigma = sigma

    def draw(self, count: int, generator: torch.Generator) -> Parameters:
        """Standard deviation [N], as a share of the shorter side."""
        return {"sigma": log_uniform(*self.sigma, (count,), generator)}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Blur rows, then columns: two matrix products, each image with its own Gaussian."""
        pixels = parameters["sigma"] * min(images.shape[2:])
        down, across = (_gaussian(count, pixels)[:, None] for count in images.shape[2:])
        return (down @ images @ across.mT).clamp_(0, 1)


def _gaussian(count: int, sigma: Tensor) -> Tensor:
    """Weights [N, count, count] of each input pixel in each output pixel, for standard deviations in pixels [N]."""
    place = torch.arange(count, dtype=sigma.dtype, device=sigma.device)
    distance = (place[:, None] - place) / sigma.clamp_min(1e-3)[:, None, None]
    return (-(distance**2) / 2).softmax(dim=2)


class RandomErasing(Augmentation):
    """A square of the image in the image's mean colour, wholly inside it: the network must not rely on one detail.

    Source: Zhong, Zheng, Kang, Li, Yang, 'Random erasing data augmentation', AAAI 2020, with squares of one size, and
    in a colour without an edge of its own; DeVries and Taylor's Cutout (2017) is the same without the colour. As a
    recipe's augmentation it takes a `probability`.

    Args:
        side: of the square, as a share of the shorter side.
    """

    def __init__(self, side: Share = 0.3) -> None:
        self.side = side

    def draw(self, count: int, generator: torch.Generator) -> Parameters:
        """Place [N, 2] of the square, down before across: 0 at the first border, 1 at the last."""
        return {"place": torch.rand(count, 2, generator=generator)}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Erase each square."""
        side = round(self.side * min(images.shape[2:]))
        down, across = (_inside(count, side, parameters["place"][:, i]) for i, count in enumerate(images.shape[2:]))
        erased = (down[:, :, None] & across[:, None, :])[:, None]
        return torch.where(erased, images.mean((2, 3), keepdim=True), images)


def _inside(count: int, side: int, place: Tensor) -> Tensor:
    """Which of `count` pixels are in the stretch of `side` at a place of 0 to 1 [N]: bool [N, count]."""
    start = (place * (count - side)).round()[:, None]
    pixel = torch.arange(count, device=place.device)
    return (pixel >= start) & (pixel < start + side)
