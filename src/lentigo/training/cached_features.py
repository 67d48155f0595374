"""What a frozen base makes of images, computed once and cached on disk, so that what sits on it trains in seconds.

A cache lies beside the decoded pixels and is keyed by the frozen weights, the normalisation and the precision. Rows
are filled when they are first asked for; each block is marked after it was written, so an interruption costs a block.
"""

import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from torch import Tensor

from lentigo.atomic import replacing, write_text
from lentigo.data import Pixels, Records
from lentigo.errors import DataError, RunError
from lentigo.models.transfer import Transfer
from lentigo.progress import track
from lentigo.training.devices import Device, find_device
from lentigo.training.inputs import PixelInput
from lentigo.training.recipe import Recipe

__all__ = ["Features", "cache_features"]

BLOCK = 32
"""Images in a block."""


@dataclass(frozen=True)
class Features:
    """Cached features of a data set.

    Attributes:
        array: float16 [N, ...] in the order of the pixels, a read-only map; rows that nobody asked for are zero.
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
    shape = tuple(_compute(network, recipe, mean, std, pixels.array[:1]).shape[1:])
    folder = pixels.folder / f"features-{_key(network, recipe, mean, std, shape)[:16]}"
    rows = np.unique(pixels.rows(records))
    try:
        folder.mkdir(exist_ok=True)
        with FileLock(folder / "lock"):
            seconds = _fill(network, recipe, mean, std, pixels, rows, shape, folder)
    except OSError as error:
        raise DataError(
            f"{folder}: can't keep features ({error.strerror or error}).",
            "Free some space, or set LENTIGO_CACHE to another folder; what is computed so far is kept.",
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
    """Compute the rows that are missing; seconds an image, over all that were ever computed here."""
    done_path, clock_path, data_path = folder / "done.u8", folder / "clock.json", folder / "features.f16"
    count, row_bytes = len(pixels.ids), 2 * int(np.prod(shape))
    done = np.fromfile(done_path, np.uint8) if done_path.exists() else np.zeros(count, np.uint8)
    clock = json.loads(clock_path.read_text()) if clock_path.exists() else {"images": 0, "seconds": 0.0}
    if not data_path.exists():
        with data_path.open("wb") as file:
            file.truncate(count * row_bytes)  # sparse: rows that nobody asks for cost nothing
    missing = rows[done[rows] == 0]
    blocks = [missing[start : start + BLOCK] for start in range(0, len(missing), BLOCK)]
    with data_path.open("r+b") as file:
        for block in track(blocks, "Features of the frozen base", len(blocks)):
            start = time.perf_counter()
            values = _compute(network, recipe, mean, std, pixels.array[block])
            clock = {"images": clock["images"] + len(block), "seconds": clock["seconds"] + time.perf_counter() - start}
            for row, value in zip(block, values, strict=True):
                file.seek(int(row) * row_bytes)
                file.write(value.tobytes())
            file.flush()
            done[block] = 1
            with replacing(done_path) as partial:
                partial.write_bytes(done.tobytes())
            write_text(clock_path, json.dumps(clock))
    return clock["seconds"] / max(clock["images"], 1)


@torch.inference_mode()
def _compute(
    network: Transfer, recipe: Recipe, mean: Tensor, std: Tensor, squares: NDArray[np.uint8]
) -> NDArray[np.float16]:
    device = next(network.parameters()).device
    inputs = PixelInput(recipe, mean, std).to(device)
    images = inputs(torch.from_numpy(np.array(squares)).to(device).permute(0, 3, 1, 2))
    with torch.autocast(device.type, torch.bfloat16, enabled=recipe.precision == "bfloat16"):
        kept = network.frozen_part(images)
    values = kept.float().cpu().numpy().astype(np.float16)
    if not np.isfinite(values).all():
        raise RunError("The features of this base are too large for 16 bits.", "Train without frozen_base.")
    return values


def _key(network: Transfer, recipe: Recipe, mean: Tensor, std: Tensor, shape: tuple[int, ...]) -> str:
    digest = hashlib.sha256(f"{recipe.precision},{mean.tolist()},{std.tolist()},{shape}".encode())
    for tensor in network.features.frozen_state():
        digest.update(tensor.contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()
