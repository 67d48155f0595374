"""What users give as an image, or as several: its name in results, and its pixels, read once."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lentigo.errors import ImageError
from lentigo.runtime.heatmap_files import is_heatmap
from lentigo.runtime.images import ImageSource, contents_of, decode

__all__ = ["name_of", "read_source", "several"]


def read_source(source: ImageSource) -> tuple[ImageSource, NDArray[np.uint8]]:
    """Where an image's pixels can be read again, and the pixels, uint8 [H, W, 3].

    A file object is read whole, for it can be read only once.

    Raises:
        ImageError: it can't be read, or is a picture drawn by lentigo.
    """
    name, kept = name_of(source), source
    if hasattr(source, "read") and not isinstance(source, Image.Image):
        try:
            kept = contents_of(cast(IO[bytes], source))
        except ImageError as error:
            raise ImageError(f"{name}: {error.message}", error.hint) from None
    if is_heatmap(kept):
        raise ImageError(
            f"{name}: a picture drawn by lentigo, not an image of a lesion.",
            "Classify the original image.",
        )
    try:
        return kept, decode(kept)
    except ImageError as error:
        raise ImageError(error.message.replace("the given image", name, 1), error.hint) from None


def name_of(source: object) -> str:
    """The name of an image in results."""
    if isinstance(source, str | os.PathLike):
        return str(Path(os.fsdecode(source)))
    if isinstance(source, bytes | bytearray | memoryview):
        return "bytes"
    if isinstance(source, np.ndarray):
        return "array"
    if isinstance(source, Image.Image):
        return str(getattr(source, "filename", "") or "image")
    name = getattr(source, "name", None)
    return name if isinstance(name, str) else type(source).__name__


def several(sources: Iterable[ImageSource]) -> Iterable[ImageSource]:
    """Refuse a single image where several are expected: a path would be iterated by character, an image by row.

    Raises:
        ImageError: it is a single image, or nothing to iterate over.
    """
    one = isinstance(sources, str | bytes | bytearray | memoryview | os.PathLike | Image.Image) or hasattr(
        sources, "read"
    )
    if one or (isinstance(sources, np.ndarray) and sources.ndim != 4):
        raise ImageError(f"{name_of(sources)}: a single image instead of several.", "Pass a list, or use classify().")
    if not isinstance(sources, Iterable):
        raise ImageError(f"{type(sources).__name__} is not several images.", "Pass a list of what classify() takes.")
    return sources
