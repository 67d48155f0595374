"""Occlusion: cover one place after another and see by how much the answer drops."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lentigo.errors import DataError
from lentigo.explanation.methods.perturbed import answers, fill_of, square_of
from lentigo.explanation.methods.registry import register

__all__ = ["occlusion"]


@register("answers")
def occlusion(
    model: Any, image: NDArray[np.uint8], target: int, *, window: float = 0.25, stride: float = 0.125
) -> NDArray[np.float32]:
    """Occlusion (Zeiler and Fergus, ECCV 2014): by how much the probability drops where the mean colour covers it.

    Args:
        model: any model.
        image: uint8 [H, W, 3].
        target: position of the diagnosis.
        window, stride: side and step of what covers, in shares of the square's side.

    Returns:
        Mean drop over all windows that cover a pixel [S, S].
    """
    square = square_of(image, model.size)
    size = model.size
    if not (0 < window <= 1 and 0 < stride <= window):
        raise DataError(
            f"A window of {window} with a stride of {stride} can't cover the image.",
            "Choose both above 0 and at most 1, and the stride no larger than the window.",
        )
    side = max(1, round(window * size))
    starts = _starts(size, side, max(1, round(stride * size)))
    places = [(top, left) for top in starts for left in starts]
    whole = answers(model, [square], target)[0]
    fill = fill_of(square)
    covered = (_covered(square, fill, top, left, side) for top, left in places)
    drops = whole - answers(model, covered, target)
    total, count = np.zeros((size, size)), np.zeros((size, size))
    for (top, left), drop in zip(places, drops, strict=True):
        total[top : top + side, left : left + side] += drop
        count[top : top + side, left : left + side] += 1
    return (total / count).astype(np.float32)


def _starts(size: int, side: int, stride: int) -> list[int]:
    """Where windows begin, the last one flush with the edge."""
    return sorted({*range(0, size - side + 1, stride), size - side})


def _covered(
    square: NDArray[np.float32], fill: NDArray[np.float32], top: int, left: int, side: int
) -> NDArray[np.float32]:
    covered = square.copy()
    covered[top : top + side, left : left + side] = fill
    return covered
