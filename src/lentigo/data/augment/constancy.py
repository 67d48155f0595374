"""Colour constancy: the picture as it would be under white light."""

import torch
from torch import Tensor

from lentigo.data.augment.base import Augmentation, Parameters

__all__ = ["ShadesOfGrey"]


class ShadesOfGrey(Augmentation):
    """y_c = clip(x_c |e| / (sqrt(3) e_c)) with e_c = (mean over pixels of x_c^p)^(1/p), the colour of the light.

    Nothing is drawn. Applied to all images it is a preprocessing step, and a model trained so needs it at every later
    use; as an augmentation it belongs into `Sometimes`.

    Source: Finlayson, Trezzi, 'Shades of gray and colour constancy', Color Imaging Conference 2004, which finds p = 6
    best; on dermoscopy Barata, Celebi, Marques, IEEE J. Biomed. Health Inform. 19(3), 2015. Taken on the values as
    they are stored, without undoing the camera's gamma.

    Args:
        power: Minkowski norm p; 1 is grey world, and large values approach max-RGB.
    """

    def __init__(self, power: float = 6.0) -> None:
        self.power = power

    def draw(self, count: int, generator: torch.Generator) -> Parameters:
        """Nothing: there is no choice."""
        return {}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Divide each image by its estimated light; a black channel stays black."""
        light = images.pow(self.power).mean((2, 3), keepdim=True).pow(1 / self.power)
        grey = light.norm(dim=1, keepdim=True) / 3**0.5
        return (images * grey / light.clamp_min(1e-6)).clamp_(0, 1)
