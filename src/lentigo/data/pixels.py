"""Decode every image once into a uint8 memory map, then never again.

The cache is keyed by the images themselves (`content_key`) and the side of the squares. It is filled in blocks; a
journal names each finished block with its checksum, so that an interrupted run resumes and a damaged block is found and
built again. A lock lets two processes ask for one cache at once.
"""

import hashlib
import json
import os
import re
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
from filelock import FileLock
from numpy.typing import NDArray
from PIL import Image
from platformdirs import user_cache_path

from lentigo.arguments import checked
from lentigo.data.content import content_key
from lentigo.data.records import Problem, Records, none_readable
from lentigo.errors import DataError, ImageError
from lentigo.progress import track

__all__ = ["Pixels", "check_side", "load_pixels", "to_square"]

BLOCK = 256
"""Images in a block: a second of work, so that an interruption costs no more."""
VERSION = 2
"""Part of the key; raised when the way of decoding changes."""


@dataclass(frozen=True)
class Pixels:
    """Decoded squares of a data set.

    Attributes:
        array: uint8 [N, S, S, 3], a read-only memory map; rows of unreadable images are zero.
        ids: image ids [N].
        folder: of the cache; what is computed from these pixels may be kept in it.
        problems: the images that could not be read, and why.
    """

    array: NDArray[np.uint8]
    ids: NDArray
    folder: Path
    problems: tuple[Problem, ...] = ()

    def readable(self, records: Records) -> Records:
        """The records whose image could be read."""
        bad = {p.file for p in self.problems}
        return records.take([i for i in records.ids if i not in bad]) if bad else records

    def of(self, records: Records) -> NDArray[np.uint8]:
        """The squares of some records in their order, copied into memory: uint8 [M, S, S, 3].

        Raises:
            DataError: a record is not in this cache.
        """
        return self.array[self.rows(records)]

    def rows(self, records: Records) -> NDArray[np.int64]:
        """Rows of some records in their order, [M].

        Raises:
            DataError: a record is not in this cache.
        """
        rows = pd.Index(self.ids).get_indexer(pd.Index(records.ids))
        if (rows < 0).any():
            raise DataError(
                f"Image {records.ids[np.argmax(rows < 0)]} is not among the decoded ones.",
                "Decode these records: data.load_pixels.",
            )
        return rows.astype(np.int64)


def check_side(size: int) -> None:
    """Refuse squares without pixels.

    Raises:
        DataError: a side below 1.
    """
    if size < 1:
        raise DataError(f"Squares of {size} pixels a side can't be made.", "Use a whole number of 1 or more.")


