"""Variance of ROC areas and of their differences without resampling.

The method of DeLong, DeLong and Clarke-Pearson (Biometrics 44:837, 1988) by midranks (Sun and Xu, IEEE Signal
Processing Letters 21:1389, 2014), with images of one lesion summed as one unit (Obuchowski, Biometrics 53:567, 1997).
Where each lesion has one image it is DeLong's estimate exactly.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

__all__ = ["delong", "delong_test"]

Array = NDArray[np.float64]


def delong(scores: Array, positive: NDArray[np.bool_], groups: NDArray) -> tuple[Array, Array]:
    """ROC areas of M scores of the same images, and their covariance.

    Args:
        scores: M scores of the same images [M, N].
        positive: whether each image is positive [N]; both kinds must occur.
        groups: lesion of each image [N].

    Returns:
        Areas [M] and covariance matrix [M, M]; NaN where fewer than two lesions are positive or negative.
    """
    placed = np.stack([_placements(score, positive) for score in scores])
    areas = placed[:, positive].mean(axis=1)
    _, group = np.unique(groups.astype(str), return_inverse=True)
    total = group.max() + 1
    # Deviations of each lesion's placements from the area, its positives' (x) and its negatives' (y): [M, lesions].
    centred = placed - areas[:, None]
    x, y = (np.stack([np.bincount(group, row * side, total) for row in centred]) for side in (positive, ~positive))
    lesions = [len(np.unique(group[side])) for side in (positive, ~positive)]
    if min(lesions) < 2:
        return areas, np.full((len(scores), len(scores)), np.nan)
    m, n = positive.sum(), (~positive).sum()
    factor_x, factor_y = (k / (k - 1) for k in lesions)
    cross = x @ y.T * total / (total - 1)
    return areas, x @ x.T * factor_x / m**2 + y @ y.T * factor_y / n**2 + (cross + cross.T) / (m * n)


def delong_test(
    first: Array, second: Array, positive: NDArray[np.bool_], groups: NDArray
) -> tuple[float, float, float]:
    """Compare the ROC areas of two scores of the same images.

    Returns:
        Difference of the areas (first less second), its standard error, and the two-sided p; the latter two are NaN
        where `delong` has no covariance. Two scores that order all images alike have error 0 and p 1.
    """
    areas, covariance = delong(np.stack([first, second]), positive, groups)
    contrast = np.array([1.0, -1.0])
    difference, variance = float(contrast @ areas), float(contrast @ covariance @ contrast)
    error = float(np.sqrt(np.maximum(variance, 0)))
    if error < 1e-12:
        return difference, 0.0, 1.0
    return difference, error, float(2 * norm.sf(abs(difference) / error))


def _placements(score: Array, positive: NDArray[np.bool_]) -> Array:
    """Share of the other class that each image is ranked correctly against, ties half [N]."""
    everywhere = rankdata(score)
    placed = np.empty(len(score))
    placed[positive] = (everywhere[positive] - rankdata(score[positive])) / (~positive).sum()
    placed[~positive] = 1 - (everywhere[~positive] - rankdata(score[~positive])) / positive.sum()
    return placed
