"""Geometric augmentations: rotation over the full circle, zoom, translation, mirroring, quarter turns, crops.

A dermatoscope has no orientation: every rotation and mirror image of a lesion is as likely as the original.
"""

import math
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from lentigo.data.augment.base import Augmentation, Interval, Parameters, Share, log_uniform, uniform
from lentigo.errors import DataError

__all__ = ["RandomAffine", "RandomFlip", "RandomResizedCrop", "RandomRot90"]


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
        rotation: Annotated[float, Field(ge=0, le=180)] = 180.0,
        zoom: Interval = (0.85, 1.25),
        shift: Share = 0.06,
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


class RandomFlip(Augmentation):
    """y(i, j) = x(i, W - 1 - j) for half of the images, and independently y(i, j) = x(H - 1 - i, j).

    Args:
        horizontal: whether left and right may be exchanged.
        vertical: whether top and bottom may be exchanged.
    """

    def __init__(self, horizontal: bool = True, vertical: bool = True) -> None:
        self.horizontal, self.vertical = horizontal, vertical

    def draw(self, count: int, generator: torch.Generator) -> Parameters:
        """Which images to mirror in each direction: horizontal [N] and vertical [N], bool."""
        coins = torch.rand(2, count, generator=generator) < 0.5
        return {"horizontal": coins[0] & self.horizontal, "vertical": coins[1] & self.vertical}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Mirror the chosen images."""
        images = torch.where(parameters["horizontal"][:, None, None, None], images.flip(3), images)
        return torch.where(parameters["vertical"][:, None, None, None], images.flip(2), images)


class RandomRot90(Augmentation):
    """0, 1, 2 or 3 quarter turns anticlockwise, each as likely: one turn is y(i, j) = x(j, W - 1 - i).

    With `RandomFlip` these are the eight symmetries of the square.
    """

    def draw(self, count: int, generator: torch.Generator) -> Parameters:
        """Quarter turns [N], int64 of 0 to 3."""
        return {"turns": torch.randint(4, (count,), generator=generator)}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Turn each image.

        Raises:
            DataError: the images are not square, so a quarter turn would change their shape.
        """
        if images.shape[2] != images.shape[3]:
            raise DataError(
                f"Images of {images.shape[3]}x{images.shape[2]} pixels can't be turned by 90 degrees in one batch.",
                "Crop them to squares first.",
            )
        turned = torch.empty_like(images)
        for turns in range(4):
            rows = (parameters["turns"] == turns).nonzero().squeeze(1)
            turned[rows] = images[rows].rot90(turns, (2, 3))
        return turned


class RandomResizedCrop(Augmentation):
    """y(x) = image(s x + c): a window of half-sides s around c, wholly inside the image, sampled bilinearly.

    Source: the crops of Szegedy et al., 'Going deeper with convolutions', CVPR 2015, section 6. A side that the aspect
    ratio would make longer than the image is cut to the image's, where theirs is drawn anew.

    Args:
        area: smallest and largest share of the image's area; the published 0.08 would lose most lesions.
        aspect: smallest and largest width over height of the window, relative to the image's.
    """

    def __init__(self, area: Interval = (0.6, 1.0), aspect: Interval = (3 / 4, 4 / 3)) -> None:
        self.area, self.aspect = area, aspect

    def draw(self, count: int, generator: torch.Generator) -> Parameters:
        """Half-sides [N, 2] and centre [N, 2] of the window, x before y, in coordinates of -1 to 1."""
        area = uniform(*self.area, (count,), generator)
        aspect = log_uniform(*self.aspect, (count,), generator)
        half = torch.stack([(area * aspect).sqrt(), (area / aspect).sqrt()], dim=1).clamp(max=1)
        return {"half": half, "centre": uniform(-1, 1, (count, 2), generator) * (1 - half)}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Cut each window out and scale it."""
        scale = torch.diag_embed(parameters["half"])
        return sample(images, torch.cat([scale, parameters["centre"][:, :, None]], dim=2))
