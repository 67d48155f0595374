"""The small balanced subset of the binary papers: 1,200 images, half of them malignant, 960 to learn and 240 to test.

The published text keeps every malignant image and draws as many benign ones; 1,200 images in all means 600 of each, so
that where a source has more malignant images than that, 600 of them are drawn. Where it has fewer, all are kept and
the subset is smaller. Five folds give the published 960 and 240 (120 + 120); an eighth of the 960 is validation.
"""

import numpy as np
from numpy.typing import NDArray

from lentigo.data.protocols.base import Protocol, part_into_folds
from lentigo.data.records import Records
from lentigo.errors import DataError

__all__ = ["BALANCED_SUBSET", "BALANCED_SUBSET_LEAKY"]

PER_CLASS = 600


def balanced(records: Records, groups: NDArray, fold: int, folds: int, seed: int) -> NDArray:
    """One image a group, as many benign as malignant: the published subset without what leaks in it."""
    order = np.random.default_rng(seed).permutation(len(records))
    _, first = np.unique(groups[order], return_index=True)
    return _balance(records, np.sort(order[first]), fold, folds, seed)


def balanced_by_image(records: Records, groups: NDArray, fold: int, folds: int, seed: int) -> NDArray:
    """As many benign as malignant images, drawn and split without regard for lesions."""
    return _balance(records, np.arange(len(records)), fold, folds, seed)


def _balance(records: Records, candidates: NDArray[np.int64], fold: int, folds: int, seed: int) -> NDArray:
    malignant = records.table["malignant"].to_numpy()[candidates]
    size = min(PER_CLASS, int(malignant.sum()), int((~malignant).sum()))
    if size == 0:
        raise DataError(f"{records.name} has only benign or only malignant images.", "Use data with both.")
    generator = np.random.default_rng(seed)
    drawn = [generator.choice(candidates[malignant == side], size, replace=False) for side in (True, False)]
    chosen = np.sort(np.concatenate(drawn))
    parts = np.full(len(records), "unused", dtype=object)
    is_malignant = records.table["malignant"].to_numpy(dtype=np.int64)[chosen]
    parts[chosen] = part_into_folds(is_malignant, None, fold, folds, seed)
    return parts


BALANCED_SUBSET = Protocol(
    balanced, leaky=False, summary="1,200 images of as many lesions, half malignant; 960 to train, 240 to test."
)
BALANCED_SUBSET_LEAKY = Protocol(
    balanced_by_image,
    leaky=True,
    summary="1,200 images, half malignant, drawn and split individually; 960 to train and validate, 240 to test.",
)
