"""The bundle: one .onnx file that is the whole model, preprocessing, calibration, maps and provenance included.

Input `image`: uint8 [N, H, W, 3], RGB, any size. Outputs `probabilities`: float32 [N, 7]; `cam`: float32 [N, 7, h, w],
class-activation maps over the central square of the image; `ood_score`: float32 [N], how unlike the training images it
is.
"""

import base64
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from lentigo.errors import BundleError
from lentigo.runtime import format_1

__all__ = [
    "FORMAT",
    "METADATA_KEY",
    "Bundle",
    "BundleMetadata",
    "OODThreshold",
    "OperatingPoint",
    "Outputs",
    "fingerprints",
]

FORMAT = 1
"""Version of the bundle's format. Raised when an older lentigo could misread a bundle."""
METADATA_KEY = "lentigo"
"""Key of the JSON text in the ONNX file's own metadata."""
_FINGERPRINT_BYTES = 5


class OperatingPoint(BaseModel):
    """A threshold on a risk, chosen on validation images for a wanted sensitivity."""

    model_config = ConfigDict(frozen=True)

    target: str
    """'melanoma' or 'malignancy'."""
    target_sensitivity: float
    threshold: float
    """The risk from which on a lesion counts as suspicious."""
    validation_images: int
    """Number of validation images with the target that the threshold rests on."""


class OODThreshold(BaseModel):
    """From which OOD score on an image is not graded, chosen on validation images."""

    model_config = ConfigDict(frozen=True)

    threshold: float
    """An OOD score above it is out of distribution."""
    target_fpr: float
    """Share of lesions like those of training that may be flagged."""
    validation_images: int
    """Number of validation images that the threshold rests on."""


class BundleMetadata(BaseModel):
    """A bundle's metadata."""

    model_config = ConfigDict(frozen=True)

    format: int
    name: str
    network: str
    parameters: int
    classes: tuple[str, ...]
    size: int
    """Side of the square that the network sees, in pixels."""
    temperature: float
    training_prevalence: tuple[float, ...]
    """Share of each class in the training part. The probabilities assume equal shares instead."""
    operating_points: tuple[OperatingPoint, ...]
    ood_score: OODThreshold
    source: str
    split: dict[str, Any]
    """Protocol, leaky, fold, seed and sha256 of the split."""
    recipe: dict[str, Any]
    metrics: dict[str, Any]
    """What `lentigo evaluate` measured on the test part, or empty."""
    parity: dict[str, Any]
    """What the export's check against the trained network measured."""
    seen: str
    """Fingerprints of the images and lesions of the training and validation parts, base64."""
    licence: str
    citation: str
    notice: str
    environment: dict[str, str]


class Outputs(NamedTuple):
    """A bundle's outputs for N images.

    Attributes:
        probabilities: float32 [N, 7], calibrated, at equal prevalence.
        cam: class-activation maps, float32 [N, 7, h, w].
        ood_score: how unlike the training images each is, float32 [N]; to be compared with `OODThreshold.threshold`.
    """

    probabilities: NDArray[np.float32]
    cam: NDArray[np.float32]
    ood_score: NDArray[np.float32]


class Bundle:
    """An opened bundle.

    Args:
        path: the .onnx file.
        threads: threads of the computation; 0 leaves it to ONNX Runtime.

    Raises:
        BundleError: no such file, no ONNX model, no bundle of lentigo, or of a newer format.
    """

    def __init__(self, path: str | os.PathLike[str], *, threads: int = 0) -> None:
        self.path = Path(path)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        if not self.path.is_file():
            raise BundleError(f"{self.path}: there is no such file.", "See `lentigo models` for what is installed.")
        try:
            self._session = ort.InferenceSession(self.path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's errors share no base class
            raise BundleError(f"{self.path}: not a readable ONNX model ({error}).", "Export it again.") from None
        self.metadata = self._read_metadata()
        present = {output.name for output in self._session.get_outputs()}
        self._outputs = list(Outputs._fields if present >= set(Outputs._fields) else format_1.OUTPUTS)

    @property
    def sha256(self) -> str:
        """Hash of the file, hexadecimal."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    def run(self, images: NDArray[np.uint8]) -> Outputs:
        """Probabilities [N, 7], class-activation maps [N, 7, h, w] and OOD score [N] of images [N, H, W, 3]."""
        return Outputs(*map(np.asarray, self._session.run(self._outputs, {"image": images})))

    def seen(self, ids: Iterable[str]) -> NDArray[np.bool_]:
        """Whether each image or lesion id was in the training or validation part: bool [N]."""
        known = np.frombuffer(base64.b64decode(self.metadata.seen), np.uint8).reshape(-1, _FINGERPRINT_BYTES)
        return np.isin(_fold(fingerprints(ids)), _fold(known))

    def _read_metadata(self) -> BundleMetadata:
        text = self._session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
        if text is None:
            raise BundleError(f"{self.path}: an ONNX model, but no bundle of lentigo.", "Make one with lentigo export.")
        try:
            metadata = BundleMetadata.model_validate_json(format_1.current_names(text))
        except ValidationError as error:
            raise BundleError(
                f"{self.path}: the bundle's metadata are damaged ({error.error_count()} faults)."
            ) from None
        if metadata.format > FORMAT:
            raise BundleError(f"{self.path}: format {metadata.format} is newer than this lentigo.", "Upgrade lentigo.")
        return metadata


def fingerprints(ids: Iterable[str]) -> NDArray[np.uint8]:
    """First five bytes of the SHA-256 of each id: uint8 [N, 5]. One chance in 10^12 that two ids share them."""
    digests = b"".join(hashlib.sha256(i.encode()).digest()[:_FINGERPRINT_BYTES] for i in ids)
    return np.frombuffer(digests, np.uint8).reshape(-1, _FINGERPRINT_BYTES)


def _fold(prints: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Five bytes as one number."""
    return prints.astype(np.int64) @ (256 ** np.arange(_FINGERPRINT_BYTES, dtype=np.int64))
