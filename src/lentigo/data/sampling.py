"""Remedies for class imbalance: class weights, weighted sampling and oversampling, for a split's training part only.

Every function takes a `Split` and returns weights or positions in `split.train`; none creates or splits records.
Duplicates stay within training, so 'oversample, then split' cannot be expressed with this module.
"""

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lentigo.data.splits import Split
from lentigo.errors import DataError, needs_extra
from lentigo.labels import BINARY, find_mapping

__all__ = ["Scheme", "Target", "class_weights", "draw_weighted", "oversample"]

Scheme = Literal["balanced", "effective"]
"""'balanced' weighs a class by 1 / n, n its images; 'effective' by 1 / E(n), E the effective number of samples."""

Target = Literal["dx", "malignant"]
"""What is learnt: the labels in the order of the records' label set, or benign (0) and malignant (1)."""


def class_weights(
    split: Split, scheme: Scheme = "balanced", *, beta: float = 0.999, target: Target = "dx"
) -> NDArray[np.float64]:
    """A weight for each class, for a loss: [K] or [2], scaled so that the mean over the training images is 1.

    'balanced': w = n / (K n_c), with n images, n_c of the class, and K classes that occur (King, Zeng, 'Logistic
    regression in rare events data', 2001; scikit-learn's formula). 'effective': w ~ (1 - beta) / (1 - beta ^ n_c), from
    1 / n_c for beta near 1 to equal weights for beta 0 (Cui, Jia, Lin, Song, Belongie, 'Class-balanced loss based on
    effective number of samples', CVPR 2019, equation 2; theirs are scaled to sum to K instead). A class without
    training images gets 0.

    Args:
        split: the weights come from its training part.
        scheme: 'balanced' or 'effective'.
        beta: of 'effective', 0 <= beta < 1.
        target: which classes.

    Raises:
        DataError: unknown scheme or target, a beta off the scale, no training images, or no diagnoses.
    """
    if scheme not in get_args(Scheme):
        raise DataError(f"Unknown scheme {scheme!r}.", f"Known schemes: {', '.join(get_args(Scheme))}.")
    if not 0 <= beta < 1:
        raise DataError(f"Beta must be at least 0 and below 1, not {beta}.", "0.999 is usual.")
    counts = _counts(split, target)
    present = counts > 0
    weights = np.zeros(len(counts))
    weights[present] = 1 / counts[present] if scheme == "balanced" else (1 - beta) / (1 - beta ** counts[present])
    return weights * counts.sum() / (weights * counts).sum()


def draw_weighted(
    split: Split,
    epoch: int,
    *,
    scheme: Scheme = "balanced",
    beta: float = 0.999,
    seed: int = 0,
    target: Target = "dx",
) -> NDArray[np.int64]:
    """Positions in `split.train` for one epoch, drawn with replacement by `class_weights`: int64 [n], n its length.

    With 'balanced' every class that occurs is as likely. The same seed and epoch give the same draw, in any process.

    Raises:
        DataError: as for `class_weights`.
    """
    labels = _labels(split, target)
    weights = class_weights(split, scheme, beta=beta, target=target)[labels]
    return np.random.default_rng([seed, epoch]).choice(len(labels), size=len(labels), p=weights / weights.sum())


def oversample(split: Split, *, seed: int = 0, target: Target = "dx") -> NDArray[np.int64]:
    """Positions in `split.train`, each at least once, rarer classes again until all are as many as the largest: [M].

    imbalanced-learn's RandomOverSampler (Lemaitre, Nogueira, Aridas, JMLR 18(17), 2017). The repeats come last: shuffle
    them every epoch.

    Raises:
        DataError: no training images of two classes at least, or no diagnoses.
        MissingExtraError: imbalanced-learn is not installed.
    """
    with needs_extra("Oversampling", "train"):
        from imblearn.over_sampling import RandomOverSampler
    labels = _labels(split, target)
    if len(np.unique(labels)) < 2:
        raise DataError("The training part has images of one class only.", "Train without oversampling.")
    sampler = RandomOverSampler(random_state=seed)
    sampler.fit_resample(np.arange(len(labels))[:, None], labels)
    return sampler.sample_indices_.astype(np.int64)


def _labels(split: Split, target: Target) -> NDArray[np.int64]:
    """Classes of the training images, [n]."""
    if target not in get_args(Target):
        raise DataError(f"Unknown target {target!r}.", f"Known targets: {', '.join(get_args(Target))}.")
    train = split.train
    if len(train) == 0:
        raise DataError("The split has no training images.", "Choose another fold or protocol.")
    return train.labels if target == "dx" else train.mapped(find_mapping(BINARY, train.label_set)).labels


def _counts(split: Split, target: Target) -> NDArray[np.int64]:
    """Training images of each class, [K] or [2]."""
    return np.bincount(_labels(split, target), minlength=len(split.records.label_set) if target == "dx" else 2)
