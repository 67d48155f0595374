"""The small networks that the published systems print, layer by layer, with Keras' defaults.

compressed_cnn: 'Convolutional Neural Network Model for Skin Cancer Diagnosis in a Dermatological Center',
Cabrejos-Yalán, Rodriguez, MMEP 11(11), 2024, section 3.3.

efficient_cnn: 'Optimizing Deep Learning for Skin Cancer Classification', Al Mamun et al., 2025. Table II prints a
network of 25,785,415 parameters; tables III and IV give 'the custom CNN' 692,807 parameters and 30.04 million FLOPs.
One network cannot have both, so both are here.

explainable_cnn: 'Optimized ResNet-50 CNN for Smart Healthcare Skin Cancer Classification', Yashaswini et al., IJIRE
6(6), 2025, table 1. The paper is named after a ResNet-50 that its table does not show.

melanoma_cnn: 'Skin Cancer (Melanoma) Detection Using Deep Learning Model', Chakraborty, Dhar, Deb, 2025, table 1. Its
transfer-learning networks are in `lentigo.models.transfer`.

plain_cnn: for the rows that papers call 'traditional CNN' without printing its layers.
"""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from lentigo.models.layers import ConvNet, batch_norm_1d, batch_norm_2d, conv_relu, dense, dense_relu
from lentigo.models.registry import register
from lentigo.normalisation import UNIT

__all__ = [
    "compressed_cnn",
    "efficient_cnn",
    "efficient_cnn_reconstructed",
    "explainable_cnn",
    "melanoma_cnn",
    "plain_cnn",
]

_GROUPS: Sequence[Sequence[int]] = ((3, 32), (32, 64, 64), (64, 128, 128), (128, 256, 256))
"""Channels of compressed_cnn's four groups of convolutions."""
_WIDTHS = (3, 32, 64, 128)
"""Channels of the others' three."""


@register(size=28, any_size=False, normalisation=UNIT)
def compressed_cnn(num_classes: int = 7, dropout: float = 0.2) -> ConvNet:
    """The base CNN of compressed_cnn, before pruning: 28x28 pixels, 1,275,079 parameters.

    Four groups of 'same' convolutions, each with a max-pool and the first three with a batch norm; dense 256, 128, 64
    and 32, each with a batch norm. Batch norms after all four groups and after the last three dense layers would have
    the same count. The text gives neither the rates of its dropouts nor how many there are: here one follows the
    flattening and one the first dense layer.
    """
    features: list[nn.Module] = []
    for group in _GROUPS:
        for width_in, width_out in pairwise(group):
            features += conv_relu(width_in, width_out, "same", init=nn.init.kaiming_normal_)
        features.append(nn.MaxPool2d(2))
        if group is not _GROUPS[-1]:
            features.append(batch_norm_2d(group[-1]))
    classifier: list[nn.Module] = [nn.Dropout(dropout)]
    for width_in, width_out in pairwise((256, 256, 128, 64, 32)):
        classifier += [*dense_relu(width_in, width_out, init=nn.init.kaiming_normal_), batch_norm_1d(width_out)]
        if len(classifier) == 4:
            classifier.append(nn.Dropout(dropout))
    return ConvNet(features, [*classifier, dense(32, num_classes)])


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


@register(size=224, any_size=False, normalisation=UNIT)
def melanoma_cnn(num_classes: int = 2) -> ConvNet:
    """The custom CNN of binary_melanoma's table 1: 224x224 pixels, 22,246,082 parameters.

    448 of them are moving statistics. The printed total of 66,737,352 counts the state of Adam too.
    """
    features: list[nn.Module] = []
    for (width_in, width_out), rate in zip(pairwise(_WIDTHS), (0.0, 0.3, 0.4), strict=True):
        features += [*conv_relu(width_in, width_out), batch_norm_2d(width_out), nn.MaxPool2d(2)]
        if rate:
            features.append(nn.Dropout(rate))
    return ConvNet(features, [*dense_relu(128 * 26 * 26, 256), nn.Dropout(0.5), dense(256, num_classes)])


@register(size=100, any_size=False, normalisation=UNIT)
def plain_cnn(num_classes: int = 7) -> ConvNet:
    """A plain baseline at 100x100 pixels: three convolutions with max-pools, one dense layer, nothing else."""
    features: list[nn.Module] = []
    for width_in, width_out in pairwise(_WIDTHS):
        features += [*conv_relu(width_in, width_out, "same"), nn.MaxPool2d(2)]
    return ConvNet(features, [*dense_relu(128 * 12 * 12, 128), dense(128, num_classes)])
