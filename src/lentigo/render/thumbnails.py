"""Small pictures inside of pages."""

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["thumbnail"]


def thumbnail(pixels: NDArray[np.uint8], side: int) -> str:
    """A picture as a data URL, JPEG.

    Args:
        pixels: RGB [H, W, 3].
        side: its longer side on the page, in pixels; smaller pictures stay as they are.
    """
    small = Image.fromarray(pixels)
    small.thumbnail((side, side))
    file = io.BytesIO()
    small.save(file, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
