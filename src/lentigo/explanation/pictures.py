"""Explanations as figures, drawn as verdicts are, and files that `classify` recognises and never takes for lesions."""

import os
from collections.abc import Sequence
from pathlib import Path

from numpy.typing import NDArray
from PIL import Image

from lentigo.errors import DataError
from lentigo.explanation.result import Explanation
from lentigo.runtime import NOTICE, decode
from lentigo.runtime.heatmap_files import mark, refuse_to_replace, save
from lentigo.runtime.heatmaps import draw
from lentigo.runtime.images import ImageSource

__all__ = ["draw_explanation", "save_explanation"]


def draw_explanation(
    explanation: Explanation,
    image: ImageSource,
    *,
    style: str = "side-by-side",
    lesion: NDArray | None = None,
    notes: Sequence[str] = (),
) -> Image.Image:
    """The explanation as a figure, with colour scale, the square that the model sees, and a caption.

    Args:
        explanation: what `explain` gave.
        image: its image.
        style: 'side-by-side' (the image beside the overlay), 'overlay', 'contour' or 'map'.
        lesion: where the lesion is, [H, W]: its edge is drawn, and the share of the map on it stated.
        notes: further paragraphs of the caption.

    Raises:
        ImageError: the image can't be read.
        DataError: no such style, an image of another size, or a mask that is empty or of another size.
    """
    pixels = decode(image)
    if pixels.shape[:2] != explanation.size:
        raise DataError(
            f"The image is {pixels.shape[1]}x{pixels.shape[0]} pixels, the explained one "
            f"{explanation.size[1]}x{explanation.size[0]}.",
            "Pass the image that was explained.",
        )
    said = ", ".join(f"{name} {value}" for name, value in explanation.parameters.items() if value is not None)
    made = f"Method {explanation.method}{f' ({said})' if said else ''}. "
    made += f"Model {explanation.model}, sha256 {explanation.model_sha256[:12] or 'unknown'}."
    shown = [*notes, f"The outlined square is the model's input. {made}", NOTICE]
    if lesion is not None:
        shown.insert(0, f"Lesion (white edge): {explanation.on_lesion(lesion)}.")
        lesion = lesion > 0
    name = explanation.name or explanation.target
    return mark(draw(pixels, explanation.map, f"Evidence for {name}", shown, style=style, lesion=lesion))


def save_explanation(
    explanation: Explanation,
    image: ImageSource,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    style: str = "side-by-side",
    lesion: NDArray | None = None,
    notes: Sequence[str] = (),
) -> Path:
    """Write `draw_explanation` as a tagged PNG, atomically; returns the path.

    Args:
        explanation, image, style, lesion, notes: as for `draw_explanation`.
        path: the file.
        overwrite: replace an earlier heat map. No other file is ever replaced.

    Raises:
        OutputError: the file exists, or can't be written.
        ImageError, DataError: as `draw_explanation`.
    """
    refuse_to_replace(Path(path), overwrite=overwrite)
    picture = draw_explanation(explanation, image, style=style, lesion=lesion, notes=notes)
    tag = {
        "source": Path(explanation.source).name,
        "diagnosis": explanation.target,
        "method": explanation.method,
        "parameters": dict(explanation.parameters),
        "model": explanation.model,
        "model_sha256": explanation.model_sha256,
    }
    return save(picture, Path(path), tag)
