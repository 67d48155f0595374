"""Kaggle's pixel tables of HAM10000, `hmnist_{8,28}_{8,28}_{L,RGB}.csv`: read, and written from any images.

A row is an image: the pixel columns, row by row with the channels innermost, values 0 to 255, then `label`, a number
in the order `taxonomy.ORDERS['kaggle_csv']`. The side and the mode follow from the number of pixel columns. The
published tables have their rows in the order of HAM10000_metadata.csv, so with that table beside them the images get
their ids and lesions back, if the pictures confirm the order; `write` puts such a table beside what it writes, with a
hash of each row's pixels that proves it. Tables of other images than HAM10000's are called 'pixel_table'.

Source of the format: K. Mader, 'Dermatology MNIST: loading and processing', Kaggle, 2018, which resizes the full frame
with a Lanczos filter and then converts its mode.
"""

import math
import warnings
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from lentigo import taxonomy
from lentigo.atomic import replacing
from lentigo.data.outputs import refuse_inputs
from lentigo.data.pixels import check_side
from lentigo.data.records import Problem, Records, make_table
from lentigo.data.sources.delimited import read_header
from lentigo.data.sources.identity import HAM10000_COUNTS, is_ham10000
from lentigo.data.sources.manifest import find_manifest
from lentigo.data.sources.metadata import (
    HAM10000_NAMES,
    PIXELS_HASH,
    Candidate,
    hash_rows,
    join_metadata,
    read_ham10000_metadata,
    read_known_pairs,
)  # fmt: skip
from lentigo.errors import DataError, OutputError
from lentigo.labels import HAM10000
from lentigo.progress import track

__all__ = ["LAYOUT", "PRECEDENCE", "detect", "read", "write"]

LAYOUT = "a pixel table hmnist_*.csv, or a folder with one and no images"
PRECEDENCE = 20

ORDER = taxonomy.ORDERS["kaggle_csv"]
BATCH = 500
"""Rows that are parsed at once."""


def detect(root: Path) -> bool:
    """Whether a file is a pixel table, or a folder holds one and no images."""
    return bool(_find_tables(root))


def read(root: Path) -> Records:
    """Read a pixel table whole; grey ones are spread over three channels.

    Rows with a label or pixel out of range are left out and reported. Image ids, lesions and the rest come from
    `<name>_metadata.csv` or `HAM10000_metadata.csv` in the same folder, if its rows are shown to be those of the table
    (`join_metadata`); otherwise every row counts as a lesion of its own, which is reported.

    Raises:
        DataError: several tables in the folder, a row with another number of fields than the header, pixel columns
            that make no square image, or no usable row.
    """
    tables = _find_tables(root)
    if len(tables) != 1:
        names = ", ".join(t.name for t in tables) or "none"
        raise DataError(f"{root}: one pixel table is needed, found {names}.", "Give the path of the file itself.")
    path = tables[0].absolute()
    pixels, labels, problems = _read_rows(path)
    dx = [ORDER[label] if 0 <= label < len(ORDER) else None for label in labels]
    rows = pd.DataFrame({"dx": dx}, dtype=object)
    rows["image_id"] = [f"{path.stem}_{i:05d}" for i in range(len(rows))]
    rows["path"] = [f"{path}#{i}" for i in range(len(rows))]
    candidates = [path.with_name(f"{path.stem}_metadata.csv"), path.with_name("HAM10000_metadata.csv")]
    rows, met = join_metadata(
        rows,
        pixels,
        (Candidate(c, read_ham10000_metadata(c)) for c in candidates if c.is_file()),
        path,
        "put HAM10000_metadata.csv beside the table",
    )
    rows = rows[rows["dx"].notna()]
    if rows.empty:
        raise DataError(f"{path}: none of its {len(dx)} rows is usable; the first: {problems[0]}.", "Export it again.")
    table, found, pairs = make_table(rows), (*problems, *met), tuple(read_known_pairs(path.parent))
    if not _is_kaggles(path, table, joined=not any(p.kind == "no lesion ids" for p in met)):
        return Records(table, "pixel_table", path, found, pairs, pixels)
    manifest = find_manifest("pixel_csv")
    return Records(table, "pixel_csv", path, found, pairs, pixels, manifest.licence, manifest.citation)


def write(records: Records, path: Path, size: int = 28, mode: Literal["L", "RGB"] = "RGB") -> None:
    """Write images as a pixel table in Kaggle's format and label order, and their metadata to `<name>_metadata.csv`.

    Each full frame is resized to a square, aspect ratio not kept, with Pillow's Lanczos filter. Both files appear
    whole or not at all.

    Args:
        records: images with seven-class diagnoses; they keep their order.
        path: the table to write, by custom named `hmnist_{size}_{size}_{mode}.csv`.
        size: side in pixels.
        mode: 'RGB', or 'L' for grey.

    Raises:
        DataError: no such mode or size, or other labels than HAM10000's.
        OutputError: the files can't be written, or would take the place of something else.
        ImageError: an image can't be decoded; the message names it.
    """
    check_side(size)
    if mode not in ("L", "RGB"):
        raise DataError(f"A pixel table of mode {mode!r} can't be made.", "Mode is 'L' or 'RGB'.")
    if records.label_set != HAM10000:
        raise DataError(
            f"{records.name} has the labels of {records.label_set}; Kaggle's pixel tables have those of {HAM10000}.",
            "Write images of these seven.",
        )
    labels = [ORDER.index(HAM10000.classes[label]) for label in records.labels]
    names = [f"pixel{i:04d}" for i in range(size * size * len(mode))]
    ham10000_names = {ours: theirs for theirs, ours in HAM10000_NAMES.items()}
    metadata = records.table.rename(columns=ham10000_names)[
        ["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization", "dataset"]
    ]
    beside = path.with_name(f"{path.stem}_metadata.csv")
    _refuse_other_files(records, path, beside)
    hashes = []
    with replacing(beside) as partial_beside, replacing(path) as partial:
        with partial.open("w", encoding="utf-8", newline="") as file:
            file.write(",".join([*names, "label"]) + "\n")
            images = track(map(records.decode, records.table["path"]), f"writing {path.name}", len(records))
            for image, label in zip(images, labels, strict=True):
                small = Image.fromarray(image).resize((size, size), Image.Resampling.LANCZOS).convert(mode)
                file.write(",".join(map(str, [*np.asarray(small).ravel().tolist(), label])) + "\n")
                hashes += hash_rows([np.asarray(small.convert("RGB"))])
        metadata.assign(**{PIXELS_HASH: hashes}).to_csv(partial_beside, index=False, lineterminator="\n")


