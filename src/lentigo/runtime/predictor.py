"""Images in, outputs out: the interface that evaluation uses for a run, a bundle, an ensemble or a service."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from lentigo.errors import BundleError
from lentigo.labels import LabelSet
from lentigo.runtime.fingerprints import IdSet
from lentigo.runtime.format_1 import HashedIds

__all__ = ["Ensemble", "Origin", "Outputs", "Predictor"]


class Outputs(NamedTuple):
    """A model's outputs for N images.

    Attributes:
        probabilities: float32 [N, K], calibrated, at the balanced prior: as if all classes were equally common.
        cam: class-activation maps over the central square, float32 [N, K, h, w]; None for a network without exact maps.
        ood_score: how unlike the training images each is, float32 [N]; None where it is not computed.
    """

    probabilities: NDArray[np.float32]
    cam: NDArray[np.float32] | None = None
    ood_score: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Origin:
    """A model's training data, and how to recognise it again.

    Attributes:
        data: name of the data set.
        split: protocol, leaky, fold, folds, seed and sha256 of the split.
        training_prevalence: share of each class in the training part [K].
        temperature: that the logits were divided by.
        train, validation: image and lesion ids of these parts.
        test: the same for the test part; empty if unknown.
        hashed: for a bundle of format 1, the ids of training and validation part together; `train` and `validation` are
            empty.
        pictures: perceptual hashes of training images, or of some of them, uint64 [N]; None if it carries none.
    """

    data: str
    split: Mapping[str, Any]
    training_prevalence: tuple[float, ...]
    temperature: float
    train: IdSet
    validation: IdSet
    test: IdSet
    hashed: HashedIds | None = None
    pictures: NDArray[np.uint64] | None = None

    def seen(self, ids: Iterable[str]) -> NDArray[np.bool_]:
        """Whether each image or lesion id was in the training or validation part: bool [N]."""
        asked = list(ids)
        found = (self.train | self.validation).contains(asked)
        return found if self.hashed is None else found | self.hashed.contains(asked)


class Predictor(Protocol):
    """A model that can be evaluated. Several threads may ask it at the same time."""

    @property
    def name(self) -> str:
        """Human-readable name."""

    @property
    def sha256(self) -> str:
        """Hash of the model, hexadecimal: predictors with the same hash give the same outputs."""

    @property
    def labels(self) -> LabelSet:
        """What it distinguishes, in the order of the probabilities."""

    @property
    def size(self) -> int:
        """Side of the network's square input, in pixels."""

    @property
    def origin(self) -> Origin:
        """What it was trained on."""

    def predict(self, images: NDArray[np.uint8]) -> Outputs:
        """Outputs for images uint8 [N, H, W, 3] of any one size."""


class Ensemble:
    """An ensemble: the mean of its members' probabilities, the largest of their OOD scores, no maps.

    Args:
        members: with the same classes, in any order.

    Raises:
        BundleError: no member, or members with different classes.
    """

    def __init__(self, members: Sequence[Predictor]) -> None:
        if not members:
            raise BundleError("An ensemble needs at least one member.", "Name one or more models.")
        self.members = tuple(members)
        first = members[0]
        for member in members[1:]:
            if sorted(member.labels.classes) != sorted(first.labels.classes):
                raise BundleError(
                    f"{member.name} distinguishes {member.labels}, {first.name} {first.labels}.",
                    "Combine models with the same classes.",
                )
        self.labels = first.labels
        self.name = " + ".join(member.name for member in members)
        self.size = max(member.size for member in members)
        self.sha256 = hashlib.sha256("".join(member.sha256 for member in members).encode()).hexdigest()

    @property
    def origin(self) -> Origin:
        """The first member's, with the training and validation ids of all, and test ids that no member has seen."""
        origins = [member.origin for member in self.members]
        train, validation = origins[0].train, origins[0].validation
        for other in origins[1:]:
            train, validation = train | other.train, validation | other.validation
        same = len({str(origin.split.get("sha256")) for origin in origins}) == 1
        first = origins[0]
        pictures = [origin.pictures for origin in origins if origin.pictures is not None]
        return Origin(
            data=first.data,
            split=first.split,
            training_prevalence=first.training_prevalence,
            temperature=first.temperature,
            train=train,
            validation=validation,
            test=first.test if same else IdSet({}),
            pictures=np.concatenate(pictures) if pictures else None,
        )

    def predict(self, images: NDArray[np.uint8]) -> Outputs:
        """Mean probabilities [N, K] and largest OOD scores [N] of images uint8 [N, H, W, 3]."""
        found = [member.predict(images) for member in self.members]
        orders = [member.labels.index(self.labels.classes) for member in self.members]
        probabilities = np.mean([o.probabilities[:, order] for o, order in zip(found, orders, strict=True)], axis=0)
        scores = [o.ood_score for o in found if o.ood_score is not None]
        return Outputs(probabilities, None, np.max(scores, axis=0) if len(scores) == len(found) else None)
