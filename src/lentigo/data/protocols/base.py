"""What a protocol is, and the splitting into folds that most of them share."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lentigo.data.records import Records
from lentigo.errors import DataError

__all__ = ["FOLDS", "VALIDATION_SHARE", "Protocol", "check_fold", "part_into_folds", "part_off_validation", "strata"]

FOLDS = 5
"""Folds where nothing else is asked for."""

VALIDATION_SHARE = 8
"""Validation is one part in so many of what is not test."""


@dataclass(frozen=True)
class Protocol:
    """A split maker.

    Attributes:
        make: `(records, groups, fold, folds, seed) -> parts`: `groups` names the group of each image, object array
            [N]; `parts` is an object array [N] of 'train', 'validation', 'test' or 'unused'.
        leaky: whether images of one group may lie on two sides.
        summary: one sentence for people.
        joined: what becomes of several data sets that were read as one: 'refused'; 'main', where the first of them is
            split and the others only add to its training part; or 'all', where they are split as a whole.
        resample: what `(records, seed) -> records` makes of the records before they are split; None for all
            protocols but the one that is named for it.

    Raises:
        ValueError: an honest protocol that resamples before it parts; there is no such thing.
    """

    make: Callable[[Records, NDArray, int, int, int], NDArray]
    leaky: bool
    summary: str
    joined: Literal["refused", "main", "all"] = "refused"
    resample: Callable[[Records, int], Records] | None = None

    def __post_init__(self) -> None:
        if self.resample and not self.leaky:
            raise ValueError("A protocol that resamples before it parts is leaky, and has to say so.")


def strata(records: Records) -> NDArray[np.int64]:
    """What to stratify by [N]: the diagnosis, or benign and malignant where that is all the source knows."""
    if records.table["dx"].notna().all():
        return records.labels
    return records.table["malignant"].to_numpy(dtype=np.int64)


def check_fold(fold: int, folds: int) -> None:
    """Stop where there is no such fold.

    Raises:
        DataError: the fold is not one of 0 to `folds` - 1.
    """
    if not 0 <= fold < folds:
        known = f"Folds are 0 to {folds - 1}." if folds > 1 else "There is only fold 0."
        raise DataError(f"There is no fold {fold}.", known)


def part_into_folds(classes: NDArray, groups: NDArray | None, fold: int, folds: int, seed: int) -> NDArray:
    """One of several stratified folds is test; one image or group in eight of the rest is validation.

    Args:
        classes: what to stratify by [N].
        groups: what must stay together [N]; None where nothing must.
        fold: which fold is test, 0 to `folds` - 1.
        folds: number of folds, at least 2.
        seed: seed of the shuffle.

    Returns:
        Object array [N] of 'train', 'validation' and 'test'.

    Raises:
        DataError: no such fold, or too few groups.
    """
    if folds < 2:
        raise DataError(f"{folds} folds leave nothing to train on.", f"Use 2 or more; {FOLDS} is usual.")
    check_fold(fold, folds)
    test = _choose_fold(classes, groups, folds, fold, seed)
    rest = np.setdiff1d(np.arange(len(classes)), test)
    parts = np.full(len(classes), "test", dtype=object)
    parts[rest] = part_off_validation(classes[rest], None if groups is None else groups[rest], seed)
    return parts


def part_off_validation(classes: NDArray, groups: NDArray | None, seed: int) -> NDArray:
    """One image or group in `VALIDATION_SHARE` is validation: object array [N] of 'train' and 'validation'.

    Raises:
        DataError: too few groups.
    """
    parts = np.full(len(classes), "train", dtype=object)
    parts[_choose_fold(classes, groups, VALIDATION_SHARE, 0, seed)] = "validation"
    return parts


def _choose_fold(classes: NDArray, groups: NDArray | None, folds: int, fold: int, seed: int) -> NDArray[np.int64]:
    """Positions of one stratified fold."""
    names = np.arange(len(classes)) if groups is None else groups
    per_class = pd.DataFrame({"class": classes, "group": names}).groupby("class")["group"].nunique()
    if len(np.unique(names)) < folds or per_class.max() < folds:
        what = "images" if groups is None else "lesions"
        raise DataError(
            f"{len(np.unique(names))} {what} are too few to split into {folds} groups.", f"Add {what} of every class."
        )
    # Only here: scikit-learn takes most of a second to import, and whoever reads a data set need not wait for it.
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    maker = StratifiedKFold if groups is None else StratifiedGroupKFold
    with warnings.catch_warnings():
        # A class with fewer lesions than folds is rare but legal; the split table shows it.
        warnings.filterwarnings("ignore", message="The least populated class")
        folded = list(maker(folds, shuffle=True, random_state=seed).split(classes, classes, groups))
    return folded[fold][1]
