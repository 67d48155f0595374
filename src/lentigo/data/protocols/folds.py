"""Stratified folds: by groups, which is leak-proof, and by images, as in most papers."""

from numpy.typing import NDArray

from lentigo.data.protocols.base import Protocol, part_into_folds, strata
from lentigo.data.records import Records

__all__ = ["GROUPED", "IMAGE_LEVEL_LEAKY"]


def grouped(records: Records, groups: NDArray, fold: int, folds: int, seed: int) -> NDArray:
    """Fold `fold` of `folds` stratified group folds is test; an eighth of the rest, by group, is validation.

    One fold alone is a hold-out split: with five folds 70 % of the images are for training, 10 % for validation and
    20 % for the test.
    """
    return part_into_folds(strata(records), groups, fold, folds, seed)


def image_level(records: Records, groups: NDArray, fold: int, folds: int, seed: int) -> NDArray:
    """As `grouped`, but by image: `groups` is not asked."""
    return part_into_folds(strata(records), None, fold, folds, seed)


GROUPED = Protocol(
    grouped,
    leaky=False,
    summary="Stratified folds; no lesion, nor a duplicate of it, is in two parts.",
    joined="main",
)
IMAGE_LEVEL_LEAKY = Protocol(
    image_level, leaky=True, summary="Images are split individually, so images of the same lesion are in two parts."
)
