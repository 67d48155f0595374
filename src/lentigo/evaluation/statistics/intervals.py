"""Bootstrap over lesions: weights of resamples, and intervals from what metrics do in them.

Images of one lesion are alike, so that lesions (groups) are drawn, not images. They are drawn within strata of the
same diagnoses, so that no resample lacks a rare one: intervals are for other lesions in the same mix. Of n groups in
a stratum n - 1 are drawn, with weights scaled by n / (n - 1): the plain bootstrap of n draws is too narrow by that
factor (Rao and Wu, Resampling inference with complex survey data, JASA 83:231, 1988).

An interval is the value plus and minus t standard errors of the resamples on the metric's own scale: the logit for
shares, Fisher's z for correlations, the logarithm for losses. It stays inside the metric's range, and unlike
percentiles, which cover too seldom where a diagnosis has few lesions, it is widened for them by the degrees of freedom
of t (Satterthwaite, Biometrics Bulletin 2:110, 1946). `benchmarks/coverage.py` measures how often both contain the true
value (results/coverage): too seldom for macro precision and F1 at the training prevalence where a diagnosis has few
lesions.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import t

from lentigo.errors import DataError

__all__ = ["LEVEL", "SCALES", "Scale", "bootstrap", "edge_interval", "freedom", "interval", "resamples"]

Array = NDArray[np.float64]
Drawn = TypeVar("Drawn")
LEVEL = 0.95
BLOCK = 1 << 18
"""Weights per block: small enough for a processor's cache."""
MOST = 1_000_000
"""Resamples that can be asked for; a thousandth of them is usual."""


@dataclass(frozen=True)
class Scale:
    """The scale on which a metric varies evenly.

    Attributes:
        into: onto that scale.
        back: its inverse.
        slope: derivative of `into`.
        ends: where the metric's range ends and `into` does not reach.
    """

    into: Callable[[float], float]
    back: Callable[[float], float]
    slope: Callable[[float], float]
    ends: tuple[float, ...]


SCALES = {
    "share": Scale(logit, expit, lambda v: 1 / (v * (1 - v)), (0, 1)),
    "correlation": Scale(np.arctanh, np.tanh, lambda v: 1 / (1 - v * v), (-1, 1)),
    "loss": Scale(np.log, np.exp, lambda v: 1 / v, (0,)),
    "difference": Scale(float, float, lambda _: 1.0, ()),
}


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
            chosen = rng.integers(n, size=(count, draws)) + n * np.arange(count)[:, None]
            times = np.bincount(chosen.ravel(), minlength=count * n).reshape(count, n)
            drawn[:, members] = times * (n / draws)
        yield drawn[:, group]


def bootstrap(
    statistic: Callable[[Array], Drawn], labels: NDArray[np.int64], groups: NDArray, replicates: int, seed: int
) -> Drawn | None:
    """A statistic in each resample of lesions; None where no resamples are asked for.

    Args:
        statistic: from weights of the images [B, N] to its values: an array [B, ...], or dictionaries or named tuples
            of such. Called in threads.
        labels, groups, replicates, seed: as in `resamples`.

    Returns:
        What `statistic` returns, with R rows in all its arrays.

    Raises:
        DataError: a number of resamples that gives no interval: 1, or below 0; or one that never ends.
    """
    if replicates == 1 or replicates < 0:
        raise DataError(f"{replicates} resamples give no interval.", "Use 1,000, or 0 for no intervals.")
    if replicates > MOST:
        raise DataError(f"{replicates:,} resamples would take too long; at most {MOST:,}.", "1,000 are usual.")
    with ThreadPoolExecutor() as pool:
        blocks = list(pool.map(statistic, resamples(labels, groups, replicates, seed)))
    return _joined(blocks) if blocks else None


def _joined(blocks: Sequence[Any]) -> Any:
    """Arrays, or those in dictionaries and named tuples, one after the other."""
    first = blocks[0]
    if isinstance(first, dict):
        return {key: _joined([block[key] for block in blocks]) for key in first}
    if isinstance(first, tuple):
        return type(first)(*(_joined(parts) for parts in zip(*blocks, strict=True)))
    return np.concatenate(blocks)


def interval(value: float, error: float, lesions: Sequence[int], scale: Scale) -> tuple[float, float]:
    """Interval of 95 % around a value inside its scale's range.

    Args:
        value: the estimate.
        error: its standard error, the standard deviation over resamples.
        lesions: numbers of lesions of the classes that the metric rests on, as in `freedom`.
        scale: one of `SCALES`.
    """
    reach = t.ppf((1 + LEVEL) / 2, freedom(lesions)) * error * scale.slope(value)
    middle = scale.into(value)
    return float(scale.back(middle - reach)), float(scale.back(middle + reach))


def freedom(lesions: Sequence[int]) -> float:
    """Degrees of freedom of an average over classes, each of whose variance goes as 1 / lesions (Satterthwaite)."""
    n = np.asarray(lesions, dtype=np.float64)
    return float((1 / n).sum() ** 2 / (1 / (n**2 * (n - 1))).sum())


def edge_interval(value: float, lesions: int) -> tuple[float, float]:
    """Exact interval of 95 % (Clopper and Pearson) of a share that is 0 or 1, where resampling sees no variation.

    Args:
        value: 0 or 1.
        lesions: number of independent trials: lesions, since the images of one aren't independent.
    """
    reach = 1 - ((1 - LEVEL) / 2) ** (1 / lesions)
    return (1 - reach, 1.0) if value == 1 else (0.0, reach)


def _strata(labels: NDArray[np.int64], group: NDArray[np.int64]) -> NDArray[np.int64]:
    """Stratum of each group: which diagnoses its images have."""
    has = np.zeros((group.max() + 1, labels.max() + 1), dtype=bool)
    has[group, labels] = True
    return np.unique(has, axis=0, return_inverse=True)[1].reshape(-1)
