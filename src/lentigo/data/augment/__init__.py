"""Augmentations of whole batches, each replayable from its drawn parameters. Needs torch: import it by its own name.

>>> from lentigo.data import augment
>>> augmentation = augment.Compose([augment.RandomAffine(), augment.ColourJitter()])
>>> images = augmentation(images, torch.Generator().manual_seed(0))

>>> augment.make("RandomAffine", rotation=180)  # by name, as a recipe has them; `augment.names()` lists them

Translation, rotation and zoom are options of `RandomAffine`. `MixUp` and `CutMix` change the targets too.
"""

from lentigo.errors import needs_extra

with needs_extra("lentigo.data.augment", "train"):
    from lentigo.data.augment.base import Augmentation, Compose, Parameters, Sometimes
    from lentigo.data.augment.colour import (
        Brightness,
        ChannelJitter,
        ColourJitter,
        Contrast,
        ShadesOfGrey,
        WhiteBalanceShift,
    )
    from lentigo.data.augment.degradation import GaussianBlur, RandomErasing
    from lentigo.data.augment.geometry import RandomAffine, RandomFlip, RandomResizedCrop, RandomRot90
    from lentigo.data.augment.hair import AddHair, RemoveHair
    from lentigo.data.augment.mixing import CutMix, Mixing, MixUp
    from lentigo.data.augment.randaugment import RandAugment
    from lentigo.data.augment.registry import make, names
    from lentigo.data.augment.sheet import sheet, sheet_of

__all__ = [
    "AddHair",
    "Augmentation",
    "Brightness",
    "ChannelJitter",
    "ColourJitter",
    "Compose",
    "Contrast",
    "CutMix",
    "GaussianBlur",
    "MixUp",
    "Mixing",
    "Parameters",
    "RandAugment",
    "RandomAffine",
    "RandomErasing",
    "RandomFlip",
    "RandomResizedCrop",
    "RandomRot90",
    "RemoveHair",
    "ShadesOfGrey",
    "Sometimes",
    "WhiteBalanceShift",
    "make",
    "names",
    "sheet",
    "sheet_of",
]
