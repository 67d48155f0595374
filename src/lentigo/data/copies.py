"""Copies of images among the records. Only a protocol that oversamples before splitting makes them.

A copy shares everything with its original but the id, which ends with `MARK` and a number: 'ISIC_0024306+copy2'.
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd

from lentigo.data.records import Records
from lentigo.errors import DataError, LeakError

__all__ = ["MARK", "original_id", "refuse_copies", "with_copies"]

MARK = "+copy"


def original_id(image_id: str) -> str:
    """The id of the image that a copy was made of; any other id is returned as it is."""
    return image_id.rpartition(MARK)[0] or image_id


def with_copies(records: Records, image_ids: Iterable[str]) -> Records:
    """The records of some ids, in the order given, where the id of a copy takes the row of its original.

    Raises:
        DataError: an id, or the original of a copy, is not among the records; the message names the first.
    """
    wanted = pd.Index(list(image_ids), dtype=object)
    index = pd.Index(records.ids)
    position = index.get_indexer(wanted)
    absent = position < 0
    position[absent] = index.get_indexer(pd.Index([original_id(i) for i in wanted[absent]], dtype=object))
    if (position < 0).any():
        first = wanted[int(np.flatnonzero(position < 0)[0])]
        count = int((position < 0).sum())
        more = f" ({count:,} of {len(wanted):,} are not there)" if count > 1 else ""
        raise DataError(
            f"{records.root}: no image {first!r} among the {len(records)} records{more}.",
            "Check that this is the data set that it belongs to, and that no file of it is missing: lentigo data audit "
            "lists what reading left out.",
        )
    return replace(records, table=records.table.iloc[position].assign(image_id=wanted).reset_index(drop=True))


def refuse_copies(records: Records) -> None:
    """Refuse records with the same image in two rows: resampled before splitting, it would be in two parts.

    Raises:
        LeakError: two records have the same file.
    """
    twice = records.table.loc[records.table["path"].duplicated(keep=False), "image_id"]
    if len(twice):
        raise LeakError(
            f"{records.name}: {len(twice)} records share their image file with another, the first is {twice.iloc[0]}.",
            "Resample only the training part of a split, never before splitting.",
        )
