"""The bundle: a single .onnx file with the model, its preprocessing, calibration, class-activation maps and provenance.

Input `image`: uint8 [N, H, W, 3], RGB, any size, and optional inputs that the metadata declare. Outputs
`probabilities`: float32 [N, K]; `cam`: float32 [N, K, h, w], class-activation maps over the central square of the
image, absent for networks without exact maps; `ood_score`: float32 [N], how unlike the training images it is;
`embedding`: float32 [N, D], the pooled features that the linear head reads, absent from files of earlier versions and
for networks without exact maps. It is computed only when it is asked for.

The file holds a SHA-256 over its own content, computed with 64 zeros in its place, so that a single changed byte is
detected when the file is opened. Files of format 1, which have none, are still read.

`NAME.onnx.zst` is the same file packed with Zstandard: it opens directly, and is the same model with the same hash.
"""

import base64
import hashlib
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from lentigo.errors import BundleError
from lentigo.labels import LabelSet
from lentigo.runtime import format_1
from lentigo.runtime.fingerprints import IdSet
from lentigo.runtime.metadata import EMBEDDING, FORMAT, BundleMetadata, OptionalInput
from lentigo.runtime.packed import is_packed, unpacked
from lentigo.runtime.predictor import Origin, Outputs
from lentigo.runtime.stated import read_metadata
from lentigo.written import parse_json

ort.disable_telemetry_events()  # where something loaded it before lentigo, whose own setting came too late

__all__ = ["HASH_KEY", "METADATA_KEY", "Bundle", "origin_of", "read_model", "sealed"]

METADATA_KEY = "lentigo"
"""Key of the JSON text in the ONNX file's own metadata."""
HASH_KEY = "lentigo.sha256"
"""Key of the content's hash in the ONNX file's own metadata."""
_UNSEALED = b"0" * 64
_SEAL = re.compile(re.escape(HASH_KEY.encode()) + rb"\x12\x40([0-9a-f]{64})")
"""The hash as encoded in a protocol buffer: preceded by its key, the field's tag and its length."""
_LARGE = 3 * 2_000_000
"""Number of values in images after which memory is given back: below, keeping it for the next ones is faster."""
_TYPES = {"number": ("tensor(float)", np.float32), "category": ("tensor(int64)", np.int64)}


