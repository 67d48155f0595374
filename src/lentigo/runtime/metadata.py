"""A bundle's metadata: format 2, a JSON text in the ONNX file."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from lentigo.labels import LabelSet

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


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class OperatingPoint(_Part):
    """A threshold on a risk, chosen on validation images for a target sensitivity."""

    target: Literal["melanoma", "malignancy"]
    view: Literal["equal_prevalence", "training_prevalence"] = "equal_prevalence"
    """The prior that the risk is computed at: balanced, like the probabilities, or the training prevalence."""
    target_sensitivity: float
    threshold: float = Field(ge=0, le=1)
    """A lesion whose risk reaches this threshold is suspicious."""
    validation_images: int
    """Number of positive validation images that the threshold is based on."""


class OODThreshold(_Part):
    """The OOD score above which an image is not graded, chosen on validation images."""

    threshold: float
    target_fpr: float
    """Share of in-distribution lesions that may be rejected."""
    validation_images: int
    """Number of validation images that the threshold is based on."""


class Head(_Part):
    """One output of probabilities."""

    name: str
    """The question that it answers, such as 'diagnosis'."""
    output: str
    """Name of the graph's output."""
    label_set: dict[str, Any]
    """A `LabelSet` as plain values, in the order of the output's columns."""


class OptionalInput(_Part):
    """Optional clinical input besides the image; `missing` is the value for unknown."""

    name: str
    """Name of the graph's input [N]."""
    kind: Literal["number", "category"]
    """A number is float32; a category is the int64 position in `categories`."""
    missing: float
    categories: tuple[str, ...] = ()


class Fingerprints(_Part):
    """Image and lesion ids of the split's parts, each an `IdSet` as text."""

    train: str
    validation: str
    test: str
    perceptual: str = ""
    """Perceptual hashes of some training images, eight bytes each, the lowest first, in base 85."""


class BundleMetadata(BaseModel):
    """A bundle's metadata."""

    model_config = ConfigDict(frozen=True)

    format: int
    name: str
    network: str
    parameters: int
    heads: tuple[Head, ...] = Field(min_length=1)
    """The first one is the diagnosis."""
    members: int = 1
    """Number of networks in the graph whose probabilities are averaged."""
    inputs: tuple[OptionalInput, ...] = ()
    """Inputs of the graph besides `image`."""
    embedding: int | None = None
    """Width of the graph's output `embedding`; None of a file without one."""
    size: int
    """Side of the network's square input, in pixels."""
    crop: Literal["central_square"] = "central_square"
    interpolation: Literal["antialiased_bilinear"] = "antialiased_bilinear"
    precision: Literal["fp32", "fp16", "int8"] = "fp32"
    """Of the weights; parity is checked against the policy of this precision."""
    parent_sha256: str | None = None
    """Hash of the bundle that a compressed one was made from, or of the weights that its run was fine-tuned from."""
    calibration_sha256: str | None = None
    """Hash over the ids of the images that quantization was calibrated on."""
    compression: tuple[dict[str, Any], ...] = ()
    """What made it smaller, step by step from its first ancestor on: each step's name and what it was asked for."""
    temperature: float
    training_prevalence: tuple[float, ...]
    """Share of each class in the training part. The probabilities assume a balanced prior instead."""
    operating_points: tuple[OperatingPoint, ...]
    no_operating_point: dict[str, str] = {}
    """Why there is none, by target: 'melanoma' or 'malignancy'."""
    ood_score: OODThreshold | None
    source: str
    split: dict[str, Any]
    """Protocol, leaky, fold, folds, seed and sha256 of the split, and the number of images in each of its parts."""
    recipe: dict[str, Any]
    options: dict[str, Any] = {}
    """Of the network's builder, such as how many blocks of a backbone are kept."""
    start: dict[str, Any] = {}
    """Weights that the training started from: file name, SHA-256, and what of them was used; empty for random ones.
    Of a run, `run` says what it had learned from; the ids of its images are among the fingerprints."""
    sources: tuple[dict[str, Any], ...] = ()
    """Where it was trained on several data sets: of each its name, licence, citation, number of training images, share
    of an epoch, and share of each diagnosis. The first alone was validated and tested on."""
    metrics: dict[str, Any]
    """What `lentigo evaluate` measured on the test part, or empty."""
    parity: dict[str, Any]
    """Results of the export's parity check against the trained network."""
    fingerprints: Fingerprints
    licence: str
    citation: str
    notice: str
    environment: dict[str, str]

    @property
    def labels(self) -> LabelSet:
        """What the model distinguishes, in the order of the probabilities.

        Raises:
            DataError: not a label set.
        """
        return LabelSet.from_dict(self.heads[0].label_set)
