"""Crop and resize as the bundle's graph does them, for files whose graph begins after: in numpy alone.

The antialiased bilinear resize is two products with triangle-filter weights, see `lentigo.export.graph`.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["central_square", "resize_weights"]


def central_square(image: NDArray[np.uint8], size: int) -> NDArray[np.float32]:
    """The central square of an image, resized.

    Args:
        image: uint8 [H, W, 3].
        size: pixels a side of the result.

    Returns:
        float32 [size, size, 3], values 0 to 255, not rounded.
    """
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    weights = resize_weights(side, size)
    channels = image[top : top + side, left : left + side].transpose(2, 0, 1).astype(np.float32)
    return np.ascontiguousarray((weights @ channels @ weights.T).transpose(1, 2, 0))


def resize_weights(side: int, size: int) -> NDArray[np.float32]:
    """Weights of the triangle filter, float32 [size, side]; each row sums to 1."""
    scale = np.float32(side) / np.float32(size)
    centres = (np.arange(size, dtype=np.float32)[:, None] + np.float32(0.5)) * scale
    places = np.arange(side, dtype=np.float32)[None] + np.float32(0.5)
    heights = np.maximum(1 - np.abs(places - centres) / max(scale, np.float32(1)), 0, dtype=np.float32)
    return heights / heights.sum(axis=1, keepdims=True)