class Bundle:
    """An opened bundle; a `Predictor`.

    Args:
        path: the .onnx or .onnx.zst file; its content tells which.
        threads: number of inference threads; 0 lets ONNX Runtime choose.

    Raises:
        BundleError: there is no such file, not an ONNX model, not a lentigo bundle, a newer format, modified since it
            was written, a graph that doesn't match its metadata, or packed data that `packed.unpacked` refuses.
    """

    def __init__(self, path: str | os.PathLike[str], *, threads: int = 0) -> None:
        self.path = Path(path)
        content = read_model(self.path)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        options.enable_mem_pattern = False  # it keeps a plan and a block for every size of image and batch
        try:
            self._session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's errors share no base class
            raise BundleError(f"{self.path}: not a readable ONNX model ({error}).", "Export it again.") from None
        self._values = self._read_values()
        if self._values["format"] != 1:
            self._check_seal(content)
        self.metadata = self._read_metadata()
        self._outputs = self._check_graph()
        seen = self._values["seen"] if self._values["format"] == 1 else None
        self.origin = origin_of(self.metadata, self.path, seen)
        """What it was trained on."""
        self.sha256 = hashlib.sha256(content).hexdigest()
        """SHA-256 of the ONNX file, hexadecimal; of a packed one what it unpacks to, as both are the same model."""

    def __repr__(self) -> str:
        m = self.metadata
        return f"<Bundle {m.name}: {m.network}, {self.labels}, {m.precision}, {self.path}>"

    @property
    def name(self) -> str:
        """The model's name."""
        return self.metadata.name

    @property
    def labels(self) -> LabelSet:
        """What the model distinguishes, in the order of the probabilities."""
        return self.metadata.labels

    @property
    def size(self) -> int:
        """Side of the network's square input, in pixels."""
        return self.metadata.size

    @property
    def has_maps(self) -> bool:
        """Whether there are class-activation maps."""
        return "cam" in self._outputs

    def predict(self, images: NDArray[np.uint8], **known: NDArray) -> Outputs:
        """Outputs for images uint8 [N, H, W, 3] of any one size.

        Args:
            images: RGB.
            known: values [N] of optional inputs by name; the others are treated as missing.

        Raises:
            BundleError: an input that the bundle does not have.
        """
        feeds = self._feeds(images, known)
        return Outputs(**dict(zip(self._outputs, self._run(list(self._outputs.values()), feeds), strict=True)))

    def embed(self, images: NDArray[np.uint8], **known: NDArray) -> NDArray[np.float32]:
        """Embeddings float32 [N, D]: the pooled features from which the linear head makes its logits.

        Args:
            images: as in `predict`.
            known: as in `predict`.

        Raises:
            BundleError: the file gives no embeddings, or an input that it does not have.
        """
        if self.metadata.embedding is None:
            raise BundleError(
                f"{self.path}: this bundle gives no embeddings: it was written by an earlier lentigo, or its network "
                "has no linear head on pooled features.",
                "Export the run again with this lentigo, or use another model.",
            )
        return self._run([EMBEDDING], self._feeds(images, known))[0]

    def _run(self, outputs: list[str], feeds: dict[str, NDArray]) -> list[NDArray[np.float32]]:
        """The values of outputs; what a large image took, hundreds of megabytes, is given back to the system."""
        large = feeds["image"].size > _LARGE
        found: list[NDArray[np.float32]] = self._session.run(outputs, feeds, _giving_back() if large else None)
        return found

    def _feeds(self, images: NDArray[np.uint8], known: dict[str, NDArray]) -> dict[str, NDArray]:
        """Values of all inputs, those of optional ones that aren't known as missing."""
        declared = {i.name: i for i in self.metadata.inputs}
        if unknown := sorted(set(known) - set(declared)):
            raise BundleError(
                f"{self.name} has no input {', '.join(unknown)}.", f"It has: {', '.join(['image', *declared])}."
            )
        return {"image": images, **{name: _filled(i, known.get(name), len(images)) for name, i in declared.items()}}

    def _read_values(self) -> dict[str, Any]:
        """The metadata as written."""
        text = self._session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
        if text is None:
            raise BundleError(f"{self.path}: an ONNX model, but not a lentigo bundle.", "Create one: `lentigo export`.")
        try:
            values = dict(parse_json(text))
            known = values["format"]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise BundleError(
                f"{self.path}: the bundle's metadata are damaged ({error}).", "Export it again."
            ) from None
        if type(known) is not int or known < 1:
            raise BundleError(
                f"{self.path}: the bundle's metadata are damaged: format is {known!r}, not a number from 1 on.",
                "Export it again.",
            )
        if known > FORMAT:
            raise BundleError(f"{self.path}: format {known} is newer than this lentigo.", "Upgrade lentigo.")
        return values

    def _check_seal(self, content: bytes) -> None:
        seals = _SEAL.findall(content)
        if len(seals) != 1 or _digest(content) != seals[0].decode():
            raise BundleError(
                f"{self.path}: the file has changed since it was written (content hash mismatch).",
                "Don't use it: copy or export it again.",
            )

    def _read_metadata(self) -> BundleMetadata:
        try:
            values = format_1.as_format_2(self._values) if self._values["format"] == 1 else self._values
        except (KeyError, TypeError, AttributeError) as error:
            raise BundleError(
                f"{self.path}: the bundle's metadata are damaged ({error}).", "Export it again."
            ) from None
        return read_metadata(values, self.path)

    def _check_graph(self) -> dict[str, str]:
        """The graph's output names by field of `Outputs`; refuses a graph that doesn't match the metadata."""
        names = format_1.OUTPUTS if self._values["format"] == 1 else {name: name for name in Outputs._fields}
        inputs = {i.name: i.type for i in self._session.get_inputs()}
        outputs = {o.name: o.shape for o in self._session.get_outputs()}
        declared = {"image": "tensor(uint8)", **{i.name: _TYPES[i.kind][0] for i in self.metadata.inputs}}
        classes = len(self.labels)
        faults = []
        if inputs != declared:
            faults.append(f"its inputs are {_listed(inputs)}, but {_listed(declared)} are declared")
        faults += [f"it has no output {h.output!r}" for h in self.metadata.heads if h.output not in outputs]
        if self.metadata.heads[0].output != "probabilities":
            faults.append(f"its first head is {self.metadata.heads[0].output!r} instead of 'probabilities'")
        for name in ("probabilities", "cam"):
            width = outputs[names[name]][1] if names[name] in outputs else classes
            if width != classes:
                faults.append(f"{name} has {width} columns for {classes} classes")
        if len(self.metadata.training_prevalence) != classes:
            faults.append(f"it states the prevalence of {len(self.metadata.training_prevalence)} of {classes} classes")
        if (self.metadata.ood_score is None) != (names["ood_score"] not in outputs):
            faults.append("an OOD score needs an OOD threshold, and vice versa")
        width = outputs[EMBEDDING][1] if EMBEDDING in outputs else None
        if self.metadata.embedding != width:
            faults.append(f"its embedding is {width or 'absent'}, but {self.metadata.embedding or 'none'} is declared")
        if faults:
            what = f"{self.path}: the graph does not match its metadata: {'; '.join(faults)}."
            raise BundleError(what, "Export it again.")
        return {name: names[name] for name in Outputs._fields if names[name] in outputs}


