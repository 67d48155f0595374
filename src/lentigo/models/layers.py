"""Layers with the defaults of Keras, for networks that were published in Keras.

Keras starts weights from Glorot's uniform distribution and biases at zero; its batch norm has epsilon 1e-3 and keeps
99 % of its moving statistics at each step, which torch calls momentum 0.01.
"""

from collections.abc import Callable, Sequence
from typing import Literal

from torch import Tensor, nn

__all__ = ["ConvNet", "batch_norm_1d", "batch_norm_2d", "conv_relu", "dense", "dense_relu"]

Initialiser = Callable[[Tensor], Tensor]

_EPSILON = 1e-3
_MOMENTUM = 0.01


class ConvNet(nn.Module):
    """Convolutions whose maps are flattened into dense layers, which ties it to one size of image.

    Attributes:
        features: normalised images [N, 3, S, S] to maps [N, C, h, w].
        classifier: flattened maps [N, C * h * w] to logits [N, classes].
    """

    def __init__(self, features: Sequence[nn.Module], classifier: Sequence[nn.Module]) -> None:
        super().__init__()
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(*classifier)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [N, classes] of normalised images [N, 3, S, S]."""
        return self.classifier(self.features(x).flatten(1))


def conv_relu(
    width_in: int,
    width_out: int,
    padding: Literal["same", "valid"] = "valid",
    init: Initialiser = nn.init.xavier_uniform_,
) -> list[nn.Module]:
    """A 3x3 convolution with bias, and a ReLU."""
    layer = nn.Conv2d(width_in, width_out, 3, padding=1 if padding == "same" else 0)
    init(layer.weight)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # a convolution made with bias has one
    return [layer, nn.ReLU(inplace=True)]


def dense(width_in: int, width_out: int, init: Initialiser = nn.init.xavier_uniform_) -> nn.Linear:
    """A fully connected layer with bias."""
    layer = nn.Linear(width_in, width_out)
    init(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def dense_relu(width_in: int, width_out: int, init: Initialiser = nn.init.xavier_uniform_) -> list[nn.Module]:
    """A fully connected layer with bias, and a ReLU."""
    return [dense(width_in, width_out, init), nn.ReLU(inplace=True)]


def batch_norm_1d(width: int) -> nn.BatchNorm1d:
    """Batch norm of vectors [N, width]."""
    return nn.BatchNorm1d(width, _EPSILON, _MOMENTUM)


def batch_norm_2d(width: int) -> nn.BatchNorm2d:
    """Batch norm of maps [N, width, h, w]."""
    return nn.BatchNorm2d(width, _EPSILON, _MOMENTUM)
