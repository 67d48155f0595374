"""Perceptual hashes: 64 bits per image, robust to scaling, compression and brightness, but specific to the lesion.

A bundle can carry those of its training images and so detect that a supposedly new data set is made of them.

Measured on HAM10000 (10,015 images of 200x150 pixels, 3,000 queried, `benchmarks/perceptual.py`): at most
`BITS_APART` bits differ between an image and its version of 28 pixels, stretched to a square as DermaMNIST and the
hmnist tables have it (99 % of them), its central square at 224 px (all), its 15 % brighter version (98 %), or one of
half the size at JPEG quality 60 (94 %). An image of another lesion comes as close for 0.2 % of the images. Other
photographs of
one lesion, closer crops, rotated and mirrored copies are not found: those are for `lentigo.audit`.

Source: Zauner, 'Implementation and benchmarking of perceptual image hash functions', 2010 (signs of the discrete cosine
transform).
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["BITS_APART", "FALSE_HITS", "near_duplicates", "perceptual_hash", "perceptual_hashes"]

BITS_APART = 3
"""Maximum Hamming distance, of 64 bits, between hashes of the same image."""
FALSE_HITS = 0.002
"""False-positive rate: unrelated dermoscopic images that come this close to one of 10,000 hashes."""

SIDE = 48
"""Side of the square that the transform is taken of, in pixels."""
STRETCHED = 3 / 4
"""Height over width of the pictures that DermaMNIST and the hmnist tables stretch to squares."""
CHUNK = 512
"""Number of hashes compared with all others at once."""

# A sign for each low frequency except those even in both directions: their sign only says that a dark lesion is in
# the middle of paler skin, which is true of nearly all images.
FREQUENCIES = sorted(
    ((u, v) for u in range(10) for v in range(10) if u % 2 or v % 2), key=lambda f: (f[0] + f[1], f[0])
)[:64]


def perceptual_hash(rgb: NDArray[np.uint8]) -> np.uint64:
    """The hash of the largest central square of an image, uint8 [H, W, 3]."""
    height, width = rgb.shape[:2]
    side = min(height, width)
    return _hash(rgb, (side, side))


def perceptual_hashes(rgb: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """The hashes to look for among those of other images: [1], or [2] for a square, which may be a stretched image.

    The second is for the central square of the original image, assuming that it was 4:3 before it was stretched.
    """
    height, width = rgb.shape[:2]
    boxes = [(min(height, width),) * 2] + ([(height, width * STRETCHED)] if height == width else [])
    return np.array([_hash(rgb, box) for box in boxes], dtype=np.uint64)


def near_duplicates(asked: NDArray[np.uint64], known: NDArray[np.uint64], bits: int = BITS_APART) -> NDArray[np.bool_]:
    """Whether each hash [M] differs from any of the known ones [N] in at most `bits` bits: bool [M]."""
    signs = _signs(known)
    found: list[NDArray[np.bool_]] = [np.zeros(0, np.bool_)]
    for start in range(0, len(asked), CHUNK):
        # Of 64 signs, d differing ones leave a product of 64 - 2 d.
        products = _signs(asked[start : start + CHUNK]) @ signs.T
        found.append(np.any(products >= 64 - 2 * bits, axis=1))
    return np.concatenate(found)


def _hash(rgb: NDArray[np.uint8], box: tuple[float, float]) -> np.uint64:
    """Signs of the transform of the part of an image of a height and width around its centre."""
    (height, width), (tall, wide) = rgb.shape[:2], box
    left, top = (width - wide) / 2, (height - tall) / 2
    luma = Image.fromarray(rgb).convert("L")
    square = luma.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=(left, top, left + wide, top + tall))
    low = _COSINES @ np.asarray(square, dtype=np.float64) @ _COSINES.T
    # Rounded: the signs of a blank image are zeros, not numerical noise.
    bits = np.array([low[f] for f in FREQUENCIES]) > 1e-6
    return np.packbits(bits).view(">u8")[0].astype(np.uint64)


def _signs(hashes: NDArray[np.uint64]) -> NDArray[np.float32]:
    """Bits of hashes [N] as -1 and 1: float32 [N, 64]."""
    octets = np.asarray(hashes, dtype=np.uint64).astype(">u8").view(np.uint8).reshape(-1, 8)
    return np.unpackbits(octets, axis=1).astype(np.float32) * 2 - 1


_COSINES = np.cos(np.pi * (np.arange(SIDE)[None] + 0.5) * np.arange(10)[:, None] / SIDE)
