"""Deletion and insertion: does the answer depend on what the map says that it depends on?

Petsiuk, Das and Saenko, RISE, BMVC 2018. Any model can be measured, without torch.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from lentigo.explanation.methods.perturbed import answers, fill_of, square_of
from lentigo.explanation.result import Explanation
from lentigo.runtime.images import ImageSource, decode

__all__ = ["Curve", "deletion", "insertion", "spread"]


@dataclass(frozen=True)
class Curve:
    """The answer while pixels are taken away or added, the most important first.

    Attributes:
        shares: share of pixels changed so far, from 0 to 1 [T].
        answers: probability of the diagnosis at balanced prior [T].
    """

    shares: NDArray[np.float64]
    answers: NDArray[np.float64]

    @property
    def area(self) -> float:
        """Area under the curve, 0 to 1: low is good for deletion, high for insertion."""
        return float(np.trapezoid(self.answers, self.shares))


def deletion(model: Any, image: ImageSource, explanation: Explanation, *, steps: int = 16) -> Curve:
    """The answer while the most important pixels are covered, in order, by the mean colour.

    Args:
        model: what was explained, as `open_model` gives it.
        image: the image.
        explanation: of the image.
        steps: equal steps that the pixels are covered in.

    Raises:
        ImageError: the image can't be read.
    """
    square = square_of(decode(image), model.size)
    return _curve(model, square, np.broadcast_to(fill_of(square), square.shape), explanation, steps)


def insertion(model: Any, image: ImageSource, explanation: Explanation, *, steps: int = 16) -> Curve:
    """The answer while the most important pixels appear, in order, in a blurred image; arguments as for `deletion`."""
    square = square_of(decode(image), model.size)
    picture = Image.fromarray(square.round().clip(0, 255).astype(np.uint8))
    blurred = np.asarray(picture.filter(ImageFilter.GaussianBlur(model.size / 8)), np.float32)
    return _curve(model, blurred, square, explanation, steps)


def spread(values: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """A map [h, w] enlarged to the square that the model sees, [size, size], with its signs."""
    return np.asarray(Image.fromarray(values).resize((size, size), Image.Resampling.BILINEAR))


def _curve(
    model: Any, start: NDArray[np.float32], end: NDArray[np.float32], explanation: Explanation, steps: int
) -> Curve:
    """Answers on the way from one picture to another, pixel by pixel in the order of the map."""
    size = model.size
    values = spread(explanation.map, size).ravel()
    # Equal values are changed in random order: from the top left on, they would form a shape.
    shuffled = np.random.default_rng(0).permutation(values.size)
    order = shuffled[np.argsort(-values[shuffled], kind="stable")]
    rank = np.empty(values.size, np.int64)
    rank[order] = np.arange(values.size)
    shares = np.linspace(0, 1, steps + 1)
    changed = ((rank.reshape(size, size) < share * values.size)[..., None] for share in shares)
    target = model.labels.classes.index(explanation.target)
    return Curve(shares, answers(model, (np.where(where, end, start) for where in changed), target))
