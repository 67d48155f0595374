"""MixUp and CutMix: two images become one, and their targets are mixed in the same proportions."""

from abc import ABC, abstractmethod

import torch
from scipy.special import betaincinv
from torch import Tensor

from lentigo.data.augment.base import Parameters, Positive, check_batch, on_device
from lentigo.errors import DataError

__all__ = ["CutMix", "MixUp", "Mixing"]


class Mixing(ABC):
    """A mixture of each image of a batch with another one of it, and of their soft targets, float32 [N, K].

    The parameters hold 'partner', int64 [N]: the position in the batch of each image's other half.
    """

    @abstractmethod
    def draw(self, count: int, generator: torch.Generator) -> Parameters:
        """Choose the partner of each of `count` images, and how much of it is taken."""

    @abstractmethod
    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Mix the images, float32 [N, 3, H, W], values 0 to 1, as was chosen."""

    @abstractmethod
    def share(self, parameters: Parameters) -> Tensor:
        """How much of each image is its own and not its partner's: [N], 0 to 1."""

    def apply_targets(self, targets: Tensor, parameters: Parameters) -> Tensor:
        """Mix the targets in the shares of the images: y = s t + (1 - s) t_partner; rows keep their sum."""
        share = self.share(parameters)[:, None].to(targets.dtype)
        return torch.lerp(targets[parameters["partner"]], targets, share)

    def __call__(self, images: Tensor, targets: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw and apply to images and targets.

        Args:
            images: float32 [N, 3, H, W], values 0 to 1.
            targets: probabilities of the classes, float [N, K]; for labels `one_hot(labels, K).float()`.
            generator: the only source of randomness, on the CPU regardless of the images' device.

        Raises:
            DataError: not a batch of RGB images, or the targets are labels and not probabilities.
        """
        check_batch(images)
        if targets.ndim != 2 or len(targets) != len(images) or not targets.is_floating_point():
            raise DataError(
                f"Targets of shape {list(targets.shape)} and type {targets.dtype} can't be mixed.",
                f"Give probabilities, float [{len(images)}, classes].",
            )
        parameters = on_device(self.draw(len(images), generator), images)
        return self.apply(images, parameters), self.apply_targets(targets, parameters)


def beta(alpha: float, count: int, generator: torch.Generator) -> Tensor:
    """Draws of Beta(alpha, alpha), float32 [count]: uniform numbers through the inverse of its distribution function.

    torch.distributions takes no generator.
    """
    uniform = torch.rand(count, generator=generator, dtype=torch.float64)
    return torch.from_numpy(betaincinv(alpha, alpha, uniform.numpy())).float()


class MixUp(Mixing):
    """y = s x + (1 - s) x_partner with s of Beta(alpha, alpha), drawn for each image by itself.

    Source: Zhang, Cisse, Dauphin, Lopez-Paz, 'mixup: beyond empirical risk minimization', ICLR 2018.

    Args:
        alpha: 0.2 leaves most images nearly alone; 1 takes every share as likely.
    """

    def __init__(self, alpha: Positive = 0.2) -> None:
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


class CutMix(Mixing):
    """y = (1 - B) x + B x_partner with B a rectangle of sides sqrt(1 - s), s of Beta(alpha, alpha), at a random centre.

    What lies outside the image is cut off, and the targets take the area that is left. A pixel on the rectangle's edge
    is mixed by the part of it that is covered, so that area and targets agree exactly at every image size.

    Source: Yun, Han, Oh, Chun, Choe, Yoo, 'CutMix: regularization strategy to train strong classifiers with
    localizable features', ICCV 2019.

    Args:
        alpha: 1, as published, takes every share as likely.
    """

    def __init__(self, alpha: Positive = 1.0) -> None:
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
