"""RISE: show random parts of the image and see when the answer stays."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lentigo.errors import DataError
from lentigo.explanation.methods.perturbed import answers, fill_of, square_of
from lentigo.explanation.methods.registry import register

__all__ = ["random_masks", "rise"]


@register("answers")
def rise(
    model: Any,
    image: NDArray[np.uint8],
    target: int,
    *,
    masks: int = 400,
    cells: int = 6,
    keep: float = 0.5,
    seed: int = 0,
) -> NDArray[np.float32]:
    """RISE (Petsiuk, Das and Saenko, BMVC 2018): the answer where a pixel is shown, less the mean answer.

    Args:
        model: any model.
        image: uint8 [H, W, 3].
        target: position of the diagnosis.
        masks: random masks, each a prediction.
        cells: cells a side of each mask.
        keep: share of the cells that are shown; elsewhere is the mean colour.
        seed: of the masks.

    Returns:
        Expected probability given that a pixel is shown, less the mean over all masks [S, S]. The paper's map is the
        first term, which is above 0 everywhere.
    """
    if masks < 1 or cells < 1 or not 0 < keep < 1:
        raise DataError(
            f"RISE can't work with {masks} masks of {cells} cells, {keep} of them shown.",
            "Use at least one mask and one cell, and keep between 0 and 1.",
        )
    square = square_of(image, model.size)
    fill = fill_of(square)

    def shown() -> Iterator[NDArray[np.float32]]:
        for mask in random_masks(model.size, masks, cells, keep, seed):
            yield square * mask[..., None] + fill * (1 - mask[..., None])

    found = answers(model, shown(), target)
    total, weight = np.zeros((model.size, model.size)), np.zeros((model.size, model.size))
    for mask, answer in zip(random_masks(model.size, masks, cells, keep, seed), found, strict=True):
        total += answer * mask
        weight += mask
    mean = float(found.mean())
    return np.where(weight > 0, total / np.maximum(weight, 1e-12) - mean, 0).astype(np.float32)


def random_masks(size: int, masks: int, cells: int, keep: float, seed: int) -> Iterator[NDArray[np.float32]]:
    """Smooth random masks float32 [size, size], 0 to 1: small binary grids, enlarged and shifted at random."""
    generator = np.random.default_rng(seed)
    cell = -(-size // cells)
    for _ in range(masks):
        grid = (generator.random((cells + 1, cells + 1)) < keep).astype(np.float32)
        large = Image.fromarray(grid).resize(((cells + 1) * cell,) * 2, Image.Resampling.BILINEAR)
        top, left = generator.integers(0, cell, 2)
        yield np.asarray(large)[top : top + size, left : left + size]
