"""Images that a model learned from, under other ids: known from the data sets' names, or seen by their pixels."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from lentigo import data
from lentigo.data.overlaps import refuse_renumbered
from lentigo.errors import ImageError, LeakError
from lentigo.runtime.perceptual import FALSE_HITS, near_duplicates, perceptual_hashes

__all__ = ["refuse_overlap"]

ASKED = 2000
"""Images that are compared by their pixels, drawn at random from a larger data set."""
MOST = 5 * FALSE_HITS
"""Share of images that may look like training images: five times what chance alone makes."""
FEWEST = 3
"""Fewer such images than this are named and not refused."""
OWN_TEST = "Evaluate its own test part (--own-test with the data set that it was trained on), or use other data."


def refuse_overlap(
    model: str,
    trained_on: str,
    hashes: NDArray[np.uint64] | None,
    records: data.Records,
    *,
    comparable: bool = False,
    instead: str = OWN_TEST,
) -> str:
    """Stop where images bear other ids than those that a model learned from, but are the same.

    Args:
        model: its name.
        trained_on: `Records.name` of the data set that it learned from.
        hashes: perceptual hashes of its training images, or of some of them; None where it carries none.
        records: the images that it must not have learned from. None of them has an id that it is known to have seen.
        comparable: as in `data.overlaps.refuse_renumbered`.
        instead: what to do where they are refused, as sentences.

    Returns:
        What was checked and found, for readers of the result: ends of a sentence, joined by semicolons.

    Raises:
        LeakError: the data set is known to be made of the training images, under ids that can't be compared; or too
            many images look like training images.
    """
    shared = " and ".join(refuse_renumbered(model, trained_on, records, comparable=comparable, instead=instead))
    notes = []
    if shared:
        notes.append(f"{trained_on}, which it was trained on, and {records.name} both contain images of {shared}")
    if hashes is None or not len(hashes):
        return "; ".join([*notes, "the same picture under another id would not be noticed"])
    asked, alike = _look_alike(hashes, records)
    if len(alike) >= FEWEST and len(alike) > MOST * asked:
        raise LeakError(
            f"{records.root}: {len(alike):,} of {asked:,} images look like training images of {model}, such as "
            f"{alike[0]}; about this many are expected by chance: {FALSE_HITS * asked:.0f}.",
            instead,
        )
    notes.append(
        f"of {asked:,} images that were compared by their pixels with {len(hashes):,} training images {len(alike):,} "
        f"look like one of them (by chance about {FALSE_HITS:.1%}); rotated, mirrored or cropped copies would not be "
        "noticed"
    )
    return "; ".join(notes)


def _look_alike(hashes: NDArray[np.uint64], records: data.Records) -> tuple[int, list[str]]:
    """How many readable images were compared, and the ids of those that look like training images."""
    order = np.random.default_rng(0).permutation(len(records))[:ASKED]
    chosen = records.table.iloc[np.sort(order)]

    def one(path: str) -> bool | None:
        try:
            return bool(near_duplicates(perceptual_hashes(records.decode(path)), hashes).any())
        except ImageError:
            return None  # predicting reports it

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(one, chosen["path"]))
    alike = [str(i) for i, hit in zip(chosen["image_id"], found, strict=True) if hit]
    return sum(hit is not None for hit in found), alike
