"""What cameras, lamps, networks and hair do to an image, in five strengths each; pure functions of pixels.

The strengths run from hardly visible to unusable. Sizes are shares of the image's shorter side, so that
they mean the same at any resolution. What an image meets by chance (a direction, a place) comes from a generator that
starts again for each strength: only the strength differs along a curve.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy import ndimage

from lentigo.errors import needs_extra
from lentigo.runtime.images import decode

__all__ = ["PERTURBATIONS", "Perturbation"]

Pixels = NDArray[np.uint8]
MOST_HAIRS = 48


@dataclass(frozen=True)
class Perturbation:
    """One way to spoil an image.

    Attributes:
        apply: from an image uint8 [H, W, 3], a strength and a generator to an image uint8 [H', W', 3].
        strengths: five, ascending in harm.
        unit: what a strength measures.
    """

    apply: Callable[[Pixels, float, np.random.Generator], Pixels]
    strengths: tuple[float, float, float, float, float]
    unit: str


def blur(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """Out of focus: a Gaussian of `strength` times the shorter side."""
    radius = strength * min(image.shape[:2])
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(radius)))


def noise(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """A sensor in the dark: independent Gaussian noise of `strength` grey levels on each value.

    A model that scales images down averages it away: it harms small images more.
    """
    return _to_pixels(image + strength * rng.standard_normal(image.shape, dtype=np.float32))


def jpeg(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """Strongly compressed as JPEG at quality `strength`."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=int(strength))
    return decode(file.getvalue())


def brightness(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """Exposure: times 1 + `strength` or its inverse, each for half of the images."""
    factor = (1 + strength) ** rng.choice([-1, 1])
    return _to_pixels(image * np.float32(factor))


def colour_cast(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """Another light source: a gain for each channel (von Kries) of at most e^strength, random hue, same mean gain."""
    angle = rng.uniform(0, 2 * np.pi) + np.array([0, 2, 4]) * np.pi / 3
    return _to_pixels(image * np.exp(strength * np.cos(angle)).astype(np.float32))


def hair(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """`strength` dark hairs, at most 48, drawn as in training; a stronger image has those of a weaker one and more.

    Raises:
        MissingExtraError: torch, which draws them, is not installed.
    """
    with needs_extra("Drawing hair", "train"):
        import torch

        from lentigo.data.augment.hair import AddHair
    step = AddHair(most=MOST_HAIRS)
    drawn = step.draw(1, torch.Generator().manual_seed(int(rng.integers(2**31))))
    drawn["present"] = torch.arange(MOST_HAIRS)[None] < strength
    pixels = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255
    return _to_pixels(step.apply(pixels, drawn)[0].permute(1, 2, 0).numpy() * 255)


def crop(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """Too near and off the centre: a rectangle of 1 - `strength` of each side, anywhere in the image."""
    place = rng.random(2)
    sides = [max(1, round(n * (1 - strength))) for n in image.shape[:2]]
    top, left = (int(p * (n - side + 1)) for p, n, side in zip(place, image.shape[:2], sides, strict=True))
    return np.ascontiguousarray(image[top : top + sides[0], left : left + sides[1]])


def rotation(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """Held askew: turned by `strength` degrees either way, the corners filled by reflection."""
    turned = ndimage.rotate(image, strength * rng.choice([-1, 1]), reshape=False, order=1, mode="reflect")
    return np.asarray(turned, dtype=np.uint8)


def _to_pixels(values: NDArray) -> Pixels:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


PERTURBATIONS = {
    "blur": Perturbation(blur, (0.0025, 0.005, 0.01, 0.02, 0.04), "standard deviation, share of the shorter side"),
    "noise": Perturbation(noise, (4, 8, 16, 32, 64), "standard deviation, grey levels of 255"),
    "JPEG": Perturbation(jpeg, (70, 50, 30, 15, 5), "quality of 100"),
    "brightness": Perturbation(brightness, (0.1, 0.2, 0.35, 0.5, 0.75), "relative change, up or its inverse down"),
    "colour cast": Perturbation(colour_cast, (0.03, 0.06, 0.12, 0.2, 0.3), "logarithm of the largest gain"),
    "hair": Perturbation(hair, (3, 6, 12, 24, 48), "hairs"),
    "crop": Perturbation(crop, (0.1, 0.2, 0.3, 0.4, 0.5), "share of each side cut away"),
    "rotation": Perturbation(rotation, (10, 20, 45, 90, 180), "degrees, either way"),
}
