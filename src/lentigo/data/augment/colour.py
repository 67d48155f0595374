"""Brightness, colour cast and contrast in one: what differs between cameras, lights and skins."""

from lentigo.data.augment.base import Compose
from lentigo.data.augment.brightness import Brightness
from lentigo.data.augment.cast import ColourCast
from lentigo.data.augment.contrast import Contrast

__all__ = ["ColourJitter"]


class ColourJitter(Compose):
    """`Brightness`, then `ColourCast`, then `Contrast`.

    Args:
        brightness: largest relative change of the brightness.
        contrast: largest relative change of the contrast.
        cast: largest relative change of each channel.
    """

    def __init__(self, brightness: float = 0.2, contrast: float = 0.2, cast: float = 0.06) -> None:
        super().__init__([Brightness(brightness), ColourCast(cast), Contrast(contrast)])
