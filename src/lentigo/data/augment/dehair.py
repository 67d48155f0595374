"""Hair removal: find what is dark, thin and long, and paint it over with the skin beside it."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from lentigo.data.augment.base import Augmentation, Parameters

__all__ = ["RemoveHair"]

DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1), (1, 2), (2, 1), (1, -2), (2, -1))
"""Steps, down and across, of the lines along which hair is looked for."""


class RemoveHair(Augmentation):
    """Where a pixel belongs to something dark, thin and long, y is the mean of the skin nearby.

    Dark and thin: black-hat = max over directions of (closing along a line of `width`) - grey exceeds `threshold`.
    Long: of those pixels, spread by one, only what holds a line of `length` in some direction is hair; dots and
    globules stay. The hair is replaced by a Gaussian mean of the pixels that are not hair. Nothing is drawn.

    Follows DullRazor: Lee, Ng, Gallagher, Coldman, McLean, Computers in Biology and Medicine 27(6), 1997; it differs
    in that the gap is filled from all sides, not from both ends of a line across the hair. Meant for 128 pixels and
    more: on smaller images a hair is a pale line one pixel wide, hardly told from the pigment network.

    Args:
        width: widest hair, as a share of the image's shorter side.
        length: shortest straight part of a hair, as a share of the image's shorter side.
        threshold: least black-hat that counts as dark, 0 to 1.
    """

    def __init__(self, width: float = 0.04, length: float = 0.15, threshold: float = 0.1) -> None:
        self.width, self.length, self.threshold = width, length, threshold

    def draw(self, count: int, generator: torch.Generator) -> Parameters:
        """Nothing: there is no choice."""
        return {}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Find and paint over the hair of each image."""
        sigma = max(1, round(self.width * min(images.shape[2:]) / 2))
        return _paint_over(images, self.mask(images), sigma)

    def mask(self, images: Tensor) -> Tensor:
        """What is taken for hair in images [N, 3, H, W]: bool [N, 1, H, W]."""
        side = min(images.shape[2:])
        grey = images.mean(1, keepdim=True)
        closed = [_close(grey, step, _steps(step, self.width * side)) for step in DIRECTIONS]
        thin = torch.stack(closed).amax(0) - grey > self.threshold
        spread = F.max_pool2d(thin.to(images.dtype), 3, 1, 1)  # a hair's edge is half hair, and hairs bend
        long = torch.stack([_open(spread, step, _steps(step, self.length * side)) for step in DIRECTIONS]).amax(0)
        return (F.max_pool2d(long, 3, 1, 1) > 0) & (spread > 0)  # oblique lines step over pixels


def _paint_over(images: Tensor, hair: Tensor, sigma: int) -> Tensor:
    """Replace hair by the weighted mean of what is not hair around it; where all is hair it stays."""
    skin = (~hair).to(images.dtype)
    weight = _blur(skin, sigma)
    around = _blur(images * skin, sigma) / weight.clamp_min(1e-3)
    return torch.where(hair & (weight >= 1e-3), around, images).clamp_(0, 1)


def _blur(images: Tensor, sigma: int) -> Tensor:
    """Gaussian sum [N, C, H, W]; outside the image is nothing."""
    x = torch.arange(-3 * sigma, 3 * sigma + 1, device=images.device)
    kernel = torch.exp(-0.5 * (x / sigma) ** 2).to(images.dtype)
    kernel = (kernel / kernel.sum()).expand(images.shape[1], 1, -1)
    images = F.conv2d(images, kernel[:, :, :, None], padding=(3 * sigma, 0), groups=images.shape[1])
    return F.conv2d(images, kernel[:, :, None, :], padding=(0, 3 * sigma), groups=images.shape[1])


def _steps(step: tuple[int, int], length: float) -> int:
    """How many steps of a direction lie to each side of the middle of a line."""
    return max(1, round(length / 2 / math.hypot(*step)))


def _close(images: Tensor, step: tuple[int, int], steps: int) -> Tensor:
    """Morphological closing along a line: what is dark and shorter than the line vanishes."""
    return -_highest(-_highest(images, step, steps), step, steps)


def _open(images: Tensor, step: tuple[int, int], steps: int) -> Tensor:
    """Morphological opening along a line: what is bright and shorter than the line vanishes."""
    return _highest(-_highest(-images, step, steps), step, steps)


def _highest(images: Tensor, step: tuple[int, int], steps: int) -> Tensor:
    """Maximum over the pixels at -steps to steps of a direction; the image's edge goes on outside.

    Each round doubles the line: the maximum over 2 n pixels is that of two neighbouring lines of n.
    """
    down, across = step
    highest = F.pad(images, (steps * abs(across),) * 2 + (steps * abs(down),) * 2, mode="replicate")
    covered = 1
    while covered < 2 * steps + 1:
        shift = min(covered, 2 * steps + 1 - covered)
        rows, columns = highest.shape[2] - shift * abs(down), highest.shape[3] - shift * abs(across)
        left, right = (0, shift * across) if across >= 0 else (-shift * across, 0)
        highest = torch.maximum(
            highest[:, :, :rows, left : left + columns], highest[:, :, -rows:, right : right + columns]
        )
        covered += shift
    return highest
