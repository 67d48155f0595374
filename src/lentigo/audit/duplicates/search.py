"""The three searches for duplicates, and what each accepts."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from lentigo.audit.duplicates.embedding import embed, nearest
from lentigo.audit.duplicates.fingerprints import THUMBNAIL, Fingerprints
from lentigo.audit.duplicates.local_features import count_consistent
from lentigo.audit.duplicates.perceptual import correlate, hash_signs, similar_hashes
from lentigo.progress import track

__all__ = ["Duplicate", "find_duplicates"]

HASH_BITS = 8
"""Bits of 63 in which the perceptual hashes of a candidate for a copy may differ."""
RIM = THUMBNAIL // 8
"""Pixels at each edge of a thumbnail that copies are not judged by: the dark round frame of a dermatoscope is the same
around every lesion."""
COPY_CORRELATION = 0.98
"""Correlation inside the rim, at 64 px, from which two images count as copies of one picture."""
NEIGHBOURS = 20
"""Nearest images in the embedding that are compared feature by feature."""
VIEW_FEATURES = 10
"""Consistent local features from which two images count as views of one lesion."""

Kind = Literal["identical", "copy", "view"]


@dataclass(frozen=True)
class Duplicate:
    """Two images that show one lesion.

    Attributes:
        first, second: their ids, the smaller first.
        kind: 'identical' for the same bytes, 'copy' for the same picture, 'view' for another photograph.
        score: what decided: 1 for identical files, the correlation of copies, the number of consistent local features
            of views.
    """

    first: str
    second: str
    kind: Kind
    score: float


def find_duplicates(prints: Fingerprints) -> tuple[Duplicate, ...]:
    """All pairs that the three searches accept, each by the first that does, sorted by ids."""
    scores: dict[tuple[int, int], tuple[Kind, float]] = {}
    for kind, pairs, values in (_identical(prints), _copies(prints), _views(prints)):
        for (i, j), value in zip(pairs.tolist(), values.tolist(), strict=True):
            scores.setdefault((i, j), (kind, value))
    found = [
        Duplicate(min(a, b), max(a, b), kind, score)
        for (i, j), (kind, score) in scores.items()
        for a, b in [(str(prints.ids[i]), str(prints.ids[j]))]
    ]
    return tuple(sorted(found, key=lambda d: (d.first, d.second)))


Found = tuple[Kind, NDArray[np.int64], NDArray[np.float64]]


def _identical(prints: Fingerprints) -> Found:
    """Of each set of identical files, its first is paired with the others: chains join them."""
    _, first, which = np.unique(prints.checksums.astype(str), return_index=True, return_inverse=True)
    pairs = np.stack([first[which], np.arange(len(prints))], axis=1)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    return "identical", pairs, np.ones(len(pairs))


def _copies(prints: Fingerprints) -> Found:
    candidates = similar_hashes(hash_signs(prints.thumbnails), HASH_BITS)
    inside = prints.thumbnails[:, RIM:-RIM, RIM:-RIM]
    blocks = np.array_split(candidates, len(candidates) // 2000 + 1)
    correlations = [correlate(inside[b[:, 0]], inside[b[:, 1]]) for b in blocks]
    values = np.concatenate(correlations)
    kept = values >= COPY_CORRELATION
    return "copy", candidates[kept], values[kept]


def _views(prints: Fingerprints) -> Found:
    candidates = nearest(embed(prints.features), NEIGHBOURS)
    blocks = np.array_split(candidates, len(candidates) // 256 + 1)
    # Matrices of 256 features: several threads of the linear algebra on each would only wait for one another.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(os.cpu_count()) as pool:
        counts = pool.map(
            lambda block: [count_consistent(prints.features[i], prints.features[j], VIEW_FEATURES) for i, j in block],
            blocks,
        )
        values = np.array(
            [n for block in track(counts, "Comparing candidates", len(blocks)) for n in block], np.float64
        )
    kept = values >= VIEW_FEATURES
    return "view", candidates[kept], values[kept]
