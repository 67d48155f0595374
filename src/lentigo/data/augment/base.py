"""What an augmentation is: random choice separated from application, so that every one can be replayed.

The pattern is TorchIO's (Perez-Garcia et al., 2021): `draw` decides with a generator, `apply` only computes.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Annotated

import torch
from pydantic import AfterValidator, Field
from torch import Tensor

from lentigo.errors import DataError

__all__ = ["Augmentation", "Compose", "Interval", "Parameters", "Positive", "Share", "Sometimes"]


def _ordered(interval: tuple[float, float]) -> tuple[float, float]:
    if interval[0] > interval[1]:
        raise ValueError(f"{interval[0]} is above {interval[1]}")
    return interval


# What a parameter allows, which `registry.make` checks.
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Interval = Annotated[tuple[Positive, Positive], AfterValidator(_ordered)]

Parameters = dict[str, Tensor]
"""What was drawn for one batch: tensors whose first dimension is the batch, so that a part of a batch has the same
part of each."""


class Augmentation(ABC):
    """A random transformation of a batch of images, float32 [N, 3, H, W], values 0 to 1."""

    @abstractmethod
    def draw(self, count: int, generator: torch.Generator) -> Parameters:
        """Draw the parameters for each of `count` images."""

    @abstractmethod
    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Apply drawn parameters; the same parameters give the same images."""

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Draw and apply.

        Args:
            images: [N, 3, H, W], float32 of 0 to 1, or uint8 of 0 to 255, which comes back as uint8.
            generator: the only source of randomness, on the CPU regardless of the images' device.

        Raises:
            DataError: not a batch of RGB images.
        """
        check_batch(images)
        if images.dtype == torch.uint8:
            return (self(images / 255, generator) * 255).round().to(torch.uint8)
        return self.apply(images, on_device(self.draw(len(images), generator), images))


class Compose(Augmentation):
    """Several augmentations in sequence."""

    def __init__(self, steps: Sequence[Augmentation]) -> None:
        self.steps = tuple(steps)

    def draw(self, count: int, generator: torch.Generator) -> Parameters:
        """Parameters of each step, named '0.angle' where the first step has 'angle'."""
        drawn = Parameters()
        for i, step in enumerate(self.steps):
            drawn |= nest(f"{i}.", step.draw(count, generator))
        return drawn

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Apply each step in turn."""
        for i, step in enumerate(self.steps):
            images = step.apply(images, unnest(f"{i}.", parameters))
        return images


class Sometimes(Augmentation):
    """An augmentation of a random subset of the images; the others stay unchanged.

    Args:
        step: what is done.
        probability: for each image independently, 0 to 1.
    """

    def __init__(self, step: Augmentation, probability: Share = 0.5) -> None:
        self.step, self.probability = step, probability

    def draw(self, count: int, generator: torch.Generator) -> Parameters:
        """Whether [N], bool, and the step's parameters, named 'step.angle' where it has 'angle'."""
        chosen = torch.rand(count, generator=generator) < self.probability
        return {"chosen": chosen} | nest("step.", self.step.draw(count, generator))

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Compute the step for the chosen images alone."""
        return apply_to(parameters["chosen"], self.step, images, unnest("step.", parameters))


def apply_to(chosen: Tensor, step: Augmentation, images: Tensor, parameters: Parameters) -> Tensor:
    """The batch with `step` applied to its images where `chosen`, bool [N], is true."""
    rows = chosen.nonzero().squeeze(1)
    if len(rows) == 0:
        return images
    changed = step.apply(images[rows], {name: value[rows] for name, value in parameters.items()})
    return images.index_copy(0, rows, changed)


def check_batch(images: Tensor) -> None:
    """Refuse what is not a batch of RGB images in torch's order."""
    if images.ndim != 4 or images.shape[1] != 3:
        raise DataError(
            f"Images of shape {list(images.shape)} are not a batch to augment.", "Pass [N, 3, H, W], channels first."
        )


def on_device(parameters: Parameters, images: Tensor) -> Parameters:
    """Parameters where the images are."""
    return {name: value.to(images.device) for name, value in parameters.items()}


def nest(prefix: str, parameters: Parameters) -> Parameters:
    """Parameters under names that begin with `prefix`."""
    return {prefix + name: value for name, value in parameters.items()}


def unnest(prefix: str, parameters: Parameters) -> Parameters:
    """The inverse of `nest`: those whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): value for name, value in parameters.items() if name.startswith(prefix)}


def uniform(low: float, high: float, shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """Uniform random numbers of `low` to `high`, float32 of `shape`."""
    return low + (high - low) * torch.rand(*shape, generator=generator)


def log_uniform(low: float, high: float, shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """Random numbers of `low` to `high`, positive, uniform in their logarithm: a factor and its inverse are alike."""
    return uniform(math.log(low), math.log(high), shape, generator).exp()
