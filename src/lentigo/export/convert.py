"""A run or a bundle as a file of the kind that its name asks for: .onnx, packed as .onnx.zst, or .tflite."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from lentigo import data as data_sets
from lentigo.atomic import replacing, writable
from lentigo.errors import BundleError, OutputError
from lentigo.evaluation.evaluate import open_model
from lentigo.evaluation.run_predictor import RunPredictor
from lentigo.export.assemble import bundle
from lentigo.export.lite import LiteFile, litert
from lentigo.export.lite.environment import find_environment
from lentigo.runtime import Bundle
from lentigo.runtime.bundle import read_model
from lentigo.runtime.packed import SUFFIX as PACKED
from lentigo.runtime.packed import pack

__all__ = ["convert"]

PLAIN = ".onnx"
LITE = ".tflite"


def convert(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    int8: bool = False,
    name: str | None = None,
    data: str | os.PathLike[str] | None = None,
    device: str = "auto",
) -> Bundle | LiteFile:
    """Write a model as another kind of file, and open it again before it appears.

    A packed bundle (.onnx.zst) is the same model as the plain one, with the same hash, and opens everywhere that one
    does. The same model gives the same bytes with the same version of Zstandard.

    Args:
        source: folder of a finished run; or name or path of a bundle.
        out: the file to write; its name ends in .onnx, .onnx.zst or .tflite, see `litert`. What is there is replaced
            only by a file that has been read back.
        int8: of a .tflite file: weights in 8 bits.
        name: the model's name, for a run; without it the file's.
        data: where the images of a run lie now, if they moved; or real images to compare a .tflite file on.
        device: where a run predicts: 'auto', 'cpu', 'cuda' or 'mps'.

    Raises:
        BundleError: no such model, another ending, a name for a bundle, or a file that differs when read back.
        OutputError: the file can't be written, or is the model itself.
        RunError: not a run, or one that has not finished.
    """
    target = Path(out)
    if not target.name.endswith((PLAIN, PACKED, LITE)):
        raise BundleError(f"{target}: the name must end in {PLAIN}, {PACKED} or {LITE}.", "Rename the output.")
    if int8 and target.suffix != LITE:
        raise BundleError(f"{target}: --int8 is for {LITE} files.", "Compress a bundle with: lentigo compress.")
    if target.suffix == LITE:
        find_environment()  # before hours of work
    model = open_model(source, data=data, device=device)
    if isinstance(model, RunPredictor):
        writable(target)  # before hours of work
        return _from_run(model, target, name, int8)
    assert isinstance(model, Bundle)
    if name is not None:
        raise BundleError(
            f"{model.path}: a bundle keeps its name, {model.name}, which its hash covers.", "Leave out --name."
        )
    if target.exists() and target.samefile(model.path):
        raise OutputError(f"{target}: this is the model itself.", "Name another file.")
    if target.suffix == LITE:
        return litert(model, target, int8=int8, images=None if data is None else data_sets.read(data))
    return _written(model, target)


def _from_run(model: RunPredictor, target: Path, name: str | None, int8: bool) -> Bundle | LiteFile:
    if target.name.endswith(PLAIN):
        return bundle(model.run, target, name=name)
    with TemporaryDirectory() as folder:
        called = name or target.name.removesuffix(PACKED).removesuffix(LITE)
        plain = bundle(model.run, Path(folder) / "model.onnx", name=called)
        if target.suffix == LITE:
            return litert(plain, target, int8=int8, images=model.run.labelled(model.run.split.validation))
        return _written(plain, target)


def _written(model: Bundle, target: Path) -> Bundle:
    """The same model in a file of the target's kind."""
    content = read_model(model.path)
    with replacing(target) as partial:
        partial.write_bytes(pack(content) if target.name.endswith(PACKED) else content)
        if Bundle(partial, threads=1).sha256 != model.sha256:
            raise BundleError(f"{model.path}: it changed while it was converted.", "Convert it again.")
    return Bundle(target)
