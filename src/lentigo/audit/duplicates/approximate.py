"""Candidates for duplicates among very many images, from indexes of faiss in place of all pairs.

Hashes are clustered, and only the nearest clusters are looked into (Johnson, Douze, Jegou, 'Billion-scale similarity
search with GPUs', 2017). Local features are added up to one vector an image (VLAD: Jegou et al., 'Aggregating local
descriptors into a compact image representation', CVPR 2010), for a bag of a million words holds less the more images
say each of them. What is accepted is decided as in the exact search: candidates differ, and more of them are missed.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lentigo.audit.duplicates.local_features import Features, normalise
from lentigo.audit.duplicates.perceptual import BITS, hash_signs
from lentigo.errors import needs_extra
from lentigo.progress import track

__all__ = ["describe", "near_images", "require_faiss", "similar_hashes", "similar_hashes_between"]

COMPONENTS = 32
"""Principal components of a local feature that are kept."""
CENTRES = 64
"""Kinds of local features, whose deviations are added up."""
LEARNED_FROM = 100_000
"""Local features that components and centres are learned from, drawn from all images alike."""
PROBED = 1 / 16
"""Share of the clusters that is looked into for each image."""
SMALL = 4_000
"""Images up to which an index has no clusters: all are compared."""
CHUNK = 2_000


def similar_hashes(thumbnails: NDArray[np.uint8], bits: int) -> NDArray[np.int64]:
    """As `perceptual.similar_hashes`, from thumbnails [N, S, S]; most of these pairs: int64 [M, 2], sorted."""
    hashes = _hashes(thumbnails)
    pairs = np.concatenate([np.zeros((0, 2), np.int64), *_within(hashes, hashes[0], bits)])
    return np.unique(pairs[pairs[:, 0] < pairs[:, 1]], axis=0)


def similar_hashes_between(first: NDArray[np.uint8], second: NDArray[np.uint8], bits: int) -> NDArray[np.int64]:
    """As `similar_hashes`, but i is a position in one set of thumbnails and j in another."""
    pairs = [np.zeros((0, 2), np.int64), *_within(_hashes(first), _hashes(second[:])[0], bits)]
    return np.unique(np.concatenate(pairs), axis=0)


def near_images(
    features: Sequence[Features], count: int, sources: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """Positions of pairs (i, j), i < j, where one is among the `count` nearest of the other: int64 [M, 2], sorted.

    Args:
        features: of the images.
        count: of neighbours.
        sources: data set of each image [N]: neighbours are then of another data set.
    """
    vectors = describe(features)
    rows = np.flatnonzero(np.abs(vectors).max(axis=1) > 0)  # images without features are near nothing
    found = [np.zeros((0, 2), np.int64)]
    kinds = np.zeros(len(rows), np.int64) if sources is None else sources[rows]
    for kind in np.unique(kinds):
        base = rows[kinds != kind] if sources is not None else rows
        asking = rows[kinds == kind]
        if not len(base):
            continue
        index = _vector_index(vectors[base])
        for start in track(range(0, len(asking), CHUNK), "Searching for neighbours", -(-len(asking) // CHUNK)):
            asked = asking[start : start + CHUNK]
            _, near = index.search(vectors[asked], min(count + 1, len(base)))
            left, right = np.repeat(asked, near.shape[1]), near.ravel()
            left, right = left[right >= 0], base[right[right >= 0]]
            found.append(np.stack([left, right], axis=1)[left != right])
    return np.unique(np.sort(np.concatenate(found), axis=1), axis=0)


def describe(features: Sequence[Features]) -> NDArray[np.float32]:
    """One unit vector an image, float32 [N, CENTRES * COMPONENTS]; zero for images without features."""
    faiss = require_faiss()
    sample = _sample(features)
    vectors = np.zeros((len(features), CENTRES * COMPONENTS), np.float32)
    if len(sample) < CENTRES:
        return vectors
    mean = sample.mean(axis=0)
    _, directions = np.linalg.eigh((sample - mean).T @ (sample - mean))
    directions = directions[:, ::-1][:, :COMPONENTS].astype(np.float32)
    learned = faiss.Kmeans(COMPONENTS, CENTRES, niter=15, seed=0, min_points_per_centroid=1)
    learned.train(np.ascontiguousarray((sample - mean) @ directions))
    for start in track(range(0, len(features), CHUNK), "Describing images", -(-len(features) // CHUNK)):
        some = features[start : start + CHUNK]
        owner = np.repeat(np.arange(len(some)), [len(f) for f in some])
        if len(owner):
            reduced = (normalise(np.concatenate([f.descriptors for f in some])) - mean) @ directions
            vectors[start : start + len(some)] = _sums(learned, np.ascontiguousarray(reduced), owner, len(some))
    return vectors


def _sums(learned: Any, reduced: NDArray[np.float32], owner: NDArray[np.int64], count: int) -> NDArray[np.float32]:
    """Deviations from the nearest centres, added up for each image: unit vectors [count, CENTRES * COMPONENTS]."""
    _, nearest = learned.index.search(reduced, 1)
    cell = owner * CENTRES + nearest[:, 0]
    order = np.argsort(cell, kind="stable")
    cells, starts = np.unique(cell[order], return_index=True)
    sums = np.zeros((count * CENTRES, COMPONENTS), np.float32)
    sums[cells] = np.add.reduceat((reduced - learned.centroids[nearest[:, 0]])[order], starts, axis=0)
    # Each kind of feature counts alike, however often hairs or bubbles repeat it.
    sums /= np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)
    whole = sums.reshape(count, -1)
    return whole / np.maximum(np.linalg.norm(whole, axis=1, keepdims=True), 1e-9)


def _sample(features: Sequence[Features]) -> NDArray[np.float32]:
    """Local features of all images alike, float32 [M, 128]."""
    total = sum(len(f) for f in features)
    step = max(1, total // LEARNED_FROM)
    parts = [f.descriptors[i % step :: step] for i, f in enumerate(features) if len(f)]
    return normalise(np.concatenate(parts)) if parts else np.zeros((0, 128), np.float32)


def _hashes(thumbnails: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Hashes under each symmetry, 8 bytes each: uint8 [8, N, 8]."""
    blocks = [np.zeros((8, 0, 8), np.uint8)]
    for start in range(0, len(thumbnails), CHUNK):
        signs = hash_signs(thumbnails[start : start + CHUNK]) > 0
        blocks.append(np.packbits(np.pad(signs, [(0, 0), (0, 0), (0, 64 - BITS)]), axis=2))
    return np.concatenate(blocks, axis=1)


