"""The published splits of DermaMNIST: the official one, which leaks, and its correction.

Sources: Yang et al., 'MedMNIST v2', Scientific Data 10:41, 2023; Abhishek, Jain, Hamarneh, 'Investigating the quality
of DermaMNIST and Fitzpatrick17k', Scientific Data 12:196, 2025, whose rule is: a lesion that lies on two sides goes to
training whole. With lesion ids alone that gives their 8,208, 575 and 1,232 images.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lentigo.data.protocols.base import Protocol, check_fold
from lentigo.data.records import Records
from lentigo.errors import DataError

__all__ = ["DERMAMNIST_CORRECTED", "DERMAMNIST_OFFICIAL_LEAKY", "has_official_parts"]

TABLES = ("dermamnist_official_split.csv", "dermamnist_split_info.csv")
"""Tables with the official split by image id, columns split and image_id, in the data set's folder or beside it."""

PARTS = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}


def official(records: Records, groups: NDArray, fold: int, folds: int, seed: int) -> NDArray:
    """The official parts; there is one fold, and nothing is drawn."""
    if records.name == "dermamnist_c":
        raise DataError(f"{records.name} comes with the corrected split.", "Use the protocol 'dermamnist_corrected'.")
    return _published(records, fold)


def corrected(records: Records, groups: NDArray, fold: int, folds: int, seed: int) -> NDArray:
    """The official parts, but a group that lies on two sides goes to training whole."""
    if records.name != "dermamnist_c" and (records.table["lesion_id"] == records.table["image_id"]).all():
        raise DataError(
            f"{records.name} has no lesion ids to correct the official split by.",
            "Put the authors' table and HAM10000_metadata.csv beside it.",
        )
    parts = pd.Series(_published(records, fold))
    used = parts != "unused"
    sides = parts[used].groupby(groups[used]).nunique()
    return parts.mask(used & np.isin(groups, sides.index[sides > 1]), "train").to_numpy(dtype=object)


def has_official_parts(records: Records) -> bool:
    """Whether the official parts are known: from a DermaMNIST array, or from a table that lies with the images."""
    return records.name in ("dermamnist", "dermamnist_e") or _find_table(records) is not None


def _published(records: Records, fold: int) -> NDArray:
    """The parts that a DermaMNIST array brings, or that a table gives HAM10000's images; the rest is unused."""
    check_fold(fold, 1)
    given = records.table["source"] if records.name.startswith("dermamnist") else _read_parts(records)
    return given.map(PARTS).fillna("unused").to_numpy(dtype=object)


def _read_parts(records: Records) -> pd.Series:
    """The official part of each record, from the first of `TABLES` that lies with the images."""
    path = _find_table(records)
    if path is None:
        raise DataError(f"{records.root}: no table with the official split here.", f"Put {TABLES[0]} beside it.")
    table = pd.read_csv(path, dtype=str)
    if not {"split", "image_id"} <= set(table.columns) or table["image_id"].duplicated().any():
        raise DataError(f"{path}: not one split for each image_id.", "Fetch the table again.")
    unknown = set(table["split"]) - set(PARTS)
    if unknown:
        raise DataError(f"{path}: unknown part {min(map(str, unknown))!r}.", "Parts are train, val and test.")
    parts = records.table["image_id"].map(table.set_index("image_id")["split"])
    if parts.isna().all():
        raise DataError(f"{path}: none of its images is among the records.", "Read HAM10000.")
    return parts


def _find_table(records: Records) -> Path | None:
    folder = records.root if records.root.is_dir() else records.root.parent
    places = (place / name for name in TABLES for place in (folder, folder.absolute().parent))
    return next((path for path in places if path.is_file()), None)


DERMAMNIST_OFFICIAL_LEAKY = Protocol(
    official, leaky=True, summary="DermaMNIST's official parts, with images of 641 lesions in training and in test."
)
DERMAMNIST_CORRECTED = Protocol(
    corrected, leaky=False, summary="DermaMNIST's parts, but a lesion in two parts goes to training."
)
