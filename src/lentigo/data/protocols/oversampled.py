"""Oversample, then split: copies of an image are in training and in test. The worst leak, and a common one."""

import numpy as np
import pandas as pd

from lentigo.data.copies import MARK, with_copies
from lentigo.data.protocols.base import Protocol, strata
from lentigo.data.protocols.folds import image_level
from lentigo.data.records import Records

__all__ = ["OVERSAMPLED_THEN_SPLIT_LEAKY"]


def oversample(records: Records, seed: int) -> Records:
    """Copy images of the rarer classes, drawn with replacement, until every class is as common as the commonest.

    That is random oversampling (Batista, Prati, Monard, SIGKDD Explorations 6(1), 2004) of a whole data set.
    """
    generator = np.random.default_rng(seed)
    classes = strata(records)
    counts = np.bincount(classes)
    drawn = [generator.choice(np.flatnonzero(classes == c), counts.max() - counts[c]) for c in np.flatnonzero(counts)]
    originals = pd.Series(records.ids[np.concatenate(drawn)], dtype=object)
    numbers = (originals.groupby(originals).cumcount() + 1).astype(str)
    return with_copies(records, [*records.ids, *(originals + MARK + numbers)])


OVERSAMPLED_THEN_SPLIT_LEAKY = Protocol(
    image_level,
    leaky=True,
    summary="Rare classes are oversampled before splitting, so copies of an image are in two parts.",
    resample=oversample,
)
