"""A plain CNN, for the rows that papers call 'traditional CNN' without printing its layers."""

from itertools import pairwise

from torch import nn

from lentigo.models.layers import ConvNet, conv_relu, dense, dense_relu
from lentigo.models.registry import register
from lentigo.normalisation import UNIT

__all__ = ["plain_cnn"]


@register(size=100, any_size=False, normalisation=UNIT)
def plain_cnn(num_classes: int = 7) -> ConvNet:
    """A plain baseline at 100x100 pixels: three convolutions with max-pools, one dense layer, nothing else."""
    features: list[nn.Module] = []
    for width_in, width_out in pairwise((3, 32, 64, 128)):
        features += [*conv_relu(width_in, width_out, "same"), nn.MaxPool2d(2)]
    return ConvNet(features, [*dense_relu(128 * 12 * 12, 128), dense(128, num_classes)])
