"""Steps of the file: a bundle in fewer bits, with fewer different weights, or packed."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from lentigo.compression import quantization
from lentigo.compression.quantization.ranges import Method
from lentigo.compression.steps import STEPS, Model, Step
from lentigo.export.convert import convert
from lentigo.runtime import Bundle
from lentigo.runtime.packed import SUFFIX as PACKED
from lentigo.training.quantization_aware import RANGES

__all__: list[str] = []  # what is here is found in `STEPS`

Images = Annotated[int, Field(ge=2, le=100_000)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]


@STEPS.register
def int8(
    calibration: Method = "minmax",
    images: Images = 256,
    balanced: bool = False,
    seed: Seed = 0,
    enforce: bool = True,
) -> Step:
    """Layers in integers of 8 bits, calibrated on training images, see `compression.quantize`.

    Ranges that a quantization-aware training of the run learned take the place of calibrated ones.

    Args:
        calibration: 'minmax', 'entropy' or 'percentile'.
        images: training images to calibrate on.
        balanced: as many of each diagnosis.
        seed: of their draw.
        enforce: whether a file that violates the policy of its precision is refused; `compress` takes no other.
    """
    return _int8(calibration, images, balanced, seed, 0.0, enforce)


@STEPS.register
def mixed(
    calibration: Method = "minmax",
    images: Images = 256,
    balanced: bool = False,
    seed: Seed = 0,
    keep_share: Annotated[float, Field(gt=0, lt=1)] = 0.1,
) -> Step:
    """As int8, but the layers that mind most, up to a share of all weights, stay in 16 bits.

    Args:
        calibration, images, balanced, seed: as of int8.
        keep_share: most that they hold together.
    """
    return _int8(calibration, images, balanced, seed, keep_share)


def _int8(calibration: Method, images: int, balanced: bool, seed: int, keep_share: float, enforce: bool = True) -> Step:
    def make(before: Model, parent: Model, out: Path) -> Path:
        bundle, records = Bundle(before.bundle), before.run.records
        keep: tuple[str, ...] = ()
        if keep_share:
            keep = quantization.sensitivity(bundle, records, calibration=calibration, seed=seed).keep(keep_share)
        learned = quantization.learned_ranges(before.run, bundle) if (before.run.path / RANGES).exists() else None
        return quantization.quantize(
            bundle,
            records,
            out,
            calibration=calibration,
            keep=keep,
            images=images,
            seed=seed,
            balanced=balanced,
            ranges=learned,
            enforce=enforce,
        ).path

    return Step("file", make, precision=True)


@STEPS.register
def fp16(enforce: bool = True) -> Step:
    """Weights stored in 16 bits and computed with in 32, see `compression.quantize`; `enforce` as of int8."""

    def make(before: Model, parent: Model, out: Path) -> Path:
        records = before.run.records
        return quantization.quantize(Bundle(before.bundle), records, out, precision="fp16", enforce=enforce).path

    return Step("file", make, precision=True)


@STEPS.register
def cluster(clusters: Annotated[int, Field(ge=2, le=256)] = 128) -> Step:
    """Weights as places in a table of few values for each layer; packing the file makes use of it."""

    def make(before: Model, parent: Model, out: Path) -> Path:
        return quantization.cluster(Bundle(before.bundle), before.run.records, out, clusters=clusters).path

    return Step("file", make, precision=True)


@STEPS.register
def zst() -> Step:
    """The file packed with Zstandard: the same model in fewer bytes."""

    def make(before: Model, parent: Model, out: Path) -> Path:
        return convert(before.bundle, out).path

    return Step("file", make, suffix=PACKED, last=True)
