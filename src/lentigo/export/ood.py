"""The OOD score as part of the graph, and its fit on a run; see `lentigo.evaluation.ood_score` for what it is."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from lentigo import data
from lentigo.evaluation.ood.detector import Gaussian, OODDetector, fit_ood
from lentigo.training import Run

__all__ = ["OODScore", "appearance", "fit_run"]

SCALES = (1, 2, 4, 8)
"""Pixels a side that are averaged before edges are measured."""


def appearance(x: Tensor) -> Tensor:
    """Plain statistics [N, E] of squares [N, 3, S, S], values 0 to 255.

    Mean colour, and logarithms of the spread of each colour and of its differences (red less green, green less blue),
    and of the strength of edges at several scales. Where in the picture something is doesn't count.
    """
    x = x / 255
    parts = [x.mean((2, 3)), _log_spread(x), _log_spread(x[:, :2] - x[:, 1:])]
    for scale in SCALES:
        y = F.avg_pool2d(x, scale)
        down, across = (y[:, :, 1:] - y[:, :, :-1]).abs(), (y[..., 1:] - y[..., :-1]).abs()
        parts.append((down.mean((2, 3)) + across.mean((2, 3)) + 0.005).log())
    return torch.cat(parts, dim=1)


def _log_spread(x: Tensor) -> Tensor:
    """Logarithm of the standard deviation of each channel; the floor keeps flat pictures finite."""
    return 0.5 * ((x - x.mean((2, 3), keepdim=True)).square().mean((2, 3)) + 1e-4).log()


class Distance(nn.Module):
    """A `Gaussian` as a module."""

    whitening: Tensor
    means: Tensor

    def __init__(self, gaussian: Gaussian) -> None:
        super().__init__()
        # The unit goes into the weights: it divides squares.
        root = np.sqrt(gaussian.unit)
        self.register_buffer("whitening", torch.from_numpy(gaussian.whitening / root).float())
        self.register_buffer("means", torch.from_numpy(gaussian.means / root).float())

    def forward(self, features: Tensor) -> Tensor:
        """Squared distance [N] of features [N, D] to the nearest mean."""
        return ((features @ self.whitening).unsqueeze(1) - self.means).square().sum(2).amin(1)


class OODScore(nn.Module):
    """An `OODDetector` as a module."""

    def __init__(self, ood_score: OODDetector) -> None:
        super().__init__()
        self.features = Distance(ood_score.features)
        self.appearance = Distance(ood_score.appearance)

    def forward(self, pooled: Tensor, x: Tensor) -> Tensor:
        """OOD score [N] from pooled features [N, D] and squares [N, 3, S, S], values 0 to 255."""
        return torch.maximum(self.features(pooled), self.appearance(appearance(x)))


def fit_run(run: Run) -> OODDetector:
    """Fit the score on a run's training part and its limits on the validation part.

    Raises:
        RunError: the training has not finished.
        DataError: no image of a part can be read.
    """
    pixels = data.load_pixels(run.split.records, run.recipe.size)
    train, validation = pixels.readable(run.split.train), pixels.readable(run.split.validation)
    network = run.network()
    return fit_ood(
        _describe(run, network, pixels.of(train)), train.labels, _describe(run, network, pixels.of(validation))
    )


@torch.inference_mode()
def _describe(run: Run, network: Any, images: NDArray[np.uint8]) -> tuple[NDArray, NDArray]:
    """Pooled features [N, D] and appearance [N, E] of squares uint8 [N, S, S, 3]."""
    mean, std = (torch.tensor(v, dtype=torch.float32).view(1, 3, 1, 1) * 255 for v in (run.mean, run.std))
    pooled, looks = [], []
    for start in range(0, len(images), 256):
        x = torch.from_numpy(images[start : start + 256]).permute(0, 3, 1, 2).float()
        pooled.append(network.features((x - mean) / std).mean((2, 3)).numpy())
        looks.append(appearance(x).numpy())
    return np.concatenate(pooled), np.concatenate(looks)
