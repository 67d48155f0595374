"""A bundle as a LiteRT file: cut behind its resize, converted elsewhere, compared with the bundle, then written."""

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from PIL import Image

from lentigo import data
from lentigo.atomic import replacing, writable
from lentigo.data.records import none_readable
from lentigo.errors import BundleError, ImageError
from lentigo.export.lite import worker
from lentigo.export.lite.core import core_of
from lentigo.export.lite.environment import find_environment
from lentigo.export.parity import Parity
from lentigo.runtime import Bundle, Outputs
from lentigo.runtime.bundle import read_model
from lentigo.runtime.litert import appended
from lentigo.runtime.metadata import BundleMetadata
from lentigo.runtime.shipped import find_bundle
from lentigo.runtime.squares import central_square

__all__ = ["LiteFile", "litert", "run_worker"]

IMAGES = 100
"""Real images that are compared, where there are any."""
_NOT_CHOSEN = "none was chosen with this file: its 8-bit weights give other probabilities than its parent's"


@dataclass(frozen=True)
class LiteFile:
    """A .tflite file that was written.

    Attributes:
        path: the file.
        precision: 'fp32' or 'int8'.
        parity: what the comparison with the bundle found.
        real: whether it was compared on real images; drawn ones say little of 8-bit weights.
    """

    path: Path
    precision: str
    parity: Parity
    real: bool


def litert(
    bundle: Bundle | str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    int8: bool = False,
    images: data.Records | None = None,
    environment: str | os.PathLike[str] | None = None,
) -> LiteFile:
    """Write a bundle as a LiteRT file, in which everything is but the crop and resize (`runtime.squares`).

    The file appears, or replaces what was there, only when LiteRT has run it and it agrees with the bundle by the
    policy of its precision (`export.POLICIES`). With 8-bit weights that is only checked on real images; and then the
    file has neither operating points nor an OOD threshold, which were chosen with the bundle.

    Args:
        bundle: in fp32 or fp16; or its name or path.
        out: the .tflite file to write.
        int8: weights in 8 bits, activations in floats ('dynamic range').
        images: real images to compare on, 100 of them; without them eight are drawn.
        environment: what `setup_litert` made; without it `LENTIGO_LITERT`, or the user's.

    Raises:
        BundleError: no environment, an operator that can't be converted, or a file that differs too much.
        OutputError: the file can't be written there.
    """
    target = writable(out)
    if target.suffix != ".tflite":
        raise BundleError(f"{target}: a LiteRT file's name must end in .tflite.", "Rename the output.")
    opened = bundle if isinstance(bundle, Bundle) else Bundle(find_bundle(bundle), threads=1)
    python = find_environment(environment)
    pixels = _drawn() if images is None else _real(images)
    core = core_of(onnx.load_from_string(read_model(opened.path)), opened.metadata)
    content, actual = _converted(opened, core, pixels, int8, python)
    precision = "int8" if int8 else "fp32"
    parity = _compared(precision, opened, actual, pixels)
    checked = images is not None or not int8
    if checked and not parity.holds:
        raise BundleError(
            f"{target}: the LiteRT file differs from {opened.path}: {'; '.join(parity.faults)}.",
            "Nothing was written. Use the bundle, or convert without --int8.",
        )
    names = [o.name for o in core.graph.output]
    metadata = _described(opened, precision, parity if checked else None)
    with replacing(target) as partial:
        partial.write_bytes(appended(content, metadata, names))
    return LiteFile(target, precision, parity, images is not None)


def _converted(
    opened: Bundle, core: onnx.ModelProto, pixels: list[NDArray[np.uint8]], int8: bool, python: Path
) -> tuple[bytes, list[Outputs]]:
    """The LiteRT model, and what it gives for images."""
    squares = np.stack([central_square(image, opened.size) for image in pixels])
    content, columns = run_worker(core, squares, python, int8=int8, name=str(opened.path))
    return content, [Outputs(**{k: v[i : i + 1] for k, v in columns.items()}) for i in range(len(pixels))]


