"""Perceptual hashes and correlations, both over the eight symmetries of the square.

Source of the hash: Zauner, 'Implementation and benchmarking of perceptual image hash functions', 2010 (the discrete
cosine transform, here with the coefficients' signs, which a flip or a transposition only changes or exchanges).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn

__all__ = ["SYMMETRIES", "correlate", "hash_signs", "similar_between", "similar_hashes"]

SYMMETRIES = tuple((turned, rows, columns) for turned in (False, True) for rows in (1, -1) for columns in (1, -1))
"""Flips and quarter turns of a square, as (transposed, step of the rows, step of the columns)."""
FREQUENCIES = 8
BITS = FREQUENCIES**2 - 1
"""Bits of a hash: a sign for each of 8 x 8 frequencies but the mean."""
CHUNK = 1000
"""Images that are compared with all others at once."""


def hash_signs(thumbnails: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Hashes of [N, S, S] under each symmetry as signs -1 and 1: float32 [8, N, 63]; the image itself first."""
    values = thumbnails.astype(np.float32)
    low = dctn(values - values.mean(axis=(1, 2), keepdims=True), axes=(1, 2), norm="ortho")
    low = low[:, :FREQUENCIES, :FREQUENCIES]
    # A mirrored image has its odd frequencies negated, a transposed one has them transposed.
    odd = {1: np.ones(FREQUENCIES), -1: (-1.0) ** np.arange(FREQUENCIES)}
    hashes = [
        (low.transpose(0, 2, 1) if turned else low) * np.outer(odd[rows], odd[columns])
        for turned, rows, columns in SYMMETRIES
    ]
    flat = np.stack(hashes).reshape(len(SYMMETRIES), len(thumbnails), -1)[:, :, 1:]
    return np.where(flat > 0, 1.0, -1.0).astype(np.float32)


def similar_hashes(hashes: NDArray[np.float32], bits: int) -> NDArray[np.int64]:
    """Positions of pairs (i, j), i < j, whose hashes differ in at most `bits` under any symmetry: int64 [M, 2]."""
    found = [np.zeros((0, 2), np.int64)]
    for symmetry in hashes:
        for start in range(0, symmetry.shape[0], CHUNK):
            # Of 63 signs, d differing ones leave a product of 63 - 2 d.
            alike = symmetry[start : start + CHUNK] @ hashes[0].T >= BITS - 2 * bits
            left, right = np.nonzero(alike)
            pairs = np.stack([left + start, right], axis=1)
            found.append(pairs[pairs[:, 0] < pairs[:, 1]])
    return np.unique(np.concatenate(found), axis=0)


def similar_between(first: NDArray[np.float32], second: NDArray[np.float32], bits: int) -> NDArray[np.int64]:
    """As `similar_hashes`, but i is a position in one set of hashes and j in another."""
    found = [np.zeros((0, 2), np.int64)]
    for symmetry in first:
        for start in range(0, symmetry.shape[0], CHUNK):
            alike = symmetry[start : start + CHUNK] @ second[0].T >= BITS - 2 * bits
            left, right = np.nonzero(alike)
            found.append(np.stack([left + start, right], axis=1))
    return np.unique(np.concatenate(found), axis=0)


def correlate(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Greatest correlation, -1 to 1, of each pair of thumbnails [M, S, S] over the symmetries: float64 [M]."""
    first, second = _standardise(a), _standardise(b)
    values = [
        np.einsum("nij,nij->n", (first.transpose(0, 2, 1) if turned else first)[:, ::rows, ::columns], second)
        for turned, rows, columns in SYMMETRIES
    ]
    return np.max(values, axis=0)


def _standardise(thumbnails: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Thumbnails of mean 0 and length 1; a blank one stays 0 and correlates with nothing."""
    values = thumbnails - thumbnails.mean(axis=(1, 2), keepdims=True)
    length = np.sqrt(np.square(values).sum(axis=(1, 2), keepdims=True))
    return values / np.where(length > 0, length, 1.0)
