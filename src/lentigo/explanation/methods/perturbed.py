"""What methods share that cover parts of the image and watch the answer: squares, fills, and answers in batches."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lentigo.runtime.squares import central_square

__all__ = ["answers", "fill_of", "square_of"]

_BATCH = 16


def square_of(image: NDArray[np.uint8], size: int) -> NDArray[np.float32]:
    """The square that the model sees, float32 [size, size, 3], values 0 to 255."""
    if image.shape[:2] == (size, size):  # the resize would leave it as it is, in more time than a small network takes
        return image.astype(np.float32)
    return central_square(image, size)


def fill_of(square: NDArray[np.float32]) -> NDArray[np.float32]:
    """What covers parts of a square: its mean colour [3], mostly that of skin. Black would look like a lesion."""
    return square.mean(axis=(0, 1))


def answers(model: Any, squares: Iterable[NDArray[np.float32]], target: int) -> NDArray[np.float64]:
    """Probability of one diagnosis at balanced prior, of squares float32 [S, S, 3] taken a few at a time: [N]."""
    found = [model.predict(batch).probabilities[:, target] for batch in _batches(squares)]
    return np.concatenate(found).astype(np.float64)


def _batches(squares: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.uint8]]:
    remaining = iter(squares)
    while some := list(islice(remaining, _BATCH)):
        yield np.stack(some).round().clip(0, 255).astype(np.uint8)