def to_square(rgb: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Cut the largest central square out of [H, W, 3] and scale it to [size, size, 3], antialiased bilinear.

    The bundle does the same inside its graph, in real numbers: the two differ by at most one grey level.
    """
    height, width = rgb.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = Image.fromarray(rgb[top : top + side, left : left + side])
    return np.asarray(square.resize((size, size), Image.Resampling.BILINEAR))


@checked
def load_pixels(records: Records, size: int, *, cache: Path | None = None, strict: bool = False) -> Pixels:
    """Decode all images of a data set, or map what was decoded before.

    Args:
        records: the whole data set, not one part of a split: parts then share one cache.
        size: side of the squares in pixels.
        cache: folder for caches; without it `LENTIGO_CACHE`, or the user's cache folder.
        strict: stop at the first unreadable image instead of reporting it.

    Raises:
        DataError: a side below 1, unreadable image (if strict), no readable image at all, or not enough disk space.
    """
    check_side(size)
    folder = cache or Path(os.environ.get("LENTIGO_CACHE") or user_cache_path("lentigo")).expanduser()
    key = hashlib.sha256(f"{VERSION},{size},{content_key(records)}".encode()).hexdigest()
    # The name is for people; what a folder can't be called is left out of it.
    folder = folder / f"{re.sub(r'[^A-Za-z0-9_-]+', '_', records.name)[:40]}-{size}px-{key[:16]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "lock"):
            problems = _fill(records, size, folder)
    except OSError as error:
        raise DataError(
            f"{folder}: can't write the pixel cache ({error.strerror or error}).",
            "Free some space, or set LENTIGO_CACHE to another folder; finished blocks are kept.",
        ) from error
    if strict and problems:
        raise DataError(f"{len(problems)} images can't be read; the first: {problems[0]}.", "Repair or remove them.")
    if len(problems) == len(records):
        raise none_readable(records, problems[0])
    array = np.memmap(folder / "pixels.u8", np.uint8, "r", shape=(len(records), size, size, 3))
    return Pixels(array, records.ids, folder, tuple(problems))


def _fill(records: Records, size: int, folder: Path) -> list[Problem]:
    """Build the blocks that are missing or damaged; the problems of all blocks."""
    path, journal = folder / "pixels.u8", folder / "journal.jsonl"
    image_bytes = size * size * 3
    _allocate(path, len(records) * image_bytes)
    starts = range(0, len(records), BLOCK)
    with path.open("r+b") as file:
        entries = {
            start: entry
            for start, entry in _read_journal(journal).items()
            if start in starts
            # What can't be read by one version, or without an extra, may be readable now.
            and (not entry["bad"] or entry["by"] == _decoders())
            and entry["crc"]
            == _checksum(_read(file, start, min(BLOCK, len(records) - start), image_bytes), entry["bad"])
        }
        missing = [start for start in starts if start not in entries]
        with ThreadPoolExecutor(os.cpu_count()) as pool, journal.open("a", encoding="utf-8") as log:
            for start in track(missing, f"Decoding at {size} px", len(starts), done=len(entries)):
                squares, bad = _decode_block(records, start, size, pool)
                file.seek(start * image_bytes)
                file.write(squares.tobytes())
                file.flush()
                entries[start] = {
                    "start": start,
                    "crc": _checksum(squares.tobytes(), bad),
                    "bad": bad,
                    "by": _decoders(),
                }
                # The entry is written after its pixels: a crash in between costs one block and no truth.
                log.write(json.dumps(entries[start]) + "\n")
                log.flush()
    return [
        Problem(image_id, reason, "unreadable image")
        for start in starts
        for image_id, reason in entries[start]["bad"].items()
    ]


def _allocate(path: Path, size: int) -> None:
    """Reserve the disk space now: running out of it later would kill a process that writes to a map."""
    if path.exists() and path.stat().st_size == size:
        return
    with path.open("wb") as file:
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            else:  # macOS and Windows
                file.truncate(size)
        except OSError:
            path.unlink()
            raise


def _read_journal(journal: Path) -> dict[int, dict]:
    """Entries by the first row of their block; damaged and half-written lines are passed over."""
    entries = {}
    for line in journal.read_text(encoding="utf-8", errors="replace").splitlines() if journal.exists() else ():
        try:
            entry = json.loads(line)
            entries[int(entry["start"])] = {"crc": int(entry["crc"]), "bad": dict(entry["bad"]), "by": entry.get("by")}
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            continue
    return entries


@lru_cache
def _decoders() -> str:
    """What decides which images can be read."""
    found = []
    for name in ("lentigo", "pillow", "simplejpeg", "pydicom"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def _read(file: BinaryIO, start: int, count: int, image_bytes: int) -> bytes:
    """The squares of `count` images from number `start` on."""
    file.seek(start * image_bytes)
    return file.read(max(count, 0) * image_bytes)


def _checksum(pixels: bytes, bad: dict[str, str]) -> int:
    """Over the squares of a block and over what it says of unreadable images: zeros must not pass for a picture."""
    return zlib.crc32(json.dumps(bad, sort_keys=True).encode(), zlib.crc32(pixels))


def _decode_block(
    records: Records, start: int, size: int, pool: ThreadPoolExecutor
) -> tuple[NDArray[np.uint8], dict[str, str]]:
    """Squares [B, size, size, 3] of one block, and the reasons of those that could not be read, by image id."""
    paths = records.table["path"].iloc[start : start + BLOCK]
    squares = np.zeros((len(paths), size, size, 3), np.uint8)
    bad = {}
    for i, result in enumerate(pool.map(lambda path: _decode_one(records, path, size), paths)):
        if isinstance(result, ImageError):
            bad[str(records.ids[start + i])] = str(result)
        else:
            squares[i] = result
    return squares, bad


def _decode_one(records: Records, path: str, size: int) -> NDArray[np.uint8] | ImageError:
    try:
        return to_square(records.decode(path), size)
    except ImageError as error:
        return error
