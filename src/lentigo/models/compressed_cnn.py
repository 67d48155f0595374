"""The base CNN of 'Convolutional Neural Network Model for Skin Cancer Diagnosis in a Dermatological Center'.

Cabrejos-Yalán, Rodriguez, MMEP 11(11), 2024, section 3.3.
"""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from lentigo.models.layers import ConvNet, batch_norm_1d, batch_norm_2d, conv_relu, dense, dense_relu
from lentigo.models.registry import register
from lentigo.normalisation import UNIT

__all__ = ["compressed_cnn"]

_GROUPS: Sequence[Sequence[int]] = ((3, 32), (32, 64, 64), (64, 128, 128), (128, 256, 256))


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