def _within(asked: NDArray[np.uint8], base: NDArray[np.uint8], bits: int) -> Iterator[NDArray[np.int64]]:
    """Pairs of positions [M, 2] whose hashes differ in at most `bits`, of most of the clusters."""
    if not len(base):
        return
    index = _hash_index(base)
    starts = [(symmetry, start) for symmetry in asked for start in range(0, len(symmetry), CHUNK)]
    for symmetry, start in track(starts, "Comparing hashes", len(starts)):
        limits, _, near = index.range_search(np.ascontiguousarray(symmetry[start : start + CHUNK]), bits + 1)
        yield np.stack([np.repeat(np.arange(len(limits) - 1), np.diff(limits).astype(np.int64)) + start, near], axis=1)


def _hash_index(base: NDArray[np.uint8]) -> Any:
    faiss = require_faiss()
    flat = faiss.IndexBinaryFlat(64)
    if len(base) > SMALL:
        clusters = _clusters(len(base))
        index = faiss.IndexBinaryIVF(flat, 64, clusters)
        index.nprobe = max(8, round(clusters * PROBED))
        index.cp.min_points_per_centroid = 1  # fewer are not worth a warning
        index.train(base[:: max(1, len(base) // (40 * clusters))].copy())
        index.add(base)
        index.referenced = flat  # else Python frees it
        return index
    flat.add(base)
    return flat


def _vector_index(base: NDArray[np.float32]) -> Any:
    faiss = require_faiss()
    width, clusters = base.shape[1], _clusters(len(base))
    kind = "Flat" if len(base) <= SMALL else f"IVF{clusters},SQ8"
    index = faiss.index_factory(width, kind, faiss.METRIC_INNER_PRODUCT)
    if kind != "Flat":
        index.cp.min_points_per_centroid = 1
        index.train(base[:: max(1, len(base) // (40 * clusters))].copy())
        index.nprobe = max(8, round(clusters * PROBED))
    index.add(base)
    return index


def _clusters(count: int) -> int:
    return max(1, round(2 * count**0.5))


def require_faiss() -> Any:
    """The module.

    Raises:
        MissingExtraError: it isn't installed.
    """
    with needs_extra("The approximate search", "cluster"):
        import faiss
    return faiss
