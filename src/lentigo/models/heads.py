"""What turns the feature maps of a backbone into logits."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from lentigo.models.layers import batch_norm_1d, dense, dense_relu

__all__ = ["HEADS", "AttentionHead", "HiddenHead", "LinearHead", "NormHead", "PooledHead", "SoftAttention"]


class PooledHead(nn.Module):
    """A head that sees the mean of each map alone, so that the means of a frozen backbone can be kept and reused.

    Attributes:
        classify: means [N, C] to logits [N, classes].
    """

    def __init__(self, *classify: nn.Module) -> None:
        super().__init__()
        self.classify = nn.Sequential(*classify)

    def forward(self, maps: Tensor) -> Tensor:
        """Logits [N, classes] of maps [N, C, h, w]."""
        return self.classify(maps.mean((2, 3)))


class LinearHead(PooledHead):
    """Dropout and one linear layer: the head with exact class-activation maps (Zhou et al., CVPR 2016)."""

    def __init__(self, width: int, num_classes: int, dropout: float = 0.0) -> None:
        super().__init__(nn.Dropout(dropout), nn.Linear(width, num_classes))

    def class_maps(self, maps: Tensor) -> Tensor:
        """Class-activation maps [N, classes, h, w]; their mean over space plus the bias is the logit."""
        return torch.einsum("nchw,kc->nkhw", maps, self.classify[-1].weight)


class HiddenHead(PooledHead):
    """Dense 256, ReLU, dropout 0.5, dense: the head of binary_melanoma's figures 6 and 7."""

    def __init__(self, width: int, num_classes: int) -> None:
        super().__init__(*dense_relu(width, 256), nn.Dropout(0.5), dense(256, num_classes))


class NormHead(PooledHead):
    """Batch norm, dense 32, ReLU, dense: the head that efficient_cnn's count of its ResNet50 calls for."""

    def __init__(self, width: int, num_classes: int) -> None:
        super().__init__(batch_norm_1d(width), *dense_relu(width, 32), dense(32, num_classes))


class SoftAttention(nn.Module):
    """Weight each position of the maps by where a set of small networks looks.

    A 3x3 convolution gives one map a head, each is a softmax over space, and their sum weighs the input: Datta,
    Shaikh, Srihari, Gao, 'Soft-Attention Improves Skin Cancer Classification Performance', iMIMIC 2021, equation 1.
    The paper's factor gamma is left out, as published counts of parameters show that it was not learned.

    Attributes:
        heads: the convolution.
    """

    def __init__(self, width: int, heads: int = 16) -> None:
        super().__init__()
        self.heads = nn.Conv2d(width, heads, 3, padding=1)

    def attention(self, maps: Tensor) -> Tensor:
        """Weights [N, 1, h, w] of positions; they sum to the number of heads."""
        scores = torch.relu(self.heads(maps))
        return torch.softmax(scores.flatten(2), dim=2).unflatten(2, scores.shape[2:]).sum(1, keepdim=True)

    def forward(self, maps: Tensor) -> Tensor:
        """Weighted maps [N, C, h, w]."""
        return maps * self.attention(maps)


class AttentionHead(nn.Module):
    """Maps and weighted maps side by side, pooled, dropout 0.5, dense: how Datta et al. attach the soft attention.

    Args:
        width: channels of the maps.
        num_classes: of the logits.
        positions: how many positions are left by the max-pool where the maps are flattened; without it they are
            averaged.
    """

    def __init__(self, width: int, num_classes: int, positions: int | None = None) -> None:
        super().__init__()
        self.attention = SoftAttention(width)
        # Keras' 'same' pooling keeps the odd row at the edge.
        self.pool = nn.MaxPool2d(2, ceil_mode=True)
        average = [] if positions else [nn.AdaptiveAvgPool2d(1)]
        self.classify = nn.Sequential(
            nn.ReLU(), nn.Dropout(0.5), *average, nn.Flatten(), dense(2 * width * (positions or 1), num_classes)
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Logits [N, classes] of maps [N, C, h, w]."""
        return self.classify(torch.cat((self.pool(maps), self.pool(self.attention(maps))), dim=1))


HEADS: dict[str, Callable[[int, int], nn.Module]] = {
    "linear": LinearHead,
    "hidden": HiddenHead,
    "norm": NormHead,
    "attention": AttentionHead,
}
"""Heads by name; each is made from the number of channels and of classes."""
