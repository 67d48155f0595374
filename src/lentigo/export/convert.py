"""A run or a bundle as a file of the kind that its name asks for: .onnx, or packed as .onnx.zst."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from lentigo.atomic import replacing, writable
from lentigo.errors import BundleError, OutputError
from lentigo.evaluation.evaluate import open_model
from lentigo.evaluation.run_predictor import RunPredictor
from lentigo.export.assemble import bundle
from lentigo.runtime import Bundle
from lentigo.runtime.bundle import read_model
from lentigo.runtime.packed import SUFFIX as PACKED
from lentigo.runtime.packed import pack

__all__ = ["convert"]

PLAIN = ".onnx"


def convert(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    name: str | None = None,
    data: str | os.PathLike[str] | None = None,
    device: str = "auto",
) -> Bundle:
    """Write a model as another kind of file, and open it again before it appears.

    A packed bundle (.onnx.zst) is the same model as the plain one, with the same hash, and opens everywhere that one
    does. The same model gives the same bytes with the same version of Zstandard.

    Args:
        source: folder of a finished run; or name or path of a bundle.
        out: the file to write; its name ends in .onnx or .onnx.zst. What is there is replaced only by a file that
            has been read back.
        name: the model's name, for a run; without it the file's.
        data: where the images of a run lie now, if they moved.
        device: where a run predicts: 'auto', 'cpu', 'cuda' or 'mps'.

    Raises:
        BundleError: no such model, another ending, a name for a bundle, or a file that differs when read back.
        OutputError: the file can't be written, or is the model itself.
        RunError: not a run, or one that has not finished.
    """
    target = Path(out)
    if not target.name.endswith((PLAIN, PACKED)):
        raise BundleError(f"{target}: a bundle's name must end in {PLAIN} or {PACKED}.", "Rename the output.")
    model = open_model(source, data=data, device=device)
    if isinstance(model, RunPredictor):
        writable(target)  # before hours of work
        return _from_run(model, target, name)
    assert isinstance(model, Bundle)
    if name is not None:
        raise BundleError(
            f"{model.path}: a bundle keeps its name, {model.name}, which its hash covers.", "Leave out --name."
        )
    if target.exists() and target.samefile(model.path):
        raise OutputError(f"{target}: this is the model itself.", "Name another file.")
    return _written(model, target)


def _from_run(model: RunPredictor, target: Path, name: str | None) -> Bundle:
    if not target.name.endswith(PACKED):
        return bundle(model.run, target, name=name)
    with TemporaryDirectory() as folder:
        plain = bundle(model.run, Path(folder) / "model.onnx", name=name or target.name.removesuffix(PACKED))
        return _written(plain, target)


def _written(model: Bundle, target: Path) -> Bundle:
    """The same model in a file of the target's kind."""
    content = read_model(model.path)
    with replacing(target) as partial:
        partial.write_bytes(pack(content) if target.name.endswith(PACKED) else content)
        if Bundle(partial, threads=1).sha256 != model.sha256:
            raise BundleError(f"{model.path}: it changed while it was converted.", "Convert it again.")
    return Bundle(target)
