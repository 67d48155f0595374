"""DermaMNIST arrays, `dermamnist*.npz` at 28 to 224 px: official, corrected (C) and extended (E).

The split that the file comes with is kept in the column `source`, as 'train', 'val' or 'test'. The official one parts
641 lesions over train and test; C has no lesion on two sides; E tests on the ISIC 2018 test images. The arrays hold no
ids: they come from the authors' tables, if one lies beside the array.

Sources: Yang et al., 'MedMNIST v2', Scientific Data 10:41, 2023; Abhishek, Jain, Hamarneh, Scientific Data 12:196,
2025, whose arrays have their rows in the order of their tables, split by split.
"""

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lentigo import taxonomy
from lentigo.data.records import Problem, Records, make_table
from lentigo.data.sources.delimited import read_table
from lentigo.data.sources.image_files import plain_id
from lentigo.data.sources.labels import interpret_label
from lentigo.data.sources.manifest import find_manifest
from lentigo.data.sources.metadata import Candidate, join_metadata, read_ham10000_metadata, read_known_pairs
from lentigo.data.sources.values import clean_values, objects
from lentigo.errors import DataError

__all__ = ["LAYOUT", "PARTS", "PRECEDENCE", "detect", "read"]

LAYOUT = "an array dermamnist*.npz, or a folder with one"
PRECEDENCE = 30

PARTS = ("train", "val", "test")
ORDER = taxonomy.ORDERS["medmnist"]

TABLES = {
    "dermamnist": ("dermamnist_official_split.csv", "dermamnist_split_info.csv"),
    "dermamnist_c": ("DermaMNIST-C.csv",),
    "dermamnist_e": ("DermaMNIST-E.csv",),
}
"""Tables that give the rows of a variant their image ids; the first with each row's diagnosis and lesion already."""


def detect(root: Path) -> bool:
    """Whether a file is a DermaMNIST array, or a folder holds one."""
    return bool(_find_arrays(root))


def read(root: Path) -> Records:
    """Read a DermaMNIST array whole: at 224 px that takes 1.5 GB of memory.

    Lesions come from the authors' table only where the pictures, or its row numbers, confirm its order. Nothing pickled
    in the file is ever loaded. Rows with a label out of range are left out and reported. Without the
    authors' table beside the array every row counts as a lesion of its own, which is reported.

    Raises:
        DataError: several arrays in the folder, a damaged file, one with pickled objects, or arrays of another shape.
    """
    arrays = _find_arrays(root)
    if len(arrays) != 1:
        names = ", ".join(a.name for a in arrays) or "none"
        raise DataError(f"{root}: one DermaMNIST array is needed, found {names}.", "Give the path of the file itself.")
    path = arrays[0].absolute()
    pixels, labels, parts = _load(path)
    dx = [ORDER[label] if 0 <= label < len(ORDER) else None for label in labels]
    problems = [
        Problem(f"{path}#{i}", f"label {label} is not one of 0 to {len(ORDER) - 1}", "label out of range")
        for i, label in enumerate(labels)
        if dx[i] is None
    ]
    rows = pd.DataFrame({"dx": dx, "source": parts}, dtype=object)
    rows["image_id"] = [f"{path.stem}_{i:05d}" for i in range(len(rows))]
    rows["path"] = [f"{path}#{i}" for i in range(len(rows))]
    variant = _variant(path)
    wanted = f"put {TABLES[variant][-1]} and HAM10000_metadata.csv beside the array"
    rows, met = join_metadata(rows, pixels, _tables(path, variant), path, wanted)
    rows = rows[rows["dx"].notna()]
    if rows.empty:
        raise DataError(
            f"{path}: none of its {len(dx)} rows is usable; the first: {problems[0]}.", "Download it again."
        )
    manifest = find_manifest(variant)
    pairs = tuple(read_known_pairs(path.parent))
    return Records(
        make_table(rows), variant, path, (*problems, *met), pairs, pixels, manifest.licence, manifest.citation
    )


def _find_arrays(root: Path) -> list[Path]:
    candidates = (
        [root] if root.is_file() else sorted(p for p in root.glob("*.[nN][pP][zZ]") if not p.name.startswith("."))
    )
    named = [path for path in candidates if path.suffix.lower() == ".npz" and "dermamnist" in path.name.lower()]
    return [path for path in named if path.is_file()]  # not a pipe, which would be waited for


