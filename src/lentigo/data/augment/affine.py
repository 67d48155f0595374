"""Rotation over the full circle, zoom, shift and mirroring, in one sampling of the batch.

A dermatoscope has no up: every rotation and mirror image of a lesion is as likely as the picture that was taken.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from lentigo.data.augment.base import Augmentation, Parameters

__all__ = ["RandomAffine"]


class RandomAffine(Augmentation):
    """x' = Z R M x + t in coordinates of -1 to 1, sampled bilinearly; what lies outside is mirrored in.

    Args:
        rotation: largest angle in degrees; 180 is the full circle.
        zoom: smallest and largest magnification.
        shift: largest shift, as a share of the image's side.
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
        angle = (torch.rand(count, generator=generator) * 2 - 1) * math.radians(self.rotation)
        low, high = map(math.log, self.zoom)
        zoom = torch.exp(low + (high - low) * torch.rand(count, generator=generator))
        shift = (torch.rand(count, 2, generator=generator) * 2 - 1) * 2 * self.shift
        coin = torch.rand(count, generator=generator)
        mirror = torch.where(coin < 0.5, -1.0, 1.0) if self.mirror else torch.ones(count)
        return {"angle": angle, "zoom": zoom, "shift": shift, "mirror": mirror}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Sample each image through its inverse map."""
        cos, sin = parameters["angle"].cos() / parameters["zoom"], parameters["angle"].sin() / parameters["zoom"]
        mirror, shift = parameters["mirror"], parameters["shift"]
        row_x = torch.stack([cos * mirror, -sin * mirror, shift[:, 0]], dim=1)
        row_y = torch.stack([sin, cos, shift[:, 1]], dim=1)
        theta = torch.stack([row_x, row_y], dim=1).to(images.dtype)
        grid = F.affine_grid(theta, list(images.shape), align_corners=False)
        return F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
