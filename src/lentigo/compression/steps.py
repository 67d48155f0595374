"""The steps that a compression recipe names: what each takes, what it makes, and its parameters.

A step of the *network* makes a run from a finished run; a step of the *file* makes a bundle from a bundle. Each is
restartable: interrupted and called again with the same folder it ends in the same files.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from lentigo.compression import quantization
from lentigo.compression.quantization import learned_ranges, quantize, sensitivity
from lentigo.compression.quantization.ranges import Method
from lentigo.export.convert import convert
from lentigo.runtime import Bundle
from lentigo.runtime.packed import SUFFIX as PACKED
from lentigo.training import Run
from lentigo.training.named import Registry
from lentigo.training.quantization_aware import RANGES

__all__ = ["STEPS", "Model", "Step"]


@dataclass(frozen=True)
class Model:
    """What steps hand on.

    Attributes:
        run: the training, which also knows data and split.
        bundle: its file, which may have been compressed beyond the run.
    """

    run: Run
    bundle: Path


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        of: what it changes: the network, before anything is exported, or the exported file.
        precision: whether it decides the precision of the file's weights, which only one step may.
        needs: names of steps, one of which must follow, or the step has no effect on what ships.
        suffix: of the file that it makes.
        last: whether nothing may follow.
        make: from the model before, the one that compression started from, and a folder of its own to the new run
            (of a network) or file.
    """

    of: Literal["network", "file"]
    make: Callable[[Model, Model, Path], Run | Path]
    precision: bool = False
    needs: tuple[str, ...] = ()
    suffix: str = ".onnx"
    last: bool = False


STEPS: Registry[Step] = Registry("compression step")


@STEPS.register
def zst() -> Step:
    """Pack the file with Zstandard: the same model in fewer bytes."""

    def make(before: Model, parent: Model, out: Path) -> Path:
        return convert(before.bundle, out).path

    return Step("file", make, suffix=PACKED, last=True)


@STEPS.register
def int8(
    calibration: Method = "minmax",
    images: Annotated[int, Field(ge=2)] = 256,
    balanced: bool = False,
    seed: int = 0,
    keep_share: Annotated[float, Field(ge=0, lt=1)] = 0.0,
) -> Step:
    """Layers in integers of 8 bits, calibrated on training images, see `compression.quantize`.

    Ranges that a quantization-aware training of the run learned take the place of calibrated ones.

    Args:
        calibration: 'minmax', 'entropy' or 'percentile'.
        images: training images to calibrate on.
        balanced: as many of each diagnosis.
        seed: of their draw.
        keep_share: the most sensitive layers, up to this share of all weights, stay in 16 bits (mixed precision).
    """

    def make(before: Model, parent: Model, out: Path) -> Path:
        bundle, records = Bundle(before.bundle), before.run.records
        found = sensitivity(bundle, records, calibration=calibration, seed=seed) if keep_share else None
        keep = found.keep(keep_share) if found else ()
        learned = learned_ranges(before.run, bundle) if (before.run.path / RANGES).exists() else None
        return quantize(
            bundle,
            records,
            out,
            calibration=calibration,
            keep=keep,
            images=images,
            seed=seed,
            balanced=balanced,
            ranges=learned,
        ).path

    return Step("file", make, precision=True)


@STEPS.register
def fp16() -> Step:
    """Weights stored in 16 bits and computed with in 32, see `compression.quantize`."""

    def make(before: Model, parent: Model, out: Path) -> Path:
        return quantize(Bundle(before.bundle), before.run.records, out, precision="fp16").path

    return Step("file", make, precision=True)


@STEPS.register
def cluster(clusters: Annotated[int, Field(ge=2, le=256)] = 128) -> Step:
    """Weights as places in a table of few values for each layer, see `quantization.cluster`."""

    def make(before: Model, parent: Model, out: Path) -> Path:
        return quantization.cluster(Bundle(before.bundle), before.run.records, out, clusters=clusters).path

    return Step("file", make, precision=True)