def _variant(path: Path) -> str:
    """The name of the data set, from the words or letters in the name of its file."""
    words = path.stem.lower().split("_")
    if "corrected" in words or "c" in words:
        return "dermamnist_c"
    return "dermamnist_e" if "extended" in words or "e" in words else "dermamnist"


def _load(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64], list[str]]:
    """Pixels [N, S, S, 3], labels [N] and the part of each row."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            missing = [f"{p}_{k}" for p in PARTS for k in ("images", "labels") if f"{p}_{k}" not in archive.files]
            if missing:
                raise DataError(f"{path}: the arrays {', '.join(missing)} are missing.", "Download it again.")
            labels = [archive[f"{part}_labels"] for part in PARTS]
            pixels: NDArray[np.uint8] | None = None
            start = 0
            for part, truth in zip(PARTS, labels, strict=True):
                images = archive[f"{part}_images"]
                _check(path, part, images, truth)
                if pixels is None:  # filled part by part, so that at most one part is in memory twice
                    pixels = np.empty((sum(map(len, labels)), *images.shape[1:]), dtype=np.uint8)
                if images.shape[1:] != pixels.shape[1:]:
                    raise DataError(f"{path}: the parts hold images of different sizes.", "Download it again.")
                pixels[start : start + len(images)] = images
                start += len(images)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        pickled = "allow_pickle" in str(error)
        reason = (
            "holds pickled Python objects, which are never loaded" if pickled else f"damaged or truncated ({error})"
        )
        raise DataError(f"{path}: {reason}.", "Download it again, from the address in its manifest.") from None
    assert pixels is not None
    parts = [part for part, truth in zip(PARTS, labels, strict=True) for _ in range(len(truth))]
    return pixels, np.concatenate([truth.reshape(-1) for truth in labels]).astype(np.int64), parts


def _check(path: Path, part: str, images: NDArray, labels: NDArray) -> None:
    square = images.ndim == 4 and images.shape[1] == images.shape[2] and images.shape[3] == 3
    if images.dtype != np.uint8 or not square:
        raise DataError(
            f"{path}: {part}_images is {images.dtype} {list(images.shape)}, not uint8 [N, S, S, 3].",
            "Only DermaMNIST's arrays are read here.",
        )
    if labels.size != len(images) or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(
            f"{path}: {part}_labels is {labels.dtype} {list(labels.shape)}, not one whole number for each of "
            f"{len(images)} images.",
            "Download it again.",
        )


def _tables(path: Path, variant: str) -> Iterator[Candidate]:
    """The tables of a variant beside its array, in the order of the array, joined with HAM10000's metadata."""
    metadata = path.with_name("HAM10000_metadata.csv")
    for name in TABLES[variant]:
        file = path.with_name(name)
        if not file.is_file():
            continue
        table = read_table(file, ("split",)).rename(columns={"image": "image_id", "diag": "dx", "localization": "site"})
        if "image_id" not in table.columns:
            continue
        table["image_id"] = objects(image_id and plain_id(image_id) for image_id in table["image_id"])
        if metadata.is_file():
            known = read_ham10000_metadata(metadata).drop(columns="source", errors="ignore")
            new = ["image_id", *(c for c in known.columns if c not in table.columns)]
            table = table.merge(known[new].drop_duplicates("image_id", keep=False), on="image_id", how="left")
        if "dx" in table.columns:
            table = table.drop(columns="source", errors="ignore")
            if "lesion_id" not in table.columns:
                table["lesion_id"] = objects([None] * len(table))
            table["dx"] = objects(interpret_label(text)[0] if isinstance(text, str) else None for text in table["dx"])
            parts = [_in_order(table[table["split"].str.lower() == part]) for part in PARTS]
            numbered = "index" in table.columns and all(part is not None for part in parts)
            whole = pd.concat([part for part in parts if part is not None], ignore_index=True)
            yield Candidate(file, clean_values(whole, lesions=False)[0], numbered)


def _in_order(part: pd.DataFrame) -> pd.DataFrame | None:
    """The rows of one part as the array has them: by `index` where the table states it, else as they come.

    None for an index that doesn't number the rows from 0 on.
    """
    if "index" not in part.columns:
        return part
    numbers = pd.to_numeric(part["index"], errors="coerce").to_numpy(dtype=float)
    if sorted(numbers) != list(range(len(part))):
        return None
    return part.iloc[np.argsort(numbers, kind="stable")]
