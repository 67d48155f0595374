"""An embedding of images by their local features, in which photographs of one lesion are neighbours.

A bag of visual words (Sivic, Zisserman, 'Video Google', ICCV 2003): each feature says words, an image is the weighted
count of its words (tf-idf), and two images are as near as the cosine of the angle between them. The words are no
learned vocabulary but the signs of random projections of the features' principal components (Charikar, 'Similarity
estimation techniques from rounding algorithms', STOC 2002), several a feature: deterministic, and good for ten images
as for a million.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.stats import ortho_group

from lentigo.audit.duplicates.local_features import Features, normalise
from lentigo.progress import track

__all__ = ["embed", "nearest"]

COMPONENTS = 24
"""Principal components of the features that words are made of."""
BITS = 16
"""Signs in a word, as many as `uint16` holds: 65,536 words a table."""
TABLES = 16
"""Words that each feature says, one a table."""
COMMON = 500
"""Images that may say a word before it is passed over, as the stop list of Sivic and Zisserman; what an image costs in
the search for neighbours is thereby limited, however many there are."""
CHUNK = 500
"""Images whose neighbours are searched for at once."""


def embed(features: Sequence[Features]) -> sparse.csr_array:
    """Unit vectors of tf-idf weights: float32 [N, TABLES * 2**BITS], sparse; zero for images without shared words."""
    if not any(len(f) for f in features):
        return sparse.csr_array((len(features), TABLES << BITS), dtype=np.float32)
    starts = np.cumsum([0, *(len(f) for f in features)])
    reduced = _principal_components(np.concatenate([f.descriptors for f in features]))
    tables = []
    for table in range(TABLES):
        turned = reduced @ ortho_group.rvs(reduced.shape[1], random_state=table)[:, :BITS].astype(np.float32)
        words = np.packbits(turned > 0, axis=1).view(np.uint16).ravel()
        shape = (len(features), 1 << BITS)
        said = sparse.csr_array((np.ones(len(words), np.float32), words, starts.copy()), shape=shape)
        said.sum_duplicates()  # in place, starts included
        tables.append(said)
    counts = sparse.hstack(tables, format="csr")
    counts.data[:] = 1.0  # a word that occurs twice is not better evidence: hairs repeat themselves
    images_with = np.bincount(counts.indices, minlength=counts.shape[1])
    rarity = np.log(len(features) / np.clip(images_with, 1, None))
    # A word that one image says alone joins nothing; one that very many say costs time and tells little.
    rarity[(images_with < 2) | (images_with > COMMON)] = 0.0
    weighted = counts @ sparse.diags_array(rarity.astype(np.float32))
    weighted.eliminate_zeros()
    length = np.sqrt(weighted.power(2).sum(axis=1))
    return sparse.diags_array((1.0 / np.maximum(length, 1e-9)).astype(np.float32)) @ weighted


def nearest(vectors: sparse.csr_array, count: int, sources: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """Positions of pairs (i, j), i < j, where one is among the `count` nearest of the other: int64 [M, 2], sorted.

    Args:
        vectors: of the images.
        count: of neighbours.
        sources: data set of each image [N]: neighbours are then of another data set.
    """
    turned = vectors.T.tocsr()

    def search(start: int) -> NDArray[np.int64]:
        likeness = (vectors[start : start + CHUNK] @ turned).toarray()
        rows = np.arange(len(likeness))
        likeness[rows, rows + start] = 0.0
        if sources is not None:
            likeness[sources[start : start + CHUNK, None] == sources] = 0.0
        near = np.argpartition(-likeness, min(count, likeness.shape[1] - 1), axis=1)[:, :count]
        left, right = np.repeat(rows, near.shape[1]), near.ravel()
        kept = likeness[left, right] > 0
        return np.sort(np.stack([left[kept] + start, right[kept]], axis=1), axis=1)

    starts = range(0, vectors.shape[0], CHUNK)
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # SciPy lets other threads run while it multiplies
        found = list(track(pool.map(search, starts), "Searching for neighbours", len(starts)))
    return np.unique(np.concatenate(found), axis=0)


def _principal_components(descriptors: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Features [F, 128] turned to their principal components [F, COMPONENTS], the strong ones damped by their root."""
    values = normalise(descriptors)
    values -= values.mean(axis=0)
    strength, directions = np.linalg.eigh(values.T @ values / max(len(values), 1))
    strength, directions = strength[::-1][:COMPONENTS], directions[:, ::-1][:, :COMPONENTS]
    return values @ (directions / np.maximum(strength, 1e-9) ** 0.25)
