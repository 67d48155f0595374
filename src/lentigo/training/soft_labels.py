"""A store of soft labels: what teachers answer for many augmented views of each image of a training part.

Computed once by `compression.build_soft_labels`, used by every student. A view is a number: what is drawn for view v of
an image depends on the store's seed, the image's id and v alone (`training.views`), so that students of any network,
input size and batch size see exactly the images that the teachers saw.
"""

import hashlib
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from lentigo.atomic import write_bytes
from lentigo.data import Split
from lentigo.errors import LeakError, LentigoError, RunError, reason
from lentigo.labels import LabelSet
from lentigo.runtime import IdSet

__all__ = ["SoftLabels", "StoreDescription", "Teacher", "load_soft_labels", "refuse_leak", "save_soft_labels"]

FORMAT = 1
_ANSWERS, _METADATA = "log_probabilities", "lentigo"
ROUNDING = 0.02
"""What the sum of an image's probabilities may be off by, their logarithms being kept in 16 bits."""
_NEXT = "Build it again with lentigo soft-labels."


class Teacher(BaseModel):
    """Which model answered.

    Attributes:
        name: of the model.
        sha256: its hash.
        size: side of its input, in pixels.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    name: str
    sha256: str
    size: int = Field(ge=1)


class StoreDescription(BaseModel):
    """What a store holds, as plain values.

    Attributes:
        format: of the file.
        seed: what all views are drawn from, besides image id and number.
        views: of each image.
        size: side of the views as they are drawn, in pixels.
        augmentation: how: entries of a recipe, rotation to augmentations.
        label_set: of the classes, as plain values.
        prior: at which the answers hold: all classes equally common.
        teachers: who answered; the answer is the mean of their log-probabilities.
        source: name of the data set.
        split_sha256: of the split whose training part it covers.
        ids: of the images.
        learned, seen: ids of images and lesions that the teachers were trained on, and trained or tuned on; encoded.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    format: int = Field(default=FORMAT, ge=FORMAT, le=FORMAT)
    seed: int = Field(ge=0)
    views: int = Field(ge=1)
    size: int = Field(ge=1)
    augmentation: dict[str, Any]
    label_set: dict[str, Any]
    prior: Literal["balanced"] = "balanced"
    teachers: list[Teacher] = Field(min_length=1)
    source: str
    split_sha256: str
    ids: list[str] = Field(min_length=1)
    learned: str
    seen: str


@dataclass(frozen=True)
class SoftLabels:
    """Answers of teachers, and what is needed to draw the views that they answered for.

    Attributes:
        description: what it holds.
        log_probabilities: of the classes, all taken as equally common, float16 [N, V, K]: image, view, class.
        sha256: of the file.
    """

    description: StoreDescription
    log_probabilities: NDArray[np.float16]
    sha256: str

    @cached_property
    def label_set(self) -> LabelSet:
        """What the teachers distinguish, in the order of the answers."""
        return LabelSet.from_dict(self.description.label_set)

    @cached_property
    def learned(self) -> IdSet:
        """Images and lesions that a teacher was trained on."""
        return IdSet.decode(self.description.learned)

    @cached_property
    def seen(self) -> IdSet:
        """Images and lesions that a teacher was trained on, or had its thresholds chosen by."""
        return IdSet.decode(self.description.seen)

    @property
    def views(self) -> int:
        """Views of each image."""
        return self.description.views

    def rows(self, ids: NDArray[np.object_]) -> NDArray[np.int64]:
        """Rows of some images, [M].

        Raises:
            RunError: an image is not in the store.
        """
        row = {image_id: i for i, image_id in enumerate(self.description.ids)}
        absent = [image_id for image_id in ids if image_id not in row]
        if absent:
            raise RunError(
                f"{len(absent)} of {len(ids)} training images have no soft labels, such as {absent[0]}.",
                "Build the store on the training part of this split.",
            )
        return np.array([row[image_id] for image_id in ids], np.int64)

    def provenance(self) -> dict[str, object]:
        """What a student remembers: the store's hash, its views, and who answered."""
        kept = self.description.model_dump(include={"seed", "views", "size", "teachers", "seen"})
        return {"sha256": self.sha256, **kept}

    def __str__(self) -> str:
        kept = self.description
        names = ", ".join(teacher.name for teacher in kept.teachers)
        return f"{len(kept.ids):,} images, {kept.views} views each at {kept.size} px, answered by {names}"


def load_soft_labels(path: str | os.PathLike[str]) -> SoftLabels:
    """Read a store.

    Raises:
        RunError: absent, damaged, or no store.
    """
    file = Path(path)
    try:
        content = file.read_bytes()
        with safe_open(file, framework="numpy") as opened:
            description = StoreDescription.model_validate_json((opened.metadata() or {}).get(_METADATA, ""))
            answers = opened.get_tensor(_ANSWERS)
        store = SoftLabels(description, answers, hashlib.sha256(content).hexdigest())
        shape = (len(description.ids), description.views, len(store.label_set))
        if answers.shape != shape or answers.dtype != np.float16:
            raise ValueError(f"answers {answers.dtype} {answers.shape}, described as float16 {shape}")
        if not np.isfinite(answers).all():
            raise ValueError("answers that are not finite")
        if np.abs(np.exp(answers.astype(np.float32)).sum(axis=2) - 1).max() > ROUNDING:
            raise ValueError("answers that are no probabilities: they don't add up to 1")
        len(store.seen), len(store.learned)
    except ValidationError as error:
        fault = error.errors()[0]
        why = ": ".join([*map(str, fault["loc"]), fault["msg"]])
        raise RunError(f"{file}: not a store of soft labels ({why}).", _NEXT) from None
    except (LentigoError, OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        why = reason(error).strip().splitlines()[0]
        raise RunError(f"{file}: not a store of soft labels ({why}).", _NEXT) from None
    return store


def save_soft_labels(description: StoreDescription, answers: NDArray[np.float16], path: Path) -> None:
    """Write a store; equal content makes equal files.

    Raises:
        OutputError: the file can't be written.
    """
    content = save({_ANSWERS: np.ascontiguousarray(answers)}, metadata={_METADATA: description.model_dump_json()})
    write_bytes(path, content)


def refuse_leak(names: str, learned: IdSet, seen: IdSet, split: Split) -> None:
    """Refuse teachers, or a starting run, that know what a training on this split is tuned or tested on.

    In a leaky protocol lesions are in several parts by design; there only images count.

    Args:
        names: of the teachers, or the run.
        learned: ids that one was trained on.
        seen: ids that one was trained or tuned on.
        split: of the training.

    Raises:
        LeakError: one has seen a test image, or was trained on a validation image, or on one of its lesion.
    """
    for part, known, why in (
        ("test", seen, "the results would not be honest"),
        ("validation", learned, "thresholds would be chosen on answers that were learned"),
    ):
        records = split.part(part)
        found = known.contains(records.ids)
        if not split.leaky:
            found = found | known.contains(records.table["lesion_id"])
        if found.any():
            raise LeakError(
                f"{names}: {int(found.sum())} of {len(records)} {part} images, or their lesions, were seen in "
                f"training, such as {records.ids[found][0]}; {why}.",
                "Take one of the same split and fold, or of other images.",
            )
