"""LiteRT files (.tflite) made from bundles: run by ai-edge-litert, on phones and small boards too, as a `Predictor`.

The file is a plain LiteRT model with one input, `image` float32 [1, S, S, 3]: the central square, resized as
`lentigo.runtime.squares` does it, values 0 to 255. Normalisation, mirrors, softmax, maps and OOD score are in it. A zip
archive at its end, which LiteRT passes over, holds `lentigo.json`: the bundle's metadata, the names of the outputs,
and a SHA-256 of the model. `lentigo.sha256` is that of both.
"""

import hashlib
import io
import json
import os
import threading
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lentigo.errors import BundleError, MissingExtraError, reason
from lentigo.labels import LabelSet
from lentigo.runtime.bundle import origin_of
from lentigo.runtime.metadata import BundleMetadata
from lentigo.runtime.predictor import Outputs
from lentigo.runtime.squares import central_square
from lentigo.runtime.stated import read_metadata

__all__ = ["LiteRT", "appended"]

FORMAT = 1
_FIELDS = Outputs._fields
_DAMAGED = "Don't use it: copy or export it again."


class LiteRT:
    """An opened .tflite file of lentigo; a `Predictor`.

    Args:
        path: the file.
        threads: number of threads.

    Raises:
        BundleError: there is no such file, not a LiteRT model of lentigo, modified since it was written, or of a newer
            format.
        MissingExtraError: ai-edge-litert is not installed.
    """

    def __init__(self, path: str | os.PathLike[str], *, threads: int = 1) -> None:
        self.path = Path(path)
        content, described = _read(self.path)
        try:
            stated, self._names = dict(described["bundle"]), _outputs(described["outputs"])
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(f"{self.path}: its metadata are damaged ({error}).", _DAMAGED) from None
        self.metadata = read_metadata(stated, self.path)
        self.origin = origin_of(self.metadata, self.path)
        """What it was trained on."""
        self.sha256 = hashlib.sha256(self.path.read_bytes()).hexdigest()
        """SHA-256 of the file, hexadecimal."""
        self._run = _runner(self.path, content, threads)
        self._threads = threads

    def __repr__(self) -> str:
        return f"<LiteRT {self.name}: {self.metadata.network}, {self.labels}, {self.metadata.precision}, {self.path}>"

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

    def predict(self, images: NDArray[np.uint8]) -> Outputs:
        """Outputs for images uint8 [N, H, W, 3] of any one size, one after the other."""
        found = [self._run(image=central_square(image, self.size)[None]) for image in images]
        columns = {
            name: np.concatenate([np.atleast_1d(one[f"output_{k}"]) for one in found])
            for k, name in enumerate(self._names)
        }
        return Outputs(**columns)


def _outputs(names: Any) -> list[str]:
    """Names of the outputs, each a field of `Outputs`, the probabilities among them."""
    if not isinstance(names, list) or len({*names}) < len(names) or not {"probabilities"} <= {*names} <= {*_FIELDS}:
        raise ValueError(f"outputs is {names!r}, not names of {', '.join(_FIELDS)}")
    return names


def appended(content: bytes, metadata: BundleMetadata, outputs: list[str]) -> bytes:
    """A LiteRT model with lentigo's metadata behind it."""
    described = {
        "lentigo_litert": FORMAT,
        "model_sha256": hashlib.sha256(content).hexdigest(),
        "model_bytes": len(content),
        "input": f"image: float32 [1, {metadata.size}, {metadata.size}, 3], RGB, values 0 to 255: the central square, "
        "resized with an antialiased triangle filter, not rounded",
        "outputs": outputs,
        "bundle": metadata.model_dump(mode="json"),
    }
    text = json.dumps(described)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for name, value in (("lentigo.json", text), ("lentigo.sha256", hashlib.sha256(text.encode()).hexdigest())):
            member = zipfile.ZipInfo(name)  # of 1980, so that the same model gives the same bytes
            member.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(member, value)
    return content + archive.getvalue()


def _read(path: Path) -> tuple[bytes, dict[str, Any]]:
    """The model's bytes and their description, both checked."""
    if not path.is_file():
        raise BundleError(f"{path}: there is no such file.", "`lentigo export MODEL FILE.tflite` creates one.")
    try:
        whole = path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path}: can't be read ({error.strerror}).", "Check its permissions.") from None
    try:
        with zipfile.ZipFile(io.BytesIO(whole)) as file:
            if sum(member.file_size for member in file.infolist()) > 64 * 2**20:
                raise BundleError(f"{path}: its metadata would unpack to over 64 MiB.", _DAMAGED)
            text, digest = file.read("lentigo.json"), file.read("lentigo.sha256").decode()
        described = dict(json.loads(text))
        version, length, expected = (described[k] for k in ("lentigo_litert", "model_bytes", "model_sha256"))
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, OSError, RuntimeError) as error:
        raise BundleError(
            f"{path}: not a LiteRT model that lentigo wrote, or damaged ({reason(error)}).",
            "`lentigo export` creates one.",
        ) from None
    if version != FORMAT:
        raise BundleError(f"{path}: format {version!r} is unknown to this lentigo.", "Upgrade lentigo.")
    content = whole[:length] if isinstance(length, int) else b""
    if hashlib.sha256(content).hexdigest() != expected or hashlib.sha256(text).hexdigest() != digest:
        raise BundleError(f"{path}: the file has changed since it was written (content hash mismatch).", _DAMAGED)
    return content, described


def _runner(path: Path, content: bytes, threads: int) -> Any:
    """LiteRT's interpreter of the model."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ModuleNotFoundError as missing:
        if not (missing.name or "").startswith("ai_edge_litert"):
            raise
        raise MissingExtraError("Running a .tflite file", "litert") from missing
    try:
        interpreter = Interpreter(model_content=content, num_threads=threads)
        run = interpreter.get_signature_runner()
        (name,) = run.get_input_details()
    except (ValueError, RuntimeError) as error:
        raise BundleError(f"{path}: LiteRT can't open it ({error}).", "Export it again.") from None
    alone = threading.Lock()  # an interpreter has one set of tensors

    def once(image: NDArray[np.float32]) -> Any:
        with alone:
            return run(**{name: image})

    return once
