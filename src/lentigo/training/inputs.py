"""From a batch as it is stored to what a network sees: augmented while training, normalised always."""

import torch
from torch import Tensor, nn

from lentigo.data.augment import Augmentation, ColourJitter, Compose, Mixing, RandomAffine
from lentigo.data.augment.base import on_device
from lentigo.training.recipe import Recipe

__all__ = ["FeatureInput", "PixelInput", "augmentations"]


def augmentations(recipe: Recipe) -> list[Augmentation | Mixing]:
    """All of a recipe's augmentations, in their order."""
    affine = RandomAffine(recipe.rotation, recipe.zoom, recipe.shift, recipe.mirror)
    colour = ColourJitter(recipe.brightness, recipe.contrast, recipe.channel_jitter)
    own = [Compose([affine, colour])] if recipe.moves else []
    return [*own, *(augmentation.make() for augmentation in recipe.augmentations)]


class PixelInput(nn.Module):
    """Pixels uint8 [N, 3, S, S] to what the network sees: augmented while training, 0 to 1, normalised.

    Args:
        recipe: how to augment.
        mean, std: to normalise by, a value a channel.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, recipe: Recipe, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.steps = augmentations(recipe)
        self.register_buffer("mean", mean.view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", std.view(1, 3, 1, 1), persistent=False)

    def views(
        self, pixels: Tensor, targets: Tensor, generator: torch.Generator, rows: slice = slice(None)
    ) -> tuple[Tensor, Tensor]:
        """Augmented images float32 of 0 to 1, and targets [N, K], mixed where the images are.

        Args:
            pixels: uint8 [N, 3, S, S].
            targets: shares of the classes [N, K].
            generator: on the CPU; all chance comes from it.
            rows: which of them are wanted; they are the same as among all.
        """
        count = len(pixels)
        mixed = max((i for i, step in enumerate(self.steps) if isinstance(step, Mixing)), default=-1)
        if mixed < 0:
            pixels, targets = pixels[rows], targets[rows]
        images = pixels.float() / 255
        for i, step in enumerate(self.steps):
            if isinstance(step, Mixing):
                images, targets = step(images, targets, generator)
            elif i < mixed:  # a partner may be any of them
                images = step(images, generator)
            else:
                drawn = {name: value[rows] for name, value in step.draw(count, generator).items()}
                images = step.apply(images, on_device(drawn, images))
            if i == mixed:
                images, targets = images[rows], targets[rows]
        return images, targets

    def normalised(self, images: Tensor) -> Tensor:
        """Images of 0 to 1 as the network sees them."""
        return ((images - self.mean) / self.std).contiguous(memory_format=torch.channels_last)

    def forward(self, pixels: Tensor) -> Tensor:
        """Pixels as the network sees them, not augmented."""
        return self.normalised(pixels.float() / 255)


class FeatureInput(nn.Module):
    """Cached features float16, as numbers that can be trained on; they are neither augmented nor normalised."""

    def views(
        self, kept: Tensor, targets: Tensor, generator: torch.Generator, rows: slice = slice(None)
    ) -> tuple[Tensor, Tensor]:
        """The same values, float32, and the same targets, of the wanted rows."""
        return kept[rows].float(), targets[rows]

    def normalised(self, kept: Tensor) -> Tensor:
        """The same values."""
        return kept

    def forward(self, kept: Tensor) -> Tensor:
        """The same values, float32."""
        return kept.float()
