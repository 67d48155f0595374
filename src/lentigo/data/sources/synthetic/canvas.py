"""Where things are drawn: random fields, spots, lines and areas in the coordinates of a lesion.

A lesion is a function of its own coordinates, so that the same lesion can be seen again, turned, shifted and closer.
All fields are sums of separable terms and hence one matrix product each.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

__all__ = ["Canvas", "Field", "ramp"]

Field = NDArray[np.float32]

RADIUS = 0.27
"""Radius of a lesion at zoom 1, in image heights."""
OVERSAMPLING = 3


def ramp(values: Field, low: float, high: float) -> Field:
    """Smooth step from 0 at `low` to 1 at `high`; with low > high it falls."""
    t = np.clip((values - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


class Canvas:
    """A view of a lesion.

    Args:
        width, height: size in pixels.
        zoom: magnification; at 1 a lesion of radius 1 spans about half of the height.
        angle: rotation of the lesion, radians.
        centre: where the lesion's centre lies, in lesion radii from the middle of the image.

    Attributes:
        u, v: coordinates of each pixel in the lesion, float32 [H, W]; the lesion has a radius of about 1.
    """

    def __init__(
        self,
        width: int,
        height: int,
        *,
        zoom: float = 1.0,
        angle: float = 0.0,
        centre: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        self.shape = (height, width)
        self.scale = RADIUS * height * zoom
        self.x = ((np.arange(width) - (width - 1) / 2) / self.scale - centre[0]).astype(np.float32)
        self.y = ((np.arange(height) - (height - 1) / 2) / self.scale - centre[1]).astype(np.float32)
        self.turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], dtype=np.float32)
        self.u = self.turn[0, 0] * self.x + self.turn[1, 0] * self.y[:, None]
        self.v = self.turn[0, 1] * self.x + self.turn[1, 1] * self.y[:, None]

    def waves(self, rng: np.random.Generator, longest: float, shortest: float | None = None, count: int = 24) -> Field:
        """An isotropic random field [H, W] of mean 0 and variance 1: a sum of plane waves.

        Args:
            rng: source of directions, lengths and phases.
            longest, shortest: wavelengths in lesion radii; longer waves are stronger. One length alone gives a field
                with a visible period, whose crests are spots and whose zero lines are furrows.
            count: number of waves.
        """
        lengths = longest * (1.0 if shortest is None else shortest / longest) ** rng.random(count)
        directions = (np.arange(count) + rng.random(count)) * np.pi / count
        phases = rng.uniform(0, 2 * np.pi, count).astype(np.float32)
        vectors = 2 * np.pi / lengths * np.stack([np.cos(directions), np.sin(directions)])
        kx, ky = (self.turn @ vectors).astype(np.float32)
        strength = (lengths / np.sqrt(np.mean(lengths**2) * count / 2)).astype(np.float32)
        along_y = np.outer(self.y, ky) + phases
        along_x = np.outer(kx, self.x)
        left = np.hstack([strength * np.cos(along_y), -strength * np.sin(along_y)])
        return left @ np.vstack([np.cos(along_x), np.sin(along_x)])

    def spots(self, centres: NDArray, radii: NDArray, strengths: NDArray | float = 1.0) -> Field:
        """A sum of round Gaussian spots [H, W].

        Args:
            centres: [N, 2] in lesion coordinates.
            radii: [N], the standard deviations.
            strengths: [N] or one number, the heights.
        """
        x, y = (self.turn @ centres.T).astype(np.float32)
        narrow = (1.0 / np.sqrt(2.0) / radii).astype(np.float32)
        across = np.exp(-(((self.x - x[:, None]) * narrow[:, None]) ** 2))
        down = np.exp(-(((self.y - y[:, None]) * narrow[:, None]) ** 2))
        down *= np.broadcast_to(np.asarray(strengths, dtype=np.float32), radii.shape)[:, None]
        return down.T @ across

    def lines(self, curves: list[tuple[NDArray, float]]) -> Field:
        """Antialiased curves [H, W], 1 on a line and 0 beside it.

        Args:
            curves: pairs of points [N, 2] in lesion coordinates and a width in lesion radii.
        """
        height, width = self.shape
        image = Image.new("L", (width * OVERSAMPLING, height * OVERSAMPLING))
        pen = ImageDraw.Draw(image)
        for points, thickness in curves:
            pixels = (points @ self.turn.T - [self.x[0], self.y[0]]) * (self.scale * OVERSAMPLING)
            stroke = max(1, round(thickness * self.scale * OVERSAMPLING))
            pen.line(pixels.ravel().tolist(), fill=255, width=stroke, joint="curve")
        return np.asarray(image.reduce(OVERSAMPLING), dtype=np.float32) / 255.0
