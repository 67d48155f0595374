"""The sequential CNN of 'Optimized ResNet-50 CNN for Smart Healthcare Skin Cancer Classification'.

Yashaswini et al., IJIRE 6(6), 2025, table 1. The paper is named after a ResNet-50 that its table does not show.
"""

from collections.abc import Sequence

from torch import nn

from lentigo.models.layers import ConvNet, conv_relu, dense, dense_relu
from lentigo.models.registry import register
from lentigo.normalisation import UNIT

__all__ = ["explainable_cnn"]


@register(size=100, any_size=False, normalisation=UNIT)
def explainable_cnn(
    num_classes: int = 7, filters: Sequence[int] = (32, 64), dropout: Sequence[float] = (0.25, 0.25, 0.5)
) -> ConvNet:
    """The sequential CNN of explainable_cnn's table 1: 100x100 pixels, 4,031,527 parameters.

    Args:
        num_classes: 7 diagnoses, or 2.
        filters: of the first and the second pair of convolutions; the paper's search varies them.
        dropout: rates after each pair and after the dense layer; the paper gives none.
    """
    first, second = filters
    features = [*conv_relu(3, first), *conv_relu(first, first), nn.MaxPool2d(2), nn.Dropout(dropout[0])]
    features += [*conv_relu(first, second), *conv_relu(second, second), nn.MaxPool2d(2), nn.Dropout(dropout[1])]
    return ConvNet(features, [*dense_relu(second * 22 * 22, 128), nn.Dropout(dropout[2]), dense(128, num_classes)])
