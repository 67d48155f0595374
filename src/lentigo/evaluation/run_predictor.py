"""A run as a `Predictor`: what it would do as a bundle, from decoded images of any size, with torch."""

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from lentigo import data
from lentigo.data.members import part_ids
from lentigo.data.pixels import to_square
from lentigo.evaluation.calibration.temperature import calibrate
from lentigo.labels import LabelSet
from lentigo.runtime import Origin, Outputs

if TYPE_CHECKING:
    from torch import nn

    from lentigo.training import Run

__all__ = ["RunPredictor"]


class RunPredictor:
    """A finished run that predicts as a bundle does: no maps, no OOD score, which are fitted when it is exported.

    Args:
        run: a finished run.
    """

    def __init__(self, run: "Run") -> None:
        self.run = run

    @property
    def name(self) -> str:
        """The network's name."""
        return self.run.model

    @cached_property
    def sha256(self) -> str:
        """Hash of the weights."""
        return hashlib.sha256((self.run.path / "network.safetensors").read_bytes()).hexdigest()

    @property
    def labels(self) -> LabelSet:
        """What it distinguishes, in the order of the probabilities."""
        return self.run.classes

    @property
    def size(self) -> int:
        """Side of the square that the network sees, in pixels."""
        return self.run.recipe.size

    @cached_property
    def origin(self) -> Origin:
        """What it learned from."""
        split = self.run.split
        return Origin(
            data=self.run.source,
            split=split_description(split),
            training_prevalence=tuple(self.run.class_prior),
            temperature=calibrate(self.run).temperature,
            train=part_ids(split.train) | self.run.taught | self.run.started_from[1],
            validation=part_ids(split.validation),
            test=part_ids(split.test),
        )

    @cached_property
    def _network(self) -> "nn.Module":
        return self.run.placed_network()

    def predict(self, images: NDArray[np.uint8]) -> Outputs:
        """Probabilities [N, K] of images uint8 [N, H, W, 3]."""
        squares = np.stack([to_square(image, self.size) for image in images])
        logits = self.run.logits(squares, network=self._network) / self.origin.temperature
        return Outputs(softmax(logits, axis=1).astype(np.float32))


def split_description(split: data.Split) -> dict[str, object]:
    """What a model keeps of its split: how it was made, and how many images are in each part."""
    counts = split.manifest["part"].value_counts()
    return {
        "protocol": split.protocol,
        "leaky": split.leaky,
        "fold": split.fold,
        "folds": split.folds,
        "seed": split.seed,
        "sha256": split.hash,
        "images": {part: int(counts.get(part, 0)) for part in ("train", "validation", "test")},
    }
