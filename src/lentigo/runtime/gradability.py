"""Whether an image is gradable, and if not, why."""

import numpy as np
from numpy.typing import NDArray

from lentigo.texts import text

__all__ = ["rejection_reasons"]

_BLANK_STD = 2
"""Below this standard deviation of every channel (of 255 levels), an image counts as blank."""
_LOOKED_AT = 512
"""Side of the grid of pixels that suffices to detect a blank square."""


def rejection_reasons(
    image: NDArray[np.uint8],
    probabilities: NDArray[np.float32],
    ood_score: float | None,
    *,
    size: int,
    ood_threshold: float | None,
) -> tuple[str, ...]:
    """Why an image is not gradable; empty if it is.

    Args:
        image: uint8 [H, W, 3].
        probabilities: the model's output [C].
        ood_score: how unlike the training images it is; None for a model without one.
        size: side of the model's square input, in pixels.
        ood_threshold: a score above it is out of distribution; None for a model without a score.
    """
    height, width = image.shape[:2]
    reasons = []
    if min(height, width) < size:
        reasons.append(text("reason.small", width=width, height=height, size=size))
    if _is_blank(image):
        reasons.append(text("reason.blank"))
    if not np.isfinite(probabilities).all():
        reasons.append(text("reason.no_probabilities"))
    # NaN is out of distribution too.
    if ood_threshold is not None and ood_score is not None and not ood_score <= ood_threshold:
        reasons.append(text("reason.ood", score=f"{ood_score:.2f}", threshold=f"{ood_threshold:.2f}"))
    return tuple(reasons)


def _is_blank(image: NDArray[np.uint8]) -> bool:
    """Whether the central square, which is all that the model sees, has a single colour."""
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    step = max(1, side // _LOOKED_AT)
    square = image[top : top + side : step, left : left + side : step]
    enough = _BLANK_STD**2 * square.shape[0] * square.shape[1]
    # The squared deviations of a part are fewer than those of the whole: mostly a sixteenth of the pixels decides.
    return _squared_deviations(square[::4, ::4]) < enough and _squared_deviations(square) < enough


def _squared_deviations(pixels: NDArray[np.uint8]) -> float:
    """Sum of the squared deviations from the mean, of the channel where it is largest."""
    levels = pixels.transpose(2, 0, 1).astype(np.float64, order="C").reshape(3, -1)  # integers, whose sums are exact
    return float((np.vecdot(levels, levels) - levels.sum(axis=1) ** 2 / levels.shape[1]).max())
