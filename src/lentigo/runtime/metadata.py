"""A bundle's metadata: format 2, a JSON text in the ONNX file. What can't be true is refused where it is stated."""

import math
from typing import Annotated, Any, Literal, Self, get_args

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from lentigo.labels import LabelSet
from lentigo.runtime.entries import Measured, ParityEntry, Sha256, Sources, SplitEntry, Start

__all__ = [
    "EMBEDDING",
    "FORMAT",
    "BundleMetadata",
    "Fingerprints",
    "Head",
    "OODThreshold",
    "OperatingPoint",
    "OptionalInput",
]

FORMAT = 2
"""Version of the bundle's format. Raised when an older lentigo could misread a bundle."""


EMBEDDING = "embedding"
"""Name of the graph's output with the pooled features that the linear head reads."""


LONGEST_NAME = 255
"""Characters."""
Share = Annotated[float, Field(ge=0, le=1)]
Target = Literal["melanoma", "malignancy"]
Count = Annotated[int, Field(ge=0)]
Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME, pattern=r"\S")]
_LARGEST = float(np.finfo(np.float32).max)
"""No output of a graph exceeds it."""
_ROUNDING = 1e-6


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class OperatingPoint(_Part):
    """A threshold on a risk, chosen on validation images for a target sensitivity."""

    target: Target
    view: Literal["equal_prevalence", "training_prevalence"] = "equal_prevalence"
    """The prior that the risk is computed at: balanced, like the probabilities, or the training prevalence."""
    target_sensitivity: float = Field(gt=0, le=1)
    threshold: Share
    """A lesion whose risk reaches this threshold is suspicious."""
    validation_images: int = Field(ge=1)
    """Number of positive validation images that the threshold is based on."""


class OODThreshold(_Part):
    """The OOD score above which an image is not graded, chosen on validation images."""

    threshold: float = Field(ge=-_LARGEST, lt=_LARGEST)
    target_fpr: float = Field(gt=0, lt=1)
    """Share of in-distribution lesions that may be rejected."""
    validation_images: Count
    """Number of validation images that the threshold is based on."""


class Head(_Part):
    """One output of probabilities."""

    name: Name
    """The question that it answers, such as 'diagnosis'."""
    output: str
    """Name of the graph's output."""
    label_set: dict[str, Any]
    """A `LabelSet` as plain values, in the order of the output's columns."""


class OptionalInput(_Part):
    """Optional clinical input besides the image; `missing` is the value for unknown."""

    name: Name
    """Name of the graph's input [N]."""
    kind: Literal["number", "category"]
    """A number is float32; a category is the int64 position in `categories`."""
    missing: float
    categories: tuple[Name, ...] = ()

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if (self.kind == "category") != bool(self.categories):
            raise ValueError("a category, and nothing else, has categories")
        if len(set(self.categories)) < len(self.categories):
            raise ValueError("the same category twice")
        if self.kind == "category" and not self.missing.is_integer():
            raise ValueError("a category's missing value is not a position")
        return self


class Fingerprints(_Part):
    """Image and lesion ids of the split's parts, each an `IdSet` as text."""

    train: str
    validation: str
    test: str
    perceptual: str = ""
    """Perceptual hashes of some training images, eight bytes each, the lowest first, in base 85."""


class BundleMetadata(BaseModel):
    """A bundle's metadata."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    format: int = Field(ge=1)
    name: Name
    network: Name
    parameters: Count
    heads: tuple[Head, ...] = Field(min_length=1)
    """The first one is the diagnosis."""
    members: int = Field(default=1, ge=1)
    """Number of networks in the graph whose probabilities are averaged."""
    inputs: tuple[OptionalInput, ...] = ()
    """Inputs of the graph besides `image`."""
    embedding: int | None = Field(default=None, ge=1)
    """Width of the graph's output `embedding`; None of a file without one."""
    size: int = Field(ge=8, le=4096)
    """Side of the network's square input, in pixels."""
    crop: Literal["central_square"] = "central_square"
    interpolation: Literal["antialiased_bilinear"] = "antialiased_bilinear"
    precision: Literal["fp32", "fp16", "int8"] = "fp32"
    """Of the weights; parity is checked against the policy of this precision."""
    parent_sha256: Sha256 | None = None
    """Hash of the bundle that a compressed one was made from, or of the weights that its run was fine-tuned from."""
    calibration_sha256: Sha256 | None = None
    """Hash over the ids of the images that quantization was calibrated on."""
    compression: tuple[dict[str, Any], ...] = ()
    """What made it smaller, step by step from its first ancestor on: each step's name and what it was asked for."""
    temperature: float = Field(ge=1e-3, le=1e3)
    training_prevalence: tuple[Share, ...]
    """Share of each class in the training part. The probabilities assume a balanced prior instead."""
    operating_points: tuple[OperatingPoint, ...]
    no_operating_point: dict[str, str] = {}
    """Why there is none, by target: 'melanoma' or 'malignancy'."""
    ood_score: OODThreshold | None
    source: str
    split: SplitEntry
    """Protocol, leaky, fold, folds, seed and sha256 of the split, and the number of images in each of its parts."""
    recipe: dict[str, Any]
    options: dict[str, Any] = {}
    """Of the network's builder, such as how many blocks of a backbone are kept."""
    start: Start = {}
    """Weights that the training started from: file name, SHA-256, and what of them was used; empty for random ones.
    Of a run, `run` says what it had learned from; the ids of its images are among the fingerprints."""
    sources: Sources = ()
    """Where it was trained on several data sets: of each its name, licence, citation, number of training images, share
    of an epoch, and share of each diagnosis. The first alone was validated and tested on."""
    metrics: Measured
    """What `lentigo evaluate` measured on the test part, or empty."""
    parity: ParityEntry
    """Results of the export's parity check against the trained network."""
    fingerprints: Fingerprints
    licence: str
    citation: str
    notice: str
    environment: dict[str, str]

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if abs(math.fsum(self.training_prevalence) - 1) > _ROUNDING:
            raise ValueError(f"training_prevalence adds up to {math.fsum(self.training_prevalence):g} instead of 1")
        if foreign := set(self.no_operating_point) - set(get_args(Target)):
            raise ValueError(f"no_operating_point names {min(foreign)!r}: neither melanoma nor malignancy")
        points = [(p.target, p.view, p.target_sensitivity) for p in self.operating_points]
        if len(set(points)) < len(points):
            raise ValueError("operating_points states two thresholds for one target, view and sensitivity")
        if both := {p.target for p in self.operating_points} & set(self.no_operating_point):
            raise ValueError(
                f"operating_points has a threshold for {min(both)}, and no_operating_point says it has none"
            )
        for what, names in (("inputs", self.inputs), ("heads", self.heads)):
            if len({one.name for one in names}) < len(names):
                raise ValueError(f"{what} has one name twice")
        return self

    @property
    def labels(self) -> LabelSet:
        """What the model distinguishes, in the order of the probabilities.

        Raises:
            DataError: not a label set.
        """
        return LabelSet.from_dict(self.heads[0].label_set)
