"""A map over the model's square, laid over the image that it comes from; and the colours that it is shown in."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["COLOURS", "central", "heat"]

_ANCHORS = (
    "440154 481769 472a7a 433d84 3d4e8a 355e8d 2e6d8e 297b8e 23898e 1f978b 21a585 2eb37c 46c06f 65cb5e 89d548 b0dd2f "
    "d8e219 fde725"
)
COLOURS: NDArray[np.uint8] = np.stack(
    [
        np.interp(np.linspace(0, 1, 256), np.linspace(0, 1, 18), channel).round().astype(np.uint8)
        for channel in np.array([list(bytes.fromhex(c)) for c in _ANCHORS.split()]).T
    ],
    axis=1,
)
"""viridis [256, 3]: perceptually uniform, also in grey and for colour-blind people (matplotlib, CC0)."""


def central(width: int, height: int) -> tuple[int, int, int]:
    """Left, top and side of the central square, which is the model's input."""
    side = min(width, height)
    return (width - side) // 2, (height - side) // 2, side


def heat(cam: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """The positive part of a map, scaled to a maximum of 1, over an image: float32 [height, width].

    Args:
        cam: map [h, w] over the central square, such as a class-activation map.
        height, width: of the image, in pixels.
    """
    positive = np.nan_to_num(np.maximum(cam, 0), nan=0.0, posinf=0.0)
    if positive.max() > 0:
        positive = positive / positive.max()
    left, top, side = central(width, height)
    spread = Image.fromarray(positive.astype(np.float32)).resize((side, side), Image.Resampling.BILINEAR)
    placed = np.zeros((height, width), np.float32)
    placed[top : top + side, left : left + side] = np.clip(np.asarray(spread), 0, 1)
    return placed