def origin_of(m: BundleMetadata, path: Path, seen: str | None = None) -> Origin:
    """What a model was trained on, from its metadata.

    Args:
        m: the metadata.
        path: of the file, for errors.
        seen: the hashed ids of a bundle of format 1.

    Raises:
        BundleError: damaged fingerprints.
    """
    try:
        train, validation, test = (
            IdSet.decode(text) if text else IdSet({})
            for text in (m.fingerprints.train, m.fingerprints.validation, m.fingerprints.test)
        )
        pictures = np.frombuffer(base64.b85decode(m.fingerprints.perceptual), "<u8").astype(np.uint64)
        if len(m.fingerprints.perceptual) != 10 * len(pictures):  # a single last letter would be passed over
            raise ValueError("perceptual hashes of another length")
        hashed = None if seen is None else format_1.HashedIds(seen)
    except ValueError as error:
        raise BundleError(f"{path}: its fingerprints are damaged ({error}).", "Export it again.") from None
    return Origin(
        data=m.source,
        split=m.split,
        training_prevalence=m.training_prevalence,
        temperature=m.temperature,
        train=train,
        validation=validation,
        test=test,
        hashed=hashed,
        pictures=pictures if len(pictures) else None,
    )


def read_model(path: str | os.PathLike[str]) -> bytes:
    """The ONNX file's bytes, unpacked if they are packed; nothing in them is checked yet.

    Raises:
        BundleError: there is no such file, it can't be read, or it can't be unpacked within the limit.
    """
    file = Path(path)
    if not file.is_file():
        raise BundleError(f"{file}: there is no such file.", "`lentigo models` lists the installed models.")
    try:
        content = file.read_bytes()
    except OSError as error:
        raise BundleError(f"{file}: can't be read ({error.strerror}).", "Check its permissions.") from None
    return unpacked(content, file) if is_packed(content) else content


def sealed(content: bytes) -> bytes:
    """The bytes of an ONNX file, with its content hash instead of the 64 zeros under `HASH_KEY`."""
    return content.replace(
        HASH_KEY.encode() + b"\x12\x40" + _UNSEALED, HASH_KEY.encode() + b"\x12\x40" + _digest(content).encode()
    )


def _digest(content: bytes) -> str:
    """SHA-256 of the content, with zeros in place of the hash."""
    zeroed = _SEAL.sub(HASH_KEY.encode() + b"\x12\x40" + _UNSEALED, content)
    return hashlib.sha256(zeroed).hexdigest()


def _filled(declared: OptionalInput, values: NDArray | None, count: int) -> NDArray:
    """Values of an optional input, or as many missing values."""
    dtype = _TYPES[declared.kind][1]
    return np.full(count, declared.missing, dtype) if values is None else np.asarray(values, dtype)


def _giving_back() -> ort.RunOptions:
    """Options of a run after which ONNX Runtime keeps no memory that it doesn't use."""
    options = ort.RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options


def _listed(types: dict[str, str]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in types.items())
