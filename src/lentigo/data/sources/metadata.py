"""Give the rows of a pixel array their image and lesion ids back, from a table of the same images in the same order."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lentigo.data.records import Problem
from lentigo.data.sources.delimited import read_table
from lentigo.data.sources.image_files import plain_id
from lentigo.data.sources.labels import interpret_label
from lentigo.data.sources.row_order import lesions_look_alike
from lentigo.data.sources.values import clean_values, gather_columns, objects

__all__ = [
    "HAM10000_NAMES", "PIXELS_HASH", "Candidate", "hash_rows", "join_metadata", "read_ham10000_metadata",
    "read_known_pairs", "report_no_lesions",
]  # fmt: skip

JOINED = ("image_id", "lesion_id", "dx_type", "age", "sex", "site", "source")

PIXELS_HASH = "pixels_sha256"
"""Column with a hash of each row's pixels: it ties a table to its array whatever the order."""

HAM10000_NAMES = {"localization": "site", "dataset": "source"}
"""Columns of HAM10000's metadata that have another name in `Records.table`."""

KNOWN_PAIRS = "known_cross_lesion_duplicates.csv"


@dataclass(frozen=True)
class Candidate:
    """A table that may describe the rows of an array.

    Attributes:
        path: its file.
        table: columns of `Records.table`, image_id, lesion_id and dx among them, in the order of the array.
        numbered: whether the table states the row of each image.
    """

    path: Path
    table: pd.DataFrame
    numbered: bool = False


def read_ham10000_metadata(path: Path) -> pd.DataFrame:
    """A table with the columns of HAM10000's metadata, under the names and in the spelling of `Records.table`."""
    table = read_table(path, ("lesion_id", "image_id", "dx"))
    rows, _ = gather_columns(table, str(path))
    rows["image_id"] = objects(name and plain_id(name) for name in table["image_id"])
    rows, _ = clean_values(rows, lesions=False)
    rows["dx"] = objects(text and interpret_label(text)[0] for text in table["dx"])
    if PIXELS_HASH in table.columns:
        rows[PIXELS_HASH] = table[PIXELS_HASH]
    return rows


def hash_rows(pixels: Iterable[NDArray[np.uint8]]) -> list[str]:
    """The first 16 hexadecimal digits of the SHA-256 of each image, uint8 [S, S, 3]."""
    return [hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()[:16] for image in pixels]


def read_known_pairs(folder: Path) -> Iterator[tuple[str, str]]:
    """Published cross-lesion duplicates of HAM10000, as pairs of image ids, if their table lies in the folder.

    The table as published names files, `ISIC_0033481.jpg`; a copy that names ids is taken as well.

    Source: Abhishek, Jain, Hamarneh, Scientific Data 12:196, 2025.
    """
    path = folder / KNOWN_PAIRS
    if path.is_file():
        for row in read_table(path, ("from_img", "to_img")).to_dict("records"):
            if row["from_img"] and row["to_img"]:
                yield plain_id(row["from_img"]), plain_id(row["to_img"])


def join_metadata(
    rows: pd.DataFrame, pixels: NDArray[np.uint8], candidates: Iterable[Candidate], file: Path, hint: str
) -> tuple[pd.DataFrame, list[Problem]]:
    """Fill in what the first table knows that certainly describes these rows in this order.

    It must have as many rows, each id once, and the same diagnosis in each row, which within a diagnosis says nothing
    of the order. That must be shown by hashes of the pixels in the table, or else by the pictures: images of one lesion
    must look alike (`lesions_look_alike`). A table that numbers its rows is believed where too few pictures can tell.

    Args:
        rows: column dx, None where the label is unusable, and any of the columns to fill.
        pixels: the images, uint8 [N, S, S, 3], in the order of the rows.
        candidates: tables, the first that fits counts.
        file: the source, for the problem that is reported when no table fits.
        hint: which table to put where.

    Returns:
        The rows, filled if a table fits, and the problems met.
    """
    problems: list[Problem] = []
    for candidate in candidates:
        fault = _misfit(rows, pixels, candidate, file)
        if fault is None:
            table = candidate.table
            known = {column: objects(table[column]) for column in JOINED if column in table.columns}
            return rows.assign(**known), problems
        problems.append(Problem(str(candidate.path), fault, "metadata not joined", "ignored"))
    return rows, [*problems, report_no_lesions(file, hint)]


def _misfit(rows: pd.DataFrame, pixels: NDArray[np.uint8], candidate: Candidate, file: Path) -> str | None:
    """Why a table can't be relied on to describe the rows in their order."""
    table = candidate.table
    if len(table) != len(rows):
        return f"it has {len(table):,} rows, {file.name} has {len(rows):,}"
    if not ((table["dx"].to_numpy() == rows["dx"].to_numpy()) | rows["dx"].isna()).all():
        return f"its diagnoses are not those of {file.name} in that order"
    if table["image_id"].isna().any() or table["image_id"].duplicated().any():
        return "it lacks image ids, or has one twice"
    if PIXELS_HASH in table.columns:
        same = table[PIXELS_HASH].tolist() == hash_rows(pixels)
        return None if same else f"its hashes are not those of the pixels of {file.name}"
    # Without a lesion id an image would be a lesion of its own here as anywhere; it is in no pair.
    lesions = table["lesion_id"].where(table["lesion_id"].notna(), table["image_id"])
    alike = lesions_look_alike(pixels, lesions.tolist(), table["dx"].tolist())
    if alike or (alike is None and candidate.numbered):
        return None
    if alike is None:
        return "its order can't be checked: too few lesions have several images"
    return (
        "its diagnoses fit, but images of its lesions look no more alike than others: its rows may be in another "
        "order, so no ids are taken from it"
    )


def report_no_lesions(where: Path, hint: str) -> Problem:
    """That a source doesn't know which images show one lesion: no split of it can be trusted as it is."""
    reason = f"no lesion ids, so images of the same lesion can't be kept together; {hint}"
    return Problem(str(where), reason, "no lesion ids", "kept")
