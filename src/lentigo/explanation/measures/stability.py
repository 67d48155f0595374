"""Do maps stay when the image changes by less than anyone would see?"""

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lentigo.explanation.explaining import explain
from lentigo.explanation.measures.faithfulness import spread
from lentigo.explanation.result import Explanation
from lentigo.runtime.images import ImageSource, decode

__all__ = ["alike", "small_changes", "stability"]


def small_changes(image: NDArray[np.uint8], *, seed: int = 0) -> dict[str, NDArray[np.uint8]]:
    """Copies of an image that look the same: a little noise, a little light, shifted by one pixel in a hundred.

    Args:
        image: uint8 [H, W, 3].
        seed: of the noise.
    """
    noise = np.random.default_rng(seed).normal(0, 2, image.shape)
    step = max(1, round(min(image.shape[:2]) / 100))
    return {
        "noise": (image + noise).round().clip(0, 255).astype(np.uint8),
        "light": (image * 1.02).round().clip(0, 255).astype(np.uint8),
        "shift": np.concatenate([image[:, step:], image[:, -1:].repeat(step, axis=1)], axis=1),
    }


def stability(
    explanation: Explanation,
    image: ImageSource,
    *,
    model: Any,
    changes: Collection[str] = ("noise", "light", "shift"),
    seed: int = 0,
    ungradable: bool = False,
) -> dict[str, float | None]:
    """How alike the map is after each of `small_changes`: the rank correlation of its pixels, None for a constant map.

    Args:
        explanation: of the image.
        image: the image.
        model: what was explained.
        changes: which of them.
        seed: of the noise.
        ungradable: as for `explain`.

    Raises:
        ImageError: the image can't be read, or a copy is not gradable.
    """
    again = {"model": model, "ungradable": ungradable, **explanation.parameters}
    return {
        name: alike(explanation, explain(changed, explanation.method, explanation.target, **again))
        for name, changed in small_changes(decode(image), seed=seed).items()
        if name in changes
    }


def alike(first: Explanation, second: Explanation) -> float | None:
    """Rank correlation of two maps' pixels (Spearman), -1 to 1; None where either is constant.

    Args:
        first, second: of one image, with maps of any size.
    """
    side = max(*first.map.shape, *second.map.shape)
    ours, theirs = (_ranks(spread(e.map, side)) for e in (first, second))
    if ours.std() == 0 or theirs.std() == 0:
        return None
    return float(np.corrcoef(ours, theirs)[0, 1])


def _ranks(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Ranks [N]; equal values share their mean rank."""
    _, position, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return ((last - count + last - 1) / 2)[position.ravel()]
