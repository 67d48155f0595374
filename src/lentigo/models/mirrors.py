"""Average a network over the mirror images of its input: a dermatoscope has no left, right, up or down."""

import torch
from torch import Tensor, nn

__all__ = ["MirrorAverage"]

# Dimensions to flip, of tensors [N, C, h, w]: as it is, left-right, up-down, both (half a turn).
_MIRRORS: tuple[tuple[int, ...], ...] = ((), (3,), (2,), (2, 3))


class MirrorAverage(nn.Module):
    """The same answer for an image and its three mirror images, by the mean of the network's logits for the four.

    Maps are mirrored back before they are averaged, so that their mean plus the bias still is the logit.

    Args:
        network: images [N, 3, S, S] to logits [N, K]; for `maps` and `bias` it has `maps` and a linear `classifier`.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Logits [N, K]."""
        return torch.stack([self.network(x.flip(dims)) for dims in _MIRRORS]).mean(0)

    def maps(self, x: Tensor) -> Tensor:
        """Class-activation maps [N, K, h, w] over the image as it is."""
        network = self.network
        return torch.stack([network.maps(x.flip(dims)).flip(dims) for dims in _MIRRORS]).mean(0)  # type: ignore[operator]

    @property
    def classifier(self) -> nn.Linear:
        """The network's last layer."""
        return self.network.classifier  # type: ignore[return-value]
