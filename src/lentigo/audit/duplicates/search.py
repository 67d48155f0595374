"""The three searches for duplicates, and what each accepts."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from threadpoolctl import threadpool_limits

from lentigo.audit.duplicates import approximate
from lentigo.audit.duplicates.embedding import embed, nearest
from lentigo.audit.duplicates.fingerprints import THUMBNAIL, Fingerprints
from lentigo.audit.duplicates.local_features import count_consistent
from lentigo.audit.duplicates.perceptual import correlate, hash_signs, similar_between, similar_hashes
from lentigo.progress import track

__all__ = ["Duplicate", "Search", "find_duplicates"]

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
Search = Literal["exact", "approximate"]


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


def find_duplicates(prints: Fingerprints, *, across: bool = False, search: Search = "exact") -> tuple[Duplicate, ...]:
    """All pairs that the three searches accept, each by the first that does, sorted by ids.

    Between several data sets, which may hold an image whole, squashed to a square, or as its central square, all of
    these are compared, and local features may be squashed against each other.

    Args:
        prints: of the images.
        across: only look for pairs of images of different data sets, which takes less time.
        search: 'exact' compares the hashes of all pairs, and the local features of all; 'approximate' takes candidates
            from indexes, for more images than that is possible for. Both accept the same of their candidates.
    """
    scores: dict[tuple[int, int], tuple[Kind, float]] = {}
    searches = [_identical(prints)]
    if not across:
        searches += [_copies(prints, search)]
    if prints.several:
        searches += [_copies_across(prints, search)]
    searches += [_views(prints, search, across)]
    sources = np.arange(len(prints)) if prints.sources is None or not across else prints.sources
    for kind, pairs, values in searches:
        for (i, j), value in zip(pairs.tolist(), values.tolist(), strict=True):
            if sources[i] != sources[j]:
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


def _copies(prints: Fingerprints, search: Search) -> Found:
    if search == "exact":
        candidates = similar_hashes(hash_signs(prints.thumbnails), HASH_BITS)
    else:
        candidates = approximate.similar_hashes(prints.thumbnails, HASH_BITS)
    inside = prints.thumbnails[:, RIM:-RIM, RIM:-RIM]
    blocks = np.array_split(candidates, len(candidates) // 2000 + 1)
    correlations = [correlate(inside[b[:, 0]], inside[b[:, 1]]) for b in blocks]
    values = np.concatenate(correlations)
    kept = values >= COPY_CORRELATION
    return "copy", candidates[kept], values[kept]


def _copies_across(prints: Fingerprints, search: Search) -> Found:
    """Copies in different data sets: of the whole frame, of its middle, or the one of the other.

    The middle of a frame of 4:3, squashed or not, is its central square.
    """
    assert prints.sources is not None
    frames = (prints.thumbnails, _middles(prints.thumbnails))
    hashes = [hash_signs(frame) for frame in frames] if search == "exact" else []
    best: dict[tuple[int, int], float] = {}
    names = np.unique(prints.sources)
    for first, second in ((a, b) for a in names for b in names if a < b):
        rows = [np.flatnonzero(prints.sources == name) for name in (first, second)]
        for one, other in ((0, 0), (0, 1), (1, 0)):
            if search == "exact":
                found = similar_between(hashes[one][:, rows[0]], hashes[other][:, rows[1]], HASH_BITS)
            else:
                found = approximate.similar_hashes_between(frames[one][rows[0]], frames[other][rows[1]], HASH_BITS)
            for block in np.array_split(found, len(found) // 2000 + 1):
                i, j = rows[0][block[:, 0]], rows[1][block[:, 1]]
                values = correlate(*(f[k][:, RIM:-RIM, RIM:-RIM] for f, k in ((frames[one], i), (frames[other], j))))
                for a, b, value in zip(i.tolist(), j.tolist(), values.tolist(), strict=True):
                    if value >= COPY_CORRELATION:
                        pair = (min(a, b), max(a, b))
                        best[pair] = max(value, best.get(pair, 0.0))
    return "copy", np.array(list(best), np.int64).reshape(-1, 2), np.array(list(best.values()), np.float64)


def _middles(thumbnails: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The middle three quarters of the width of thumbnails [N, 64, 64], as wide as before."""
    cut = THUMBNAIL // 8
    parts = (Image.fromarray(thumbnail[:, cut:-cut]) for thumbnail in thumbnails)
    wide = [np.asarray(part.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR)) for part in parts]
    return np.stack(wide)


def _near(prints: Fingerprints, search: Search, kinds: list[NDArray[np.int64] | None]) -> list[NDArray[np.int64]]:
    """Neighbours among all images, or where the data sets are given, among those of others."""
    if search == "approximate":
        return [approximate.near_images(prints.features, NEIGHBOURS, apart) for apart in kinds]
    vectors = embed(prints.features)
    return [nearest(vectors, NEIGHBOURS, apart) for apart in kinds]


def _views(prints: Fingerprints, search: Search, across: bool = False) -> Found:
    apart = prints.sources if prints.several else None
    among: list[NDArray[np.int64] | None] = [] if across else [None]
    near = _near(prints, search, among if apart is None else [*among, apart])
    candidates = np.unique(np.concatenate([np.zeros((0, 2), np.int64), *near]), axis=0)
    blocks = np.array_split(candidates, len(candidates) // 256 + 1)

    def count(i: int, j: int) -> int:
        squashed = apart is not None and apart[i] != apart[j]
        return count_consistent(prints.features[i], prints.features[j], VIEW_FEATURES, squashed=squashed)

    # Matrices of 256 features: several threads of the linear algebra on each would only wait for one another.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(os.cpu_count()) as pool:
        counts = pool.map(lambda block: [count(i, j) for i, j in block], blocks)
        values = np.array(
            [n for block in track(counts, "Comparing candidates", len(blocks)) for n in block], np.float64
        )
    kept = values >= VIEW_FEATURES
    return "view", candidates[kept], values[kept]
