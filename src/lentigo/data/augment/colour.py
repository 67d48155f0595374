"""Colour augmentations: variation of cameras, lights and skins, and colour constancy (the image under white light).

Brightness stands for the light of the dermatoscope and the exposure of the camera, contrast for flare, glare and its
tone curve, gains of the channels for the white balance of another camera or another lamp.
"""

import math
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from lentigo.data.augment.base import Augmentation, Compose, Parameters, Share, uniform

__all__ = ["Brightness", "ChannelJitter", "ColourJitter", "Contrast", "ShadesOfGrey", "WhiteBalanceShift"]


class Brightness(Augmentation):
    """y = clip(b x), with one b for each image.

    Args:
        spread: largest relative change: b is uniform in 1 - spread to 1 + spread.
    """

    def __init__(self, spread: Share = 0.2) -> None:
        self.spread = spread

    def draw(self, count: int, generator: torch.Generator) -> Parameters:
        """Factor b [N]."""
        return {"factor": uniform(1 - self.spread, 1 + self.spread, (count,), generator)}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Scale each image."""
        return (images * parameters["factor"][:, None, None, None]).clamp_(0, 1)


class ChannelJitter(Augmentation):
    """y_c = clip(g_c x_c), a gain for each channel of each image: von Kries' model of a change of light.

    Source: von Kries, 'Influence of adaptation on the effects produced by luminous stimuli', 1905; the inverse of what
    `ShadesOfGrey` estimates.

    Args:
        spread: largest relative change: each g_c is uniform in 1 - spread to 1 + spread.
    """

    def __init__(self, spread: Share = 0.06) -> None:
        self.spread = spread

    def draw(self, count: int, generator: torch.Generator) -> Parameters:
        """Gains [N, 3], red, green, blue."""
        return {"gain": uniform(1 - self.spread, 1 + self.spread, (count, 3), generator)}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Scale each channel."""
        return (images * parameters["gain"][:, :, None, None]).clamp_(0, 1)


class Contrast(Augmentation):
    """y = clip(c (x - m) + m), with m the image's mean over pixels and channels, and one c for each image.

    Args:
        spread: largest relative change: c is uniform in 1 - spread to 1 + spread.
    """

    def __init__(self, spread: Share = 0.2) -> None:
        self.spread = spread

    def draw(self, count: int, generator: torch.Generator) -> Parameters:
        """Factor c [N]."""
        return {"factor": uniform(1 - self.spread, 1 + self.spread, (count,), generator)}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Stretch each image around its own mean."""
        mean = images.mean((1, 2, 3), keepdim=True)
        return torch.lerp(mean, images, parameters["factor"][:, None, None, None]).clamp_(0, 1)


class ColourJitter(Compose):
    """`Brightness`, then `ChannelJitter`, then `Contrast`.

    Args:
        brightness: largest relative change of the brightness.
        contrast: largest relative change of the contrast.
        channel_jitter: largest relative change of each channel.
    """

    def __init__(self, brightness: Share = 0.2, contrast: Share = 0.2, channel_jitter: Share = 0.06) -> None:
        super().__init__([Brightness(brightness), ChannelJitter(channel_jitter), Contrast(contrast)])


class ShadesOfGrey(Augmentation):
    """y_c = clip(x_c |e| / (sqrt(3) e_c)) with e_c = (mean over pixels of x_c^p)^(1/p), the colour of the light.

    Nothing is drawn. Applied to all images it is a preprocessing step, and a model trained so needs it at every later
    use; as an augmentation, wrap it in `Sometimes`.

    Source: Finlayson, Trezzi, 'Shades of gray and colour constancy', Color Imaging Conference 2004, which finds p = 6
    best; for dermoscopy Barata, Celebi, Marques, IEEE J. Biomed. Health Inform. 19(3), 2015. Taken on the values as
    they are stored, without undoing the camera's gamma.

    Args:
        power: Minkowski norm p; 1 is grey world, and large values approach max-RGB.
    """

    def __init__(self, power: Annotated[float, Field(ge=1)] = 6.0) -> None:
        self.power = power

    def draw(self, count: int, generator: torch.Generator) -> Parameters:
        """Nothing: there is no choice."""
        return {}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Divide each image by its estimated light; a black channel stays black."""
        light = images.pow(self.power).mean((2, 3), keepdim=True).pow(1 / self.power)
        grey = light.norm(dim=1, keepdim=True) / 3**0.5
        return (images * grey / light.clamp_min(1e-6)).clamp_(0, 1)


class WhiteBalanceShift(Augmentation):
    """y_c = clip(x_c e^(s cos(a + 2 pi c / 3))): a light of random hue a and strength s, of about the same brightness.

    Far stronger than `ChannelJitter`, and the change that `evaluation.robustness` measures up to a strength of 0.3 as
    its colour cast: what another lamp or a phone's white balance does.

    Args:
        strength: largest logarithm of a channel's gain; s is uniform in 0 to this.
    """

    def __init__(self, strength: Share = 0.2) -> None:
        self.strength = strength

    def draw(self, count: int, generator: torch.Generator) -> Parameters:
        """Hue [N], an angle in radians, and strength [N]."""
        hue = uniform(0, 2 * math.pi, (count,), generator)
        return {"hue": hue, "strength": uniform(0, self.strength, (count,), generator)}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Scale each channel."""
        third = torch.arange(3, dtype=images.dtype, device=images.device) * (2 * math.pi / 3)
        gain = (parameters["strength"][:, None] * (parameters["hue"][:, None] + third).cos()).exp()
        return (images * gain[:, :, None, None]).clamp_(0, 1)
