"""The custom CNN of 'Skin Cancer (Melanoma) Detection Using Deep Learning Model'.

Chakraborty, Dhar, Deb, 2025, table 1. Its transfer-learning networks are in `lentigo.models.transfer`.
"""

from itertools import pairwise

from torch import nn

from lentigo.models.layers import ConvNet, batch_norm_2d, conv_relu, dense, dense_relu
from lentigo.models.registry import register
from lentigo.normalisation import UNIT

__all__ = ["melanoma_cnn"]

_DROPOUT = (0.0, 0.3, 0.4)


@register(size=224, any_size=False, normalisation=UNIT)
def melanoma_cnn(num_classes: int = 2) -> ConvNet:
    """The custom CNN of binary_melanoma's table 1: 224x224 pixels, 22,246,082 parameters.

    448 of them are moving statistics. The printed total of 66,737,352 counts the state of Adam too.
    """
    features: list[nn.Module] = []
    for (width_in, width_out), rate in zip(pairwise((3, 32, 64, 128)), _DROPOUT, strict=True):
        features += [*conv_relu(width_in, width_out), batch_norm_2d(width_out), nn.MaxPool2d(2)]
        if rate:
            features.append(nn.Dropout(rate))
    return ConvNet(features, [*dense_relu(128 * 26 * 26, 256), nn.Dropout(0.5), dense(256, num_classes)])
