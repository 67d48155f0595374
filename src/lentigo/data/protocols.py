"""Named ways to part a data set into training, validation and test. The leaky ones say so in their names.

A protocol is a function `(records, groups, fold, seed) -> parts`, where `parts` is an object array [N] of 'train',
'validation', 'test' or 'unused'.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from lentigo.data.records import Records
from lentigo.errors import DataError

__all__ = ["FOLDS", "PROTOCOLS", "Protocol"]

FOLDS = 5
VALIDATION_SHARE = 8
"""Validation is one part in so many of what is not test."""


@dataclass(frozen=True)
class Protocol:
    """A split maker.

    Attributes:
        make: `(records, groups, fold, seed) -> parts` as in the module's docstring.
        leaky: whether images of one group may lie on two sides.
        summary: one sentence for people.
    """

    make: Callable[[Records, NDArray, int, int], NDArray]
    leaky: bool
    summary: str


def grouped(records: Records, groups: NDArray, fold: int, seed: int) -> NDArray:
    """Fold `fold` of five stratified group folds is test; an eighth of the rest, by group, is validation.

    Stratified by diagnosis, or by benign and malignant where that is all the source knows.
    """
    strata = _strata(records)
    rest, test = _group_fold(strata, groups, FOLDS, fold, seed)
    train, validation = _group_fold(strata[rest], groups[rest], VALIDATION_SHARE, 0, seed)
    parts = np.empty(len(strata), dtype=object)
    parts[test] = "test"
    parts[rest[train]] = "train"
    parts[rest[validation]] = "validation"
    return parts


def _strata(records: Records) -> NDArray:
    """What to stratify by, as integers [N]."""
    if records.table["dx"].notna().all():
        return records.labels
    return records.table["malignant"].to_numpy(dtype=np.int64)


def _group_fold(
    strata: NDArray, groups: NDArray, folds: int, fold: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions (rest, chosen) of one stratified group fold."""
    per_class = pd.DataFrame({"stratum": strata, "group": groups}).groupby("stratum")["group"].nunique()
    if len(np.unique(groups)) < folds or per_class.max() < folds:
        raise DataError(
            f"{len(np.unique(groups))} lesions are too few to part into {folds} groups.", "Add images of other lesions."
        )
    with warnings.catch_warnings():
        # A class with fewer lesions than folds is rare but legal; the split table shows it.
        warnings.filterwarnings("ignore", message="The least populated class")
        folded = list(StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(strata, strata, groups))
    return folded[fold]


PROTOCOLS: dict[str, Protocol] = {
    "grouped": Protocol(
        grouped, leaky=False, summary="No lesion, and no duplicate of it, lies on two sides; five stratified folds."
    ),
}
