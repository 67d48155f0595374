"""RandAugment: a few random augmentations for each image, all of the same magnitude."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from lentigo.data.augment.base import Augmentation, Parameters, apply_to, nest, unnest
from lentigo.data.augment.colour import Brightness, ChannelJitter, Contrast, ShadesOfGrey
from lentigo.data.augment.geometry import RandomAffine, RandomFlip, RandomResizedCrop, RandomRot90
from lentigo.data.augment.hair import AddHair
from lentigo.errors import DataError

__all__ = ["RandAugment"]

STRONGEST = 10


class RandAugment(Augmentation):
    """`count` operations in turn, each drawn for each image from K as likely ones: K ^ count policies.

    The set is the one of this package: nothing, flips, quarter turns, rotation, translation, zoom, zoom and crop,
    brightness, contrast, channel jitter, colour constancy, hair. The published one has shears, posterizing, solarizing
    and equalizing instead, which make colours and shapes that no dermatoscope shows. An operation draws its own change,
    up to what `magnitude` allows; the published code takes that bound itself, with a random sign.

    Source: Cubuk, Zoph, Shlens, Le, 'RandAugment: practical automated data augmentation with a reduced search space',
    NeurIPS 2020.

    Args:
        count: operations on each image, the paper's N.
        magnitude: strength of all operations, the paper's M, 0 to 10.

    Raises:
        DataError: no such magnitude.
    """

    def __init__(
        self, count: Annotated[int, Field(ge=1)] = 2, magnitude: Annotated[float, Field(ge=0, le=STRONGEST)] = 5.0
    ) -> None:
        if not 0 <= magnitude <= STRONGEST:
            raise DataError(f"Magnitude {magnitude} is out of range.", f"Choose one from 0 to {STRONGEST}.")
        self.count, self.magnitude = count, magnitude
        self.operations = _operations(magnitude / STRONGEST)

    def draw(self, count: int, generator: torch.Generator) -> Parameters:
        """Operation [N, count], int64, 0 for none; of the second operation in the first place '0.2.turns' [N]."""
        drawn = {"operation": torch.randint(len(self.operations) + 1, (count, self.count), generator=generator)}
        for place in range(self.count):
            for i, operation in enumerate(self.operations, start=1):
                drawn |= nest(f"{place}.{i}.", operation.draw(count, generator))
        return drawn

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Apply each operation to those images that drew it."""
        for place in range(self.count):
            chosen = parameters["operation"][:, place]
            for i, operation in enumerate(self.operations, start=1):
                images = apply_to(chosen == i, operation, images, unnest(f"{place}.{i}.", parameters))
        return images


def _operations(strength: float) -> tuple[Augmentation, ...]:
    """The set at a strength of 0 to 1."""
    return (
        RandomFlip(),
        RandomRot90(),
        RandomAffine(rotation=180 * strength, zoom=(1, 1), shift=0, mirror=False),
        RandomAffine(rotation=0, zoom=(1, 1), shift=0.3 * strength, mirror=False),
        RandomAffine(rotation=0, zoom=(1 - 0.4 * strength, 1 + 0.6 * strength), shift=0, mirror=False),
        RandomResizedCrop(area=(1 - 0.7 * strength, 1)),
        Brightness(0.6 * strength),
        Contrast(0.6 * strength),
        ChannelJitter(0.2 * strength),
        ShadesOfGrey(),
        AddHair(most=round(20 * strength)),
    )
