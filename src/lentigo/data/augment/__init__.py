"""Augmentations of whole batches, each replayable from its drawn parameters. Needs torch: import it by its own name.

>>> from lentigo.data import augment
>>> augmentation = augment.Compose([augment.RandomAffine(), augment.ColourJitter()])
>>> images = augmentation(images, torch.Generator().manual_seed(0))

Translation, rotation and zoom are options of `RandomAffine`. `MixUp` and `CutMix` change the targets too.
"""

from lentigo.errors import MissingExtraError

try:
    from lentigo.data.augment.affine import RandomAffine
    from lentigo.data.augment.base import Augmentation, Compose, Parameters, Sometimes
    from lentigo.data.augment.brightness import Brightness
    from lentigo.data.augment.cast import ColourCast
    from lentigo.data.augment.colour import ColourJitter
    from lentigo.data.augment.constancy import ShadesOfGrey
    from lentigo.data.augment.contrast import Contrast
    from lentigo.data.augment.crop import RandomResizedCrop
    from lentigo.data.augment.cutmix import CutMix
    from lentigo.data.augment.dehair import RemoveHair
    from lentigo.data.augment.flip import RandomFlip
    from lentigo.data.augment.hair import AddHair
    from lentigo.data.augment.mixing import Mixing
    from lentigo.data.augment.mixup import MixUp
    from lentigo.data.augment.randaugment import RandAugment
    from lentigo.data.augment.rot90 import RandomRot90
    from lentigo.data.augment.sheet import sheet, sheet_of
except ModuleNotFoundError as missing:
    if missing.name is None or missing.name.startswith("lentigo"):
        raise
    raise MissingExtraError("lentigo.data.augment", "train") from missing

__all__ = [
    "AddHair",
    "Augmentation",
    "Brightness",
    "ColourCast",
    "ColourJitter",
    "Compose",
    "Contrast",
    "CutMix",
    "MixUp",
    "Mixing",
    "Parameters",
    "RandAugment",
    "RandomAffine",
    "RandomFlip",
    "RandomResizedCrop",
    "RandomRot90",
    "RemoveHair",
    "ShadesOfGrey",
    "Sometimes",
    "sheet",
    "sheet_of",
]
