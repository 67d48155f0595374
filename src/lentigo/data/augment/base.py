"""What an augmentation is: random choice parted from application, so that every one can be replayed.

The pattern is TorchIO's (Perez-Garcia et al., 2021): `draw` decides with a generator, `apply` only computes.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["Augmentation", "Compose", "Parameters"]

Parameters = dict[str, Tensor]
"""What was drawn for one batch: tensors whose first dimension is the batch."""


class Augmentation(ABC):
    """A random change of a whole batch of images, float32 [N, 3, H, W], values 0 to 1."""

    @abstractmethod
    def draw(self, count: int, generator: torch.Generator) -> Parameters:
        """Choose what happens to each of `count` images."""

    @abstractmethod
    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Do what was chosen; the same parameters give the same images."""

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Draw and apply."""
        drawn = self.draw(len(images), generator)
        return self.apply(images, {name: value.to(images.device) for name, value in drawn.items()})


class Compose:
    """Several augmentations, one after another."""

    def __init__(self, steps: Sequence[Augmentation]) -> None:
        self.steps = tuple(steps)

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Draw and apply each step in turn."""
        for step in self.steps:
            images = step(images, generator)
        return images
