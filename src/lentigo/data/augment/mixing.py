"""What a mixing augmentation is: two images become one, and their truths are mixed in the same shares."""

from abc import ABC, abstractmethod

import torch
from scipy.special import betaincinv
from torch import Tensor

from lentigo.data.augment.base import Parameters, check_batch, on_device
from lentigo.errors import DataError

__all__ = ["Mixing"]


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
            generator: the only source of chance, on the CPU whatever device the images are on.

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
