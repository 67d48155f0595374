"""Bootstrap over lesions: weights of resamples, and intervals from their replicates.

Images of one lesion are alike, so that lesions (groups) are drawn, not images. They are drawn within strata of the
same diagnoses, so that no resample lacks a rare one. Of n groups in a stratum n - 1 are drawn, with weights scaled by
n / (n - 1): the plain bootstrap of n draws is too narrow by that factor, which is felt where a diagnosis has few
lesions (Rao and Wu, Resampling inference with complex survey data, JASA 83:231, 1988).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEVEL", "edge_interval", "interval", "resamples"]

Array = NDArray[np.float64]
LEVEL = 0.95
BLOCK = 1 << 18
"""Weights per block: small enough for a processor's cache."""


def resamples(labels: NDArray[np.int64], groups: NDArray, replicates: int, seed: int) -> Iterator[Array]:
    """Yield weights of resampled images, in blocks [B, N]; the same for the same groups and seed, in any row order.

    Args:
        labels: true diagnoses [N].
        groups: what to draw [N]; all images of a group are drawn together.
        replicates: number of resamples; the blocks' B sum to it.
        seed: seed of the draws.
    """
    _, group = np.unique(groups.astype(str), return_inverse=True)
    strata = _strata(labels, group)
    rng = np.random.default_rng(seed)
    block = max(1, BLOCK // len(labels))
    for start in range(0, replicates, block):
        count = min(block, replicates - start)
        drawn = np.empty((count, len(strata)))
        for stratum in range(strata.max() + 1):
            members = np.flatnonzero(strata == stratum)
            n, draws = len(members), max(len(members) - 1, 1)
            drawn[:, members] = rng.multinomial(draws, np.full(n, 1 / n), size=count) * (n / draws)
        yield drawn[:, group]


def interval(replicates: Array, level: float = LEVEL) -> tuple[float, float]:
    """Percentile interval of replicates [R]; those that are NaN are left out."""
    low, high = np.nanquantile(replicates, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def edge_interval(value: float, groups: int, level: float = LEVEL) -> tuple[float, float]:
    """Exact (Clopper and Pearson) interval of a share that is 0 or 1, where resampling sees no variation.

    Args:
        value: 0 or 1.
        groups: number of independent trials: lesions, since the images of one aren't independent.
        level: confidence level.
    """
    reach = 1 - ((1 - level) / 2) ** (1 / groups)
    return (1 - reach, 1.0) if value == 1 else (0.0, reach)


def _strata(labels: NDArray[np.int64], group: NDArray[np.int64]) -> NDArray[np.int64]:
    """Stratum of each group: which diagnoses its images have."""
    has = np.zeros((group.max() + 1, labels.max() + 1), dtype=bool)
    has[group, labels] = True
    return np.unique(has, axis=0, return_inverse=True)[1].reshape(-1)
