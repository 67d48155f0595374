"""Train on some sources, test on another: how well a model generalises beyond its clinic."""

import numpy as np
from numpy.typing import NDArray

from lentigo.data.protocols.base import Protocol, check_fold, part_off_validation, strata
from lentigo.data.records import Records
from lentigo.errors import DataError

__all__ = ["EXTERNAL"]


def external(records: Records, groups: NDArray, fold: int, folds: int, seed: int) -> NDArray:
    """Source number `fold`, in the order of their names, is test; an eighth of the others is validation.

    There are as many folds as sources, whatever `folds` says; of several data sets that were read as one, each is a
    source. Images of other sources that share a group with the test are not used.
    """
    sources = records.table["data_set" if records.sources else "source"]
    if sources.isna().any():
        raise DataError(
            f"{records.name}: {int(sources.isna().sum())} images have no source.", "State the source of each image."
        )
    names = sorted(sources.unique())
    if len(names) < 2:
        raise DataError(f"{records.name} has only one source, {names[0]}.", "Combine it with another data set.")
    check_fold(fold, len(names))
    test = (sources == names[fold]).to_numpy()
    learn = np.flatnonzero(~test & ~np.isin(groups, groups[test]))
    parts = np.full(len(records), "unused", dtype=object)
    parts[test] = "test"
    parts[learn] = part_off_validation(strata(records)[learn], groups[learn], seed)
    return parts


EXTERNAL = Protocol(
    external, leaky=False, summary="One source for testing, the rest for training; one fold each.", joined="all"
)
