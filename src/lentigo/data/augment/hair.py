"""Hair, drawn over the lesion as it lies over many (dark, thin, curved strokes), and found and painted over."""

import math
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from lentigo.data.augment.base import Augmentation, Interval, Parameters, Share, uniform

__all__ = ["AddHair", "RemoveHair"]


class AddHair(Augmentation):
    """y = (1 - a) x + a h: each hair is a quadratic Bezier curve that tapers to its tip, h its colour, a its cover.

    The cover is laid down by splatting points along the curve onto their four nearest pixels, each with the area of
    hair that it stands for, so hairs thinner than a pixel come out paler, as a camera shows them.

    Args:
        most: largest number of hairs on an image; 0 to `most` are each as likely.
        width: thinnest and thickest hair, as shares of the image's shorter side.
    """

    def __init__(self, most: Annotated[int, Field(ge=0)] = 12, width: Interval = (0.004, 0.012)) -> None:
        self.most, self.width = most, width

    def draw(self, count: int, generator: torch.Generator) -> Parameters:
        """What hair lies on each of N images, at most K = `most`; places are shares of the sides, x before y.

        present [N, K], bool; points [N, K, 3, 2], the curve's control points, ends possibly outside the image; width
        [N, K] at the root; colour [N, 3], black to brown, one for all hairs of an image.
        """
        shape = (count, self.most)
        present = torch.arange(self.most) < torch.randint(self.most + 1, (count, 1), generator=generator)
        middle = torch.rand(*shape, 2, generator=generator)
        # Hairs of one patch of skin grow roughly one way.
        angle = uniform(-torch.pi, torch.pi, (count, 1), generator) + 0.6 * torch.randn(*shape, generator=generator)
        along = torch.stack([angle.cos(), angle.sin()], dim=-1) * uniform(0.15, 0.6, (*shape, 1), generator)
        across = torch.stack([-along[..., 1], along[..., 0]], dim=-1) * uniform(-0.7, 0.7, (*shape, 1), generator)
        return {
            "present": present,
            "points": torch.stack([middle - along, middle + across, middle + along], dim=2),
            "width": uniform(*self.width, shape, generator),
            "colour": uniform(0.03, 0.3, (count, 1), generator) * torch.tensor([1.0, 0.75, 0.6]),
        }

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Lay the hairs over each image."""
        cover = _cover(parameters, images.shape[2], images.shape[3]).to(images.dtype)
        colour = parameters["colour"][:, :, None, None].to(images.dtype)
        return torch.lerp(images, colour.expand_as(images), cover[:, None]).clamp_(0, 1)


def _cover(parameters: Parameters, height: int, width: int) -> Tensor:
    """How much of each pixel is hair: [N, H, W], 0 to 1."""
    scale = torch.tensor([width, height], device=parameters["points"].device)
    start, control, end = (parameters["points"] * scale)[:, :, :, None].unbind(2)
    thick = parameters["width"][:, :, None] * min(height, width)
    lanes = max(1, int(thick.max().ceil())) if thick.numel() else 1
    # Two points a pixel along a hair as long as the image leave no gaps.
    t = torch.linspace(0, 1, 2 * max(height, width), device=scale.device)[:, None]
    place = (1 - t) ** 2 * start + 2 * t * (1 - t) * control + t**2 * end
    speed = 2 * (1 - t) * (control - start) + 2 * t * (end - control)
    length = speed.norm(dim=-1)
    normal = torch.stack([-speed[..., 1], speed[..., 0]], dim=-1) / length.clamp_min(1e-6)[..., None]
    tapered = thick * (1 - 0.7 * t[:, 0]) * parameters["present"][:, :, None]
    area = length / len(t) * tapered / lanes
    cover = area.new_zeros(len(area), height * width)
    for lane in range(lanes):
        offset = ((lane + 0.5) / lanes - 0.5) * tapered
        _splat(cover, place + normal * offset[..., None], area, width, height)
    return cover.clamp_(max=1).view(-1, height, width)


def _splat(cover: Tensor, place: Tensor, area: Tensor, width: int, height: int) -> None:
    """Add each point's area to its four nearest pixels; the cover is [N, H W], places are [N, K, T, 2] in pixels."""
    corner = (place - 0.5).floor()
    part = place - 0.5 - corner
    for x in (0, 1):
        for y in (0, 1):
            column, row = corner[..., 0] + x, corner[..., 1] + y
            inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
            near = (part[..., 0] - 1 + x).abs() * (part[..., 1] - 1 + y).abs()
            index = torch.where(inside, row * width + column, 0).long()
            cover.scatter_add_(1, index.flatten(1), (area * near * inside).flatten(1))


DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1), (1, 2), (2, 1), (1, -2), (2, -1))
"""Steps, down and across, of the lines along which hair is looked for."""


class RemoveHair(Augmentation):
    """Where a pixel belongs to something dark, thin and long, y is the mean of the skin nearby.

    Dark and thin: black-hat = max over directions of (closing along a line of `width`) - grey exceeds `threshold`.
    Long: of those pixels, spread by one, only what holds a line of `length` in some direction is hair; dots and
    globules stay. The hair is replaced by a Gaussian mean of the pixels that are not hair. Nothing is drawn.

    Follows DullRazor: Lee, Ng, Gallagher, Coldman, McLean, Computers in Biology and Medicine 27(6), 1997; it differs
    in that the gap is filled from all sides, not from both ends of a line across the hair. Meant for 128 pixels and
    more: on smaller images a hair is a pale line one pixel wide, hardly distinguished from the pigment network.

    Args:
        width: widest hair, as a share of the image's shorter side.
        length: shortest straight part of a hair, as a share of the image's shorter side.
        threshold: least black-hat that counts as dark, 0 to 1.
    """

    def __init__(self, width: Share = 0.04, length: Share = 0.15, threshold: Share = 0.1) -> None:
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
