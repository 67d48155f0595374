"""Zoom and crop: a random window of each image, scaled up to the whole image's size."""

import torch
from torch import Tensor

from lentigo.data.augment.affine import sample
from lentigo.data.augment.base import Augmentation, Parameters, log_uniform, uniform

__all__ = ["RandomResizedCrop"]


class RandomResizedCrop(Augmentation):
    """y(x) = image(s x + c): a window of half-sides s around c, wholly inside the image, sampled bilinearly.

    Source: the crops of Szegedy et al., 'Going deeper with convolutions', CVPR 2015, section 6. A side that the aspect
    ratio would make longer than the image is cut to the image's, where theirs is drawn anew.

    Args:
        area: smallest and largest share of the image's area; the published 0.08 would lose most lesions.
        aspect: smallest and largest width over height of the window, relative to the image's.
    """

    def __init__(self, area: tuple[float, float] = (0.6, 1.0), aspect: tuple[float, float] = (3 / 4, 4 / 3)) -> None:
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
