"""Augmentations of whole batches, each replayable from its drawn parameters. Needs torch: import it by its own name."""

from lentigo.data.augment.affine import RandomAffine
from lentigo.data.augment.base import Augmentation, Compose, Parameters
from lentigo.data.augment.colour import ColourJitter

__all__ = ["Augmentation", "ColourJitter", "Compose", "Parameters", "RandomAffine"]