def run_worker(
    core: onnx.ModelProto, squares: NDArray, python: Path, *, int8: bool = False, name: str
) -> tuple[bytes, dict[str, NDArray]]:
    """Convert a graph of fixed shapes in the environment of its own.

    Args:
        core: one input, squares float32 [1, 3, S, S].
        squares: what is run through the result, one after the other [N, S, S, 3].
        python: of that environment.
        int8: weights in 8 bits.
        name: what an error calls it.

    Returns:
        The LiteRT model; its outputs [N, ...] by their names in the graph.

    Raises:
        BundleError: an operator can't be converted, or the converter fails.
    """
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        paths = [folder / file for file in ("core.onnx", "squares.npy", "model.tflite", "outputs.npz")]
        onnx.save(core, paths[0])
        np.save(paths[1], squares)
        # Isolated: nothing of this process' search path or variables for Python reaches that environment.
        command = [str(python), "-I", worker.__file__, *map(str, paths), *(["--int8"] if int8 else [])]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == worker.UNKNOWN:
            raise BundleError(
                f"{name}: {done.stdout.strip().splitlines()[-1]} can't be converted to LiteRT.",
                "Convert a bundle in fp32; for 8 bits use --int8.",
            )
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise BundleError(f"{name}: litert-torch can't convert it ({reason}).", "Use the bundle itself.")
        found = np.load(paths[3])
        return paths[2].read_bytes(), {o.name: found[f"output_{k}"] for k, o in enumerate(core.graph.output)}


def _compared(precision: str, opened: Bundle, actual: list[Outputs], pixels: list[NDArray[np.uint8]]) -> Parity:
    """Largest differences from the bundle, relative as in `export.parity`."""
    probability, same, cam, ood = [], [], [], []
    for image, found in zip(pixels, actual, strict=True):
        expected = opened.predict(image[None])
        probability.append(float(np.abs(found.probabilities - expected.probabilities).max()))
        same.append(bool(found.probabilities.argmax() == expected.probabilities.argmax()))
        if expected.cam is not None and found.cam is not None:
            cam.append(float(np.abs(found.cam - expected.cam).max() / np.abs(expected.cam).max()))
        if expected.ood_score is not None and found.ood_score is not None:
            ood.append(float(np.abs(found.ood_score / expected.ood_score - 1).max()))
    return Parity(
        precision=precision,
        images=len(pixels),
        largest_difference=float(np.max(probability)),
        same_top_class=float(np.mean(same)),
        largest_map_difference=float(np.max(cam)) if cam else None,
        largest_ood_difference=float(np.max(ood)) if ood else None,
    )


def _described(opened: Bundle, precision: str, parity: Parity | None) -> BundleMetadata:
    """The bundle's metadata, without what was measured or chosen with a file that computes something else."""
    described = opened.metadata
    changes: dict[str, object] = {
        "precision": precision,
        "parent_sha256": opened.sha256,
        "metrics": {},
        "embedding": None,  # LiteRT files give what a verdict is made from, and nothing else
        "parity": {} if parity is None else parity.to_dict(),
    }
    if precision == "int8":
        reasons: dict[str, str] = {point.target: _NOT_CHOSEN for point in described.operating_points}
        changes["operating_points"] = ()
        changes["no_operating_point"] = described.no_operating_point | reasons
        changes["ood_score"] = None
    return described.model_copy(update=changes)


def _real(records: data.Records) -> list[NDArray[np.uint8]]:
    """Evenly spread images that can be read."""
    found = []
    for path in records.table["path"].iloc[np.unique(np.linspace(0, len(records) - 1, IMAGES).astype(int))]:
        try:
            found.append(records.decode(path))
        except ImageError:
            continue
    if not found:
        raise none_readable(records)
    return found


def _drawn() -> list[NDArray[np.uint8]]:
    """Eight images of smooth colours in some noise and of different sizes, always the same."""
    rng = np.random.default_rng(0)
    found = []
    for width, height in ((200, 150), (600, 450), (64, 64), (90, 70), (31, 40), (224, 224), (150, 200), (333, 257)):
        coarse = Image.fromarray(rng.integers(40, 230, (6, 8, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.int16)
        found.append(np.clip(smooth + rng.integers(-9, 10, smooth.shape), 0, 255).astype(np.uint8))
    return found
