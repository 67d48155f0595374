"""Our own compact network: inverted residuals, global average pooling, one linear layer.

Inverted residuals: Sandler et al., 'MobileNetV2', CVPR 2018. The pooled linear head makes the class-activation map
(Zhou et al., CVPR 2016) an exact decomposition of each logit: the map's mean plus the bias is the logit.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from lentigo.models.registry import register

__all__ = ["Compact", "compact"]


class InvertedResidual(nn.Sequential):
    """Expand 1x1, filter depth-wise 3x3, project 1x1; adds its input where the shape stays."""

    def __init__(self, width_in: int, width_out: int, stride: int, expansion: int) -> None:
        hidden = width_in * expansion
        super().__init__(
            nn.Conv2d(width_in, hidden, 1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, hidden, 3, stride, padding=1, groups=hidden, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, width_out, 1, bias=False),
            nn.BatchNorm2d(width_out),
        )
        self.adds_input = stride == 1 and width_in == width_out

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, width_in, h, w] to [N, width_out, h / stride, w / stride]."""
        y = super().forward(x)
        return x + y if self.adds_input else y


class Compact(nn.Module):
    """A network whose logits are the mean of its class-activation maps plus a bias.

    Attributes:
        features: images [N, 3, S, S], normalised, to feature maps [N, C, S / 16, S / 16].
        head: dropout and a linear layer on the pooled features.
    """

    def __init__(self, widths: Sequence[int], last: int, num_classes: int, dropout: float) -> None:
        super().__init__()
        stem = [nn.Conv2d(3, widths[0], 3, 2, padding=1, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU(inplace=True)]
        blocks: list[nn.Module] = []
        for width_in, width_out in pairwise(widths):
            blocks.append(InvertedResidual(width_in, width_out, stride=2 if width_out > width_in else 1, expansion=3))
        top = [nn.Conv2d(widths[-1], last, 1, bias=False), nn.BatchNorm2d(last), nn.ReLU(inplace=True)]
        self.features = nn.Sequential(*stem, *blocks, *top)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(last, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")

    def forward(self, x: Tensor) -> Tensor:
        """Logits [N, classes] of normalised images [N, 3, S, S]."""
        return self.classifier(self.dropout(self.features(x).mean((2, 3))))

    def maps(self, x: Tensor) -> Tensor:
        """Class-activation maps [N, classes, h, w]; their mean over space plus the bias is the logit."""
        return torch.einsum("nchw,kc->nkhw", self.features(x), self.classifier.weight)


@register(size=64)
def compact(num_classes: int = 7, dropout: float = 0.1) -> Compact:
    """Inverted residuals for 64x64 pixels, about 170 thousand parameters."""
    return Compact((16, 24, 24, 24, 48, 48, 48, 80, 80, 80), last=192, num_classes=num_classes, dropout=dropout)
