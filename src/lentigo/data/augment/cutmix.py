"""CutMix: a rectangle of another image, pasted in; the truths are mixed by area."""

import torch
from torch import Tensor

from lentigo.data.augment.base import Parameters
from lentigo.data.augment.mixing import Mixing, beta

__all__ = ["CutMix"]


class CutMix(Mixing):
    """y = (1 - B) x + B x_partner with B a rectangle of sides sqrt(1 - s), s of Beta(alpha, alpha), at a random centre.

    What lies outside the image is cut off, and the targets take the area that is left. A pixel on the rectangle's edge
    is mixed by the part of it that is covered, so that area and targets agree exactly at every image size.

    Source: Yun, Han, Oh, Chun, Choe, Yoo, 'CutMix: regularization strategy to train strong classifiers with
    localizable features', ICCV 2019.

    Args:
        alpha: 1, as published, takes every share as likely.
    """

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def draw(self, count: int, generator: torch.Generator) -> Parameters:
        """Partner [N] and box [N, 2, 2]: first and last x, then first and last y, as shares of the sides."""
        partner = torch.randperm(count, generator=generator)
        half = (1 - beta(self.alpha, count, generator)).sqrt()[:, None] / 2
        centre = torch.rand(count, 2, generator=generator)
        return {"partner": partner, "box": torch.stack([centre - half, centre + half], dim=2).clamp(0, 1)}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Paste each partner's rectangle."""
        height, width = images.shape[2:]
        box = parameters["box"].to(images.dtype)
        pasted = _covered(box[:, 1], height)[:, None, :, None] * _covered(box[:, 0], width)[:, None, None, :]
        return torch.lerp(images, images[parameters["partner"]], pasted).clamp_(0, 1)

    def share(self, parameters: Parameters) -> Tensor:
        """The area outside the rectangle."""
        return 1 - parameters["box"].diff(dim=2).prod(dim=1).squeeze(1)


def _covered(interval: Tensor, count: int) -> Tensor:
    """How much of each of `count` equal cells of 0 to 1 lies in an interval [N, 2]: [N, count], 0 to 1."""
    edges = torch.linspace(0, 1, count + 1, dtype=interval.dtype, device=interval.device)
    inside = torch.minimum(interval[:, 1:], edges[1:]) - torch.maximum(interval[:, :1], edges[:-1])
    return (inside * count).clamp(0, 1)
