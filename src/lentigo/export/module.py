"""A trained network as the bundle computes it, in torch: the reference that the bundle is verified against."""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from lentigo.evaluation.ood.detector import OODDetector
from lentigo.evaluation.ood.graph import OODScore
from lentigo.runtime.metadata import EMBEDDING

__all__ = ["ExportModule", "Logits", "squares"]


class Logits(NamedTuple):
    """What the network computes before calibration.

    Attributes:
        logits: at the balanced prior [N, K].
        cam: class-activation maps [N, K, h, w]; None of a network without exact ones.
        pooled: what the OOD score sees [N, D]: the pooled features, or the logits of a network without maps.
    """

    logits: Tensor
    cam: Tensor | None
    pooled: Tensor


class ExportModule(nn.Module):
    """A network with its preprocessing's last step, its calibration, its maps and its OOD score, in inference mode.

    A network with maps has `features(x)` and a linear `classifier` of their mean, so that each logit is its map's mean
    plus the bias. Of a network with one output, which says how malignant a lesion is, benign gets the logit 0.

    Args:
        network: images [N, 3, S, S], normalised, to logits.
        mean, std: of the training part's pixels in 0..1.
        logit_offset: taken from the logits [K].
        temperature: the logits are divided by it.
        ood: how unlike the training images an image is; None for no score.
    """

    mean: Tensor
    std: Tensor
    offset: Tensor
    temperature: Tensor

    def __init__(
        self,
        network: Any,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        logit_offset: NDArray[np.float32],
        temperature: float = 1.0,
        ood: OODDetector | None = None,
    ) -> None:
        super().__init__()
        self.network: Any = network.eval()
        self.register_buffer("temperature", torch.tensor(temperature, dtype=torch.float32))
        self.ood = None if ood is None else OODScore(ood)
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, 3, 1, 1) * 255)
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, 3, 1, 1) * 255)
        self.register_buffer("offset", torch.tensor(np.asarray(logit_offset), dtype=torch.float32))

    def set_temperature(self, temperature: float) -> None:
        """Divide the logits by another temperature from now on."""
        self.temperature.fill_(temperature)

    @property
    def has_maps(self) -> bool:
        """Whether the network has exact class-activation maps."""
        return hasattr(self.network, "maps")

    @property
    def output_names(self) -> list[str]:
        """Names of what `forward` gives, in order."""
        maps, ood = ["cam"] * self.has_maps, ["ood_score"] * (self.ood is not None)
        return ["probabilities", *maps, *ood, *([EMBEDDING] * self.has_maps)]

    def logits(self, x: Tensor) -> Logits:
        """Logits, maps and pooled features of squares float32 [N, 3, S, S], values 0 to 255."""
        x = (x - self.mean) / self.std
        if not self.has_maps:
            logits = self._both(self.network(x)) - self.offset
            return Logits(logits, None, logits)
        features = self.network.features(x)
        weight, bias = self.network.classifier.weight, self.network.classifier.bias
        cam = torch.einsum("nchw,kc->nkhw", features, self._both(weight.T).T)
        logits = cam.mean((2, 3)) + self._both(bias.unsqueeze(0)).squeeze(0) - self.offset
        return Logits(logits, cam, features.mean((2, 3)))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """What `output_names` names, of squares as in `logits`.

        Probabilities [N, K], maps [N, K, h, w] if any, OOD scores [N] if any, and pooled features [N, D] with maps.
        """
        found = self.logits(x)
        outputs = [(found.logits / self.temperature).softmax(1)]
        if found.cam is not None:
            outputs.append(found.cam)
        if self.ood is not None:
            outputs.append(self.ood(found.pooled, x))
        if self.has_maps:
            outputs.append(found.pooled)
        return tuple(outputs)

    def _both(self, columns: Tensor) -> Tensor:
        """A column of zeros for benign before the one column [M, 1] of a network with one output."""
        return columns if columns.shape[1] == len(self.offset) else torch.cat([torch.zeros_like(columns), columns], 1)


def squares(images: NDArray[np.uint8], size: int) -> Tensor:
    """The reference of the graph's crop and resize, by torch: uint8 [N, H, W, 3] to float32 [N, 3, size, size]."""
    height, width = images.shape[1:3]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    x = torch.from_numpy(images[:, top : top + side, left : left + side].copy()).permute(0, 3, 1, 2).float()
    return F.interpolate(x, (size, size), mode="bilinear", antialias=True, align_corners=False)
