"""Average a network over the mirror images of its input: a dermatoscope has no left, right, up or down."""

import torch
from torch import Tensor, nn

__all__ = ["FlipTTA"]

# Dimensions to flip, of tensors [N, C, h, w]: as it is, left-right, up-down, both (half a turn).
_MIRRORS: tuple[tuple[int, ...], ...] = ((), (3,), (2,), (2, 3))


class FlipTTA(nn.Module):
    """The same answer for an image and its three mirror images.

    The feature maps of the four are mirrored back and averaged. What follows is pooling and a linear layer, so the
    logits are the mean of the four images' logits, and the mean of a class's map plus its bias still is its logit.

    Args:
        network: has `features`, images [N, 3, S, S] to maps [N, C, h, w], and a linear `classifier` on their means; in
            inference mode, for dropout doesn't average.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    @property
    def classifier(self) -> nn.Linear:
        """The network's last layer."""
        return self.network.classifier  # type: ignore[return-value]

    def features(self, x: Tensor) -> Tensor:
        """Feature maps [N, C, h, w] over the image as it is."""
        # One batch of 4N instead of four networks: an exported graph holds the network once.
        maps = self.network.features(torch.cat([x.flip(dims) for dims in _MIRRORS]))  # type: ignore[operator]
        parts = maps.unflatten(0, (len(_MIRRORS), -1)).unbind(0)
        return torch.stack([part.flip(dims) for part, dims in zip(parts, _MIRRORS, strict=True)]).mean(0)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [N, K]."""
        return self.classifier(self.features(x).mean((2, 3)))

    def maps(self, x: Tensor) -> Tensor:
        """Class-activation maps [N, K, h, w] over the image as it is."""
        return torch.einsum("nchw,kc->nkhw", self.features(x), self.classifier.weight)
