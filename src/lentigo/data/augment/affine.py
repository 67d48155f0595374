"""Rotation over the full circle, zoom, translation and mirroring, in one sampling of the batch.

A dermatoscope has no up: every rotation and mirror image of a lesion is as likely as the picture that was taken.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from lentigo.data.augment.base import Augmentation, Parameters, log_uniform, uniform

__all__ = ["RandomAffine"]


class RandomAffine(Augmentation):
    """y(x) = image(M R x / z + t) in coordinates of -1 to 1, sampled bilinearly; what lies outside is mirrored in.

    All four at once cost one interpolation. One alone is the same class with the others switched off: a translation is
    `RandomAffine(rotation=0, zoom=(1, 1), shift=0.1, mirror=False)`. For mirror images and quarter turns that keep
    every pixel's value there are `RandomFlip` and `RandomRot90`.

    Args:
        rotation: largest angle in degrees; 180 is the full circle. True to shape on square images.
        zoom: smallest and largest magnification.
        shift: largest translation in each direction, as a share of the image's side.
        mirror: whether half of the images are mirrored.
    """

    def __init__(
        self,
        rotation: float = 180.0,
        zoom: tuple[float, float] = (0.85, 1.25),
        shift: float = 0.06,
        mirror: bool = True,
    ) -> None:
        self.rotation, self.zoom, self.shift, self.mirror = rotation, zoom, shift, mirror

    def draw(self, count: int, generator: torch.Generator) -> Parameters:
        """Angle [N] in radians, zoom [N] (uniform in its log), shift [N, 2] in coordinates, mirror [N] of -1 or 1."""
        angle = uniform(-1, 1, (count,), generator) * math.radians(self.rotation)
        zoom = log_uniform(*self.zoom, (count,), generator)
        shift = uniform(-1, 1, (count, 2), generator) * 2 * self.shift
        coin = torch.rand(count, generator=generator)
        mirror = torch.where(coin < 0.5, -1.0, 1.0) if self.mirror else torch.ones(count)
        return {"angle": angle, "zoom": zoom, "shift": shift, "mirror": mirror}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Sample each image through its inverse map."""
        cos, sin = parameters["angle"].cos() / parameters["zoom"], parameters["angle"].sin() / parameters["zoom"]
        mirror, shift = parameters["mirror"], parameters["shift"]
        row_x = torch.stack([cos * mirror, -sin * mirror, shift[:, 0]], dim=1)
        row_y = torch.stack([sin, cos, shift[:, 1]], dim=1)
        return sample(images, torch.stack([row_x, row_y], dim=1))


def sample(images: Tensor, theta: Tensor) -> Tensor:
    """Images seen through affine maps [N, 2, 3] from output to input coordinates of -1 to 1, bilinearly."""
    theta = theta.to(images.dtype)
    x, y = (_centres(count, theta) for count in (images.shape[3], images.shape[2]))
    # A sum of a row and a column each: many times faster than affine_grid's matrix product for every pixel.
    across = theta[:, :, 0, None] * x + theta[:, :, 2, None]
    down = theta[:, :, 1, None] * y
    grid = (down[:, :, :, None] + across[:, :, None, :]).permute(0, 2, 3, 1)
    seen = F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    return seen.clamp_(0, 1)  # the weights sum to 1 only up to rounding


def _centres(count: int, like: Tensor) -> Tensor:
    """Centres of `count` pixels in coordinates of -1 to 1."""
    return (torch.arange(count, dtype=like.dtype, device=like.device) + 0.5) * 2 / count - 1
