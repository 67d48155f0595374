"""What a frozen base makes of images, computed once and cached on disk, so that what sits on it trains in seconds.

A cache is in the folder of the decoded pixels, which is keyed by the images themselves, and is keyed by the frozen
network and its weights, the normalisation and the precision. Rows are filled when they are first asked for; each row's
checksum is written after it, so that an interruption costs a block, and a damaged row is found and computed again.
"""

import hashlib
import json
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from torch import Tensor

from lentigo.atomic import write_bytes, write_text
from lentigo.data import Pixels, Records
from lentigo.errors import DataError, RunError
from lentigo.models.transfer import Transfer
from lentigo.progress import track
from lentigo.training.devices import Device, find_device
from lentigo.training.inputs import PixelInput
from lentigo.training.recipe import Recipe

__all__ = ["Features", "cache_features"]

BLOCK = 8
"""Images in a block."""


@dataclass(frozen=True)
class Features:
    """Cached features of a data set.

    Attributes:
        array: float16 [N, ...] in the order of the pixels, a read-only map; rows that were not requested are zero.
        seconds_an_image: what computing them took, where they were computed.
    """

    array: NDArray[np.float16]
    seconds_an_image: float


def cache_features(
    network: Transfer,
    recipe: Recipe,
    mean: Tensor,
    std: Tensor,
    pixels: Pixels,
    records: Records,
    device: Device = "auto",
) -> Features:
    """What the frozen stages of a network make of some images, computed where it wasn't before.

    Args:
        network: with its base frozen, ready for inference.
        recipe: says the precision.
        mean, std: the normalisation, [3] each.
        pixels: of the whole data set.
        records: the images that are needed, readable ones.
        device: where they are computed.

    Raises:
        RunError: the features aren't finite in 16 bits.
        DataError: the disk is full, or can't be written to.
    """
    network.eval().to(find_device(device))
    shape = tuple(_forward(network, recipe, mean, std, np.array(pixels.array[:1])).shape[1:])
    folder = pixels.folder / f"features-{_key(network, recipe, mean, std, shape)[:16]}"
    rows = np.unique(pixels.rows(records))
    try:
        folder.mkdir(exist_ok=True)
        with FileLock(folder / "lock"):
            seconds = _fill(network, recipe, mean, std, pixels, rows, shape, folder)
    except OSError as error:
        raise DataError(
            f"{folder}: can't cache features ({error.strerror or error}).",
            "Free some space, or set LENTIGO_CACHE to another folder; finished features are kept.",
        ) from error
    network.cpu()
    array = np.memmap(folder / "features.f16", np.float16, "r", shape=(len(pixels.ids), *shape))
    return Features(array, seconds)


def _fill(
    network: Transfer,
    recipe: Recipe,
    mean: Tensor,
    std: Tensor,
    pixels: Pixels,
    rows: NDArray[np.int64],
    shape: tuple[int, ...],
    folder: Path,
) -> float:
    """Compute the rows that are missing or damaged; seconds an image, over all that were ever computed here."""
    sums_path, clock_path, data_path = folder / "checksums.u32", folder / "clock.json", folder / "features.f16"
    count, row_bytes = len(pixels.ids), 2 * int(np.prod(shape))
    sums = _read_checksums(sums_path, count)
    clock = _read_clock(clock_path)
    with data_path.open("a+b") as file:
        file.truncate(count * row_bytes)  # sparse: rows that are not requested cost nothing
    with data_path.open("r+b") as file:
        missing = np.array([row for row in rows if sums[row] != _checksum(_read(file, row, row_bytes))], np.int64)
        blocks = [missing[start : start + BLOCK] for start in range(0, len(missing), BLOCK)]
        for block in track(blocks, "Computing features of the frozen base", len(blocks)):
            start = time.perf_counter()
            values = _compute(network, recipe, mean, std, pixels.array[block])
            clock = {"images": clock["images"] + len(block), "seconds": clock["seconds"] + time.perf_counter() - start}
            for row, value in zip(block, values, strict=True):
                file.seek(int(row) * row_bytes)
                file.write(value.tobytes())
                sums[row] = _checksum(value.tobytes())
            file.flush()
            write_bytes(sums_path, sums.tobytes())
            write_text(clock_path, json.dumps(clock))
    return clock["seconds"] / max(clock["images"], 1)


def _read_checksums(path: Path, count: int) -> NDArray[np.uint32]:
    """A checksum a row, 0 for those that were not computed yet; a file of another length is of no use."""
    sums = np.fromfile(path, np.uint32) if path.exists() else np.zeros(0, np.uint32)
    return sums if len(sums) == count else np.zeros(count, np.uint32)


def _read_clock(path: Path) -> dict[str, float]:
    """Images and seconds so far; a damaged file doesn't cause anything to be computed again."""
    try:
        clock = json.loads(path.read_text(encoding="utf-8"))
        return {name: float(clock[name]) for name in ("images", "seconds")}
    except (FileNotFoundError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return {"images": 0, "seconds": 0.0}


def _read(file: BinaryIO, row: int, row_bytes: int) -> bytes:
    file.seek(int(row) * row_bytes)
    return file.read(row_bytes)


def _checksum(content: bytes) -> int:
    """CRC-32, never 0, which marks a row that was not computed."""
    return zlib.crc32(content) or 1


def _compute(
    network: Transfer, recipe: Recipe, mean: Tensor, std: Tensor, squares: NDArray[np.uint8]
) -> NDArray[np.float16]:
    """The features of at most a block of images."""
    # Always of a whole block: with other numbers of images the last bits differ, and a cache that was resumed or
    # repaired would differ from an uninterrupted one.
    padding = np.repeat(squares[-1:], max(0, BLOCK - len(squares)), axis=0)
    kept = _forward(network, recipe, mean, std, np.concatenate([squares, padding]))[: len(squares)]
    values = kept.float().cpu().numpy().astype(np.float16)
    if not np.isfinite(values).all():
        raise RunError("The features of this base are too large for 16 bits.", "Train without frozen_base.")
    return values


@torch.inference_mode()
def _forward(network: Transfer, recipe: Recipe, mean: Tensor, std: Tensor, squares: NDArray[np.uint8]) -> Tensor:
    device = next(network.parameters()).device
    inputs = PixelInput(recipe, mean, std).to(device)
    images = inputs(torch.from_numpy(squares).to(device).permute(0, 3, 1, 2))
    with torch.autocast(device.type, torch.bfloat16, enabled=recipe.precision == "bfloat16"):
        return network.frozen_part(images)


def _key(network: Transfer, recipe: Recipe, mean: Tensor, std: Tensor, shape: tuple[int, ...]) -> str:
    # Not the weights alone: networks that differ in a stride or an activation can have the same ones.
    base = f"{network.features.source},{network.features.frozen_stages},{network.features.body}"
    digest = hashlib.sha256(f"{recipe.precision},{mean.tolist()},{std.tolist()},{shape},{base}".encode())
    for tensor in network.features.frozen_state():
        digest.update(tensor.contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()
