"""The two networks that 'Optimizing Deep Learning for Skin Cancer Classification' calls its custom CNN.

Al Mamun et al., 2025. Table II prints a network of 25,785,415 parameters; tables III and IV give 'the custom CNN'
692,807 parameters and 30.04 million FLOPs. One network cannot have both, so both are here.
"""

from itertools import pairwise

from torch import nn

from lentigo.models.layers import ConvNet, batch_norm_2d, conv_relu, dense, dense_relu
from lentigo.models.registry import register

__all__ = ["efficient_cnn", "efficient_cnn_reconstructed"]

_WIDTHS = (3, 32, 64, 128)


@register(size=224, any_size=False)
def efficient_cnn(num_classes: int = 7, dropout: float = 0.5) -> ConvNet:
    """The custom CNN of efficient_cnn's table II: 224x224 pixels, 25,785,415 parameters."""
    features: list[nn.Module] = []
    for width_in, width_out in pairwise(_WIDTHS):
        features += [*conv_relu(width_in, width_out, "same"), nn.MaxPool2d(2)]
    return ConvNet(features, [*dense_relu(128 * 28 * 28, 256), nn.Dropout(dropout), dense(256, num_classes)])


@register(size=64, any_size=False)
def efficient_cnn_reconstructed(num_classes: int = 7) -> ConvNet:
    """A reconstruction that has efficient_cnn's 692,807 parameters and 30.04 million MACs, at 64x64 pixels.

    The paper prints no layers for these figures. Three blocks of a 3x3 convolution without padding, ReLU, batch norm
    and max-pool, then dense 128 and 64, meet both to the unit; other networks may too.
    """
    features: list[nn.Module] = []
    for width_in, width_out in pairwise(_WIDTHS):
        features += [*conv_relu(width_in, width_out), batch_norm_2d(width_out), nn.MaxPool2d(2)]
    return ConvNet(features, [*dense_relu(128 * 6 * 6, 128), *dense_relu(128, 64), dense(64, num_classes)])
