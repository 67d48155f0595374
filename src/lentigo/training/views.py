"""Augmented views by number: the same for teacher and student, whatever else is in the batch."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from lentigo.data.augment import Augmentation, Compose, Mixing
from lentigo.data.augment.base import on_device
from lentigo.errors import RunError
from lentigo.training.inputs import PixelInput, augmentations
from lentigo.training.recipe import Recipe
from lentigo.training.soft_labels import SoftLabels

__all__ = ["AUGMENTATION", "ReplayedInput", "Views", "augmentation_of"]

AUGMENTATION = (
    *("rotation", "zoom", "shift", "mirror", "brightness", "contrast", "channel_jitter"),
    "augmentations",
)
"""The entries of a recipe that say how a view is made."""


def augmentation_of(recipe: Recipe) -> dict[str, Any]:
    """How a recipe augments, as plain values.

    Raises:
        RunError: it mixes images, whose partners depend on the batch.
    """
    mixing = [step.name for step in recipe.augmentations if isinstance(step.make(), Mixing)]
    if mixing:
        raise RunError(
            f"{', '.join(mixing)} mixes images of a batch, so that a view can't be repeated in another.",
            "Remove it from the recipe's augmentations.",
        )
    values = recipe.model_dump(mode="json")
    return {name: values[name] for name in AUGMENTATION}


class Views:
    """Draws view v of images: each from a seed of its own.

    Args:
        augmentation: as `augmentation_of`.
        seed: of all views.

    Raises:
        RunError: an augmentation that is unknown here.
    """

    def __init__(self, augmentation: Mapping[str, Any], seed: int) -> None:
        steps = augmentations(Recipe.from_dict(augmentation))
        self.steps = Compose([step for step in steps if isinstance(step, Augmentation)])
        self.seed = seed

    def __call__(self, squares: Tensor, ids: Sequence[str], view: int) -> Tensor:
        """One view of some images.

        Args:
            squares: uint8 [B, 3, S, S], S as the store has it.
            ids: of the images, [B].
            view: number of the view, from 0.

        Returns:
            uint8 [B, 3, S, S], on the device of the squares.
        """
        if not self.steps.steps:
            return squares
        drawn = [self.steps.draw(1, self._generator(image_id, view)) for image_id in ids]
        parameters = {name: torch.cat([one[name] for one in drawn]) for name in drawn[0]}
        seen = self.steps.apply(squares.float() / 255, on_device(parameters, squares))
        return (seen * 255).round_().to(torch.uint8)

    def _generator(self, image_id: str, view: int) -> torch.Generator:
        digest = hashlib.sha256(f"{self.seed}\0{image_id}\0{view}".encode()).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:8]) >> 1)


class ReplayedInput(PixelInput):
    """Pixels to what a student sees: while training, the views of a store, reduced to the student's own size.

    Args:
        recipe: of the student; its augmentation is the store's.
        mean, std: to normalise by, a value a channel.
        store: says which views.
        ids: of the images that positions point into.
    """

    def __init__(self, recipe: Recipe, mean: Tensor, std: Tensor, store: SoftLabels, ids: NDArray[np.object_]) -> None:
        super().__init__(recipe, mean, std)
        self.size, self.count, self.ids = recipe.size, store.views, ids
        self.drawn = Views(store.description.augmentation, store.description.seed)

    def replay(self, squares: Tensor, positions: Tensor, epoch: int) -> Tensor:
        """View number `epoch` of the images, from the first again after the last.

        Args:
            squares: uint8 [B, 3, S, S] of the store's size.
            positions: int64 [B].
            epoch: from 0.

        Returns:
            float32 [B, 3, s, s] of 0 to 1, s the student's size.
        """
        ids = self.ids[positions.cpu().numpy()].tolist()
        return reduced(self.drawn(squares, ids, epoch % self.count), self.size)


def reduced(images: Tensor, size: int) -> Tensor:
    """Images uint8 [B, 3, S, S] as float32 of 0 to 1, scaled down to [B, 3, size, size] by an antialiased filter."""
    values = images.float() / 255
    if images.shape[-1] == size:
        return values
    return F.interpolate(values, (size, size), mode="bilinear", antialias=True).clamp_(0, 1)