def _refuse_other_files(records: Records, *paths: Path) -> None:
    """Stop before anything but an earlier table is overwritten."""
    for path in paths:
        refuse_inputs(path, records)
        names = set(read_header(path)) if path.is_file() else set()
        if path.exists() and not (PIXELS_HASH in names or _pixel_names(sorted(names))):
            raise OutputError(f"{path}: exists and is not a pixel table.", "Choose another --out.")


def _find_tables(root: Path) -> list[Path]:
    if root.is_file():
        return [root] if root.suffix.lower() == ".csv" and _pixel_names(read_header(root)) else []
    if any(root.glob("*.[jJ][pP]*[gG]")) or any(root.glob("*/*.[jJ][pP]*[gG]")):
        return []
    return [path for path in sorted(root.glob("hmnist_*.csv")) if _pixel_names(read_header(path))]


def _pixel_names(header: list[str]) -> list[str]:
    """The pixel columns of a header, empty if it is not that of a pixel table."""
    pixels = [name for name in header if name != "label"]
    if "label" not in header or not all(n.startswith("pixel") and n[5:].isdigit() for n in pixels):
        return []
    return pixels


def _shape(path: Path, names: list[str]) -> tuple[int, int]:
    """Side and channels of the images whose pixel columns have these names."""
    for channels in (3, 1):
        side = math.isqrt(len(names) // channels)
        if side * side * channels == len(names) and [int(n[5:]) for n in names] == list(range(len(names))):
            return side, channels
    raise DataError(
        f"{path}: {len(names)} pixel columns, {names[0]} to {names[-1]}, make no square grey or RGB image.",
        "A 28x28 RGB table has 2,352, pixel0000 to pixel2351.",
    )


def _read_rows(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int16], list[Problem]]:
    """Pixels [N, side, side, 3], labels [N], -1 for a row that can't be used, and why it can't."""
    header = read_header(path)
    side, channels = _shape(path, _pixel_names(header))
    at = header.index("label")
    pixels, labels, problems = [], [], []
    row = 0
    for batch in _batches(path, len(header)):
        values = _parse(batch)
        label, colour = values[:, at].copy(), np.delete(values, at, axis=1)
        dark: NDArray[np.bool_] = np.any((colour < 0) | (colour > 255), axis=1)
        wrong = (label < 0) | (label >= len(ORDER))
        for i in np.flatnonzero(dark | wrong):
            if dark[i]:
                problem = "a value is not a whole number from 0 to 255", "bad pixel"
            else:
                problem = f"label {label[i]} is not one of 0 to {len(ORDER) - 1}", "label out of range"
            problems.append(Problem(f"{path}#{row + i}", *problem))
        label[dark | wrong] = -1
        row += len(batch)
        labels.append(label)
        pixels.append(np.clip(colour, 0, 255).astype(np.uint8).reshape(-1, side, side, channels))
    if not pixels:
        raise DataError(f"{path}: the table has no rows.", "Write or download it again.")
    return np.concatenate(pixels).repeat(3 // channels, axis=3), np.concatenate(labels), problems


def _batches(path: Path, fields: int) -> Iterator[list[str]]:
    """The lines below the header, checked for their number of fields; empty lines are passed over."""
    try:
        with path.open(encoding="utf-8-sig") as file:  # universal newlines: mixed line ends are taken as they come
            total = sum(1 for _ in file) // BATCH + 1
            file.seek(0)
            lines = ((number, line) for number, line in enumerate(file, start=1) if number > 1 and line.strip())
            batches = iter(lambda: list(islice(lines, BATCH)), [])
            for batch in track(batches, f"reading {path.name}", total):
                for number, line in batch:
                    if (found := line.count(",") + 1) != fields:
                        reason = f"line {number} has {found} fields, the header has {fields}"
                        raise DataError(f"{path}: not a readable CSV table ({reason}).", "Write or download it again.")
                yield [line for _, line in batch]
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not a readable CSV table ({error}).", "Write or download it again.") from None


def _parse(lines: list[str]) -> NDArray[np.int16]:
    """Whole numbers [N, fields]; a line with anything else becomes -1 throughout."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # numpy warns before it rounds a decimal
        try:
            return np.loadtxt(lines, delimiter=",", dtype=np.int16, comments=None, ndmin=2)
        except (ValueError, OverflowError, DeprecationWarning):
            if len(lines) == 1:
                return np.full((1, lines[0].count(",") + 1), -1, dtype=np.int16)
    return np.concatenate([_parse([line]) for line in lines])


def _is_kaggles(path: Path, table: pd.DataFrame, *, joined: bool) -> bool:
    """Whether images are HAM10000's, as in Kaggle's tables: by their ids, or else by name or number of its images."""
    if joined:
        return is_ham10000(table["image_id"])
    return path.name.lower().startswith("hmnist_") or table["dx"].value_counts().to_dict() == HAM10000_COUNTS
