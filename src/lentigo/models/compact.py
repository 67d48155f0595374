"""Our own compact network: residual blocks of plain convolutions, global average pooling, one linear layer.

Residual blocks: He et al., CVPR 2016, with average pooling in the shortcut (He et al., 'Bag of tricks', CVPR 2019). The
pooled linear head makes the class-activation map (Zhou et al., CVPR 2016) an exact decomposition of each logit: the
map's mean plus the bias is the logit.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lentigo.models.registry import register

__all__ = ["Compact", "compact"]


class Residual(nn.Module):
    """relu(f(x) + g(x)): f two 3x3 convolutions, g the input, pooled and projected where the shape changes."""

    def __init__(self, width_in: int, width_out: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width_in, width_out, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(width_out),
            nn.ReLU(inplace=True),
            nn.Conv2d(width_out, width_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(width_out),
        )
        self.shortcut = nn.Sequential()
        if stride > 1:
            self.shortcut.append(nn.AvgPool2d(stride))
        if width_in != width_out:
            self.shortcut.extend([nn.Conv2d(width_in, width_out, 1, bias=False), nn.BatchNorm2d(width_out)])

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, width_in, h, w] to [N, width_out, h / stride, w / stride]."""
        return (self.body(x) + self.shortcut(x)).relu()


class Compact(nn.Module):
    """A network whose logits are the mean of its class-activation maps plus a bias.

    Args:
        stem: channels of the first convolution, which halves the side.
        blocks: channels and stride of each residual block.
        last: channels of the last 1x1 convolution, which are pooled.
        num_classes: number of logits.
        dropout: share of pooled features left out while training.

    Attributes:
        features: images [N, 3, S, S], normalised, to feature maps [N, last, s, s].
        classifier: linear layer on the pooled features.
    """

    def __init__(
        self, stem: int, blocks: Sequence[tuple[int, int]], last: int, num_classes: int, dropout: float
    ) -> None:
        super().__init__()
        widths = [stem, *(width for width, _ in blocks)]
        self.features = nn.Sequential(
            nn.Conv2d(3, stem, 3, 2, padding=1, bias=False),
            nn.BatchNorm2d(stem),
            nn.ReLU(inplace=True),
            *(Residual(before, width, stride) for before, (width, stride) in zip(widths, blocks, strict=False)),
            nn.Conv2d(widths[-1], last, 1, bias=False),
            nn.BatchNorm2d(last),
            nn.ReLU(inplace=True),
        )
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(last, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")

    def forward(self, x: Tensor) -> Tensor:
        """Logits [N, classes] of normalised images [N, 3, S, S]."""
        return self.classifier(self.dropout(self.features(x).mean((2, 3))))

    def maps(self, x: Tensor) -> Tensor:
        """Class-activation maps [N, classes, s, s]; their mean over space plus the bias is the logit."""
        return torch.einsum("nchw,kc->nkhw", self.features(x), self.classifier.weight)


@register(size=64)
def compact(num_classes: int = 7, dropout: float = 0.1) -> Compact:
    """Residual blocks for 64x64 pixels with maps of 8x8, about 315 thousand parameters."""
    return Compact(24, [(32, 2), (64, 2), (64, 1), (96, 1)], last=192, num_classes=num_classes, dropout=dropout)
