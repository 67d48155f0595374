"""Which images a bundle is calibrated on: of its own training part alone, never what it is tuned or tested on."""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lentigo import data
from lentigo.data.records import none_readable
from lentigo.errors import DataError, ImageError
from lentigo.evaluation.leaks import listed
from lentigo.progress import track
from lentigo.runtime import Bundle

__all__ = ["calibration_images", "decoded", "ids_hash"]

AHEAD = 32
"""Images that are decoded ahead."""


def calibration_images(
    bundle: Bundle,
    records: data.Records,
    count: int,
    *,
    seed: int = 0,
    balanced: bool = False,
    only: Sequence[str] | None = None,
) -> data.Records:
    """Draw images of a bundle's training part.

    Args:
        bundle: carries the ids of its parts.
        records: the data set that it was trained on.
        count: images to draw, at most.
        seed: of the draw.
        balanced: as many of each diagnosis, as far as there are so many.
        only: ids to take instead of drawing.

    Raises:
        DataError: an id that is not of the training part, only one diagnosis, or no images.
    """
    origin = bundle.origin
    held_out = (origin.validation | origin.test).contains(records.ids)
    allowed = origin.train.contains(records.ids) & ~held_out
    if only is not None:
        chosen = records.take(list(only))  # refuses unknown ids
        wrong = chosen.ids[~np.isin(chosen.ids, records.ids[allowed])]
        if len(wrong):
            raise DataError(
                f"{len(wrong)} of {len(chosen)} calibration images are not of the training part of {bundle.name}: "
                f"{listed(wrong.tolist())}.",
                "Calibrate on training images alone: what is tested must not choose anything.",
            )
    else:
        if not allowed.any():
            raise DataError(
                f"None of these {len(records)} images of {records.name} is of the training part of {bundle.name}.",
                f"Pass the whole data set that it was trained on ({origin.data}).",
            )
        chosen = _drawn(records.take(records.ids[allowed]), max(count, 1), seed, balanced)
    if len(np.unique(chosen.labels)) < 2:
        raise DataError(
            f"All {len(chosen)} calibration images are of one diagnosis.", "Take more images, or balanced=True."
        )
    return chosen


def _drawn(train: data.Records, count: int, seed: int, balanced: bool) -> data.Records:
    order = pd.Series(np.random.default_rng(seed).permutation(len(train)))
    if balanced:  # the first of each diagnosis, then the second of each ...
        turn = order.groupby(train.labels[order], sort=False).cumcount()
        order = order.iloc[np.argsort(turn, kind="stable")]
    return train.take(train.ids[np.sort(order.to_numpy()[:count])])


def decoded(records: data.Records, what: str) -> Iterator[NDArray[np.uint8]]:
    """Images [1, H, W, 3] as they are, in order; those that can't be read are left out.

    Raises:
        DataError: none can be read.
    """

    def one(path: str) -> NDArray[np.uint8] | None:
        try:
            return records.decode(path)[None]
        except ImageError:
            return None

    paths, found = records.table["path"].tolist(), 0
    with ThreadPoolExecutor() as pool:
        # A few at a time, or the pool would hold them all.
        parts = (pool.map(one, paths[i : i + AHEAD]) for i in range(0, len(paths), AHEAD))
        for image in track(chain.from_iterable(parts), what, len(paths)):
            if image is not None:
                found += 1
                yield image
    if not found:
        raise none_readable(records)


def ids_hash(records: data.Records) -> str:
    """SHA-256 over the sorted ids of some images."""
    return hashlib.sha256("\n".join(sorted(records.ids)).encode()).hexdigest()
