"""Further data sets in the training part: the main one is split as if it were alone."""

import numpy as np
from numpy.typing import NDArray

from lentigo.data.records import Records

__all__ = ["with_further_sources"]


def with_further_sources(records: Records, groups: NDArray, main: NDArray) -> NDArray:
    """The parts of joined records: object array [N].

    The test part is exactly that of the main data set alone. Whatever else shares a group with a test image is unused,
    and then whatever else shares one with a validation image. These may be images of the main data set too: that two of
    its lesions are one may be known only from another.

    Args:
        records: joined ones.
        groups: name of the group of each image over all data sets [N].
        main: parts of the images of the main data set, in their order.
    """
    parts = np.full(len(records), "train", dtype=object)
    parts[records.source_numbers == 0] = main
    for part in ("test", "validation"):
        near = np.isin(groups, groups[parts == part]) & (parts != part) & (parts != "test")
        parts[near] = "unused"
    return parts
