"""The OOD score in torch, to become part of a bundle's graph, and its fit on a run; `detector` says what it is."""

from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from lentigo import data
from lentigo.evaluation.ood.detector import Gaussian, OODDetector, fit_ood
from lentigo.progress import track
from lentigo.training import Run

__all__ = ["OODScore", "appearance", "fit_run"]

BATCH = 64
PER_CLASS = 500
"""Training images of a class that the means and the covariance rest on, at most."""
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
        y = x if scale == 1 else F.avg_pool2d(x, scale)
        down, across = (y[:, :, 1:] - y[:, :, :-1]).abs(), (y[..., 1:] - y[..., :-1]).abs()
        parts.append((down.mean((2, 3)) + across.mean((2, 3)) + 0.005).log())
    return torch.cat(parts, dim=1)


def _log_spread(x: Tensor) -> Tensor:
    """Logarithm of the standard deviation of each channel; the floor keeps flat pictures finite."""
    return 0.5 * ((x - x.mean((2, 3), keepdim=True)).square().mean((2, 3)) + 1e-4).log()


class Distance(nn.Module):
    """A `Gaussian` as a module."""

    means: Tensor
    directions: Tensor
    weights: Tensor

    def __init__(self, gaussian: Gaussian) -> None:
        super().__init__()
        self.rest = gaussian.rest
        for name in ("means", "directions", "weights"):
            self.register_buffer(name, torch.from_numpy(np.array(getattr(gaussian, name), dtype=np.float32)))

    def forward(self, features: Tensor) -> Tensor:
        """Squared distance [N] of features [N, D] to the nearest mean."""
        offsets = features.unsqueeze(1) - self.means
        along = offsets @ self.directions
        distance = along.square() @ self.weights
        if self.rest:
            others = offsets - along @ self.directions.T
            distance = distance + self.rest * others.square().sum(2)
        return distance.amin(1)


class OODScore(nn.Module):
    """An `OODDetector` as a module."""

    def __init__(self, ood_score: OODDetector) -> None:
        super().__init__()
        self.features = Distance(ood_score.features)
        self.appearance = Distance(ood_score.appearance)

    def forward(self, pooled: Tensor, x: Tensor) -> Tensor:
        """OOD score [N] from pooled features [N, D] and squares [N, 3, S, S], values 0 to 255."""
        return torch.maximum(self.features(pooled), self.appearance(appearance(x)))


class Network(Protocol):
    """What the score needs of a network: `logits(x).pooled`, features [N, D] of squares as in `appearance`."""

    def logits(self, x: Tensor) -> Any:
        """Outputs of the network, with an attribute `pooled`."""


def fit_run(run: Run, network: Network) -> OODDetector:
    """Fit the score on a run's training part and its thresholds on the validation part.

    Args:
        run: the trained run.
        network: its network in inference mode.

    Raises:
        DataError: no image of a part can be read.
    """
    pixels = data.load_pixels(run.split.records, run.recipe.size)
    train, validation = _few_of_each(pixels.readable(run.split.train)), pixels.readable(run.split.validation)
    return fit_ood(_describe(network, pixels.of(train)), train.labels, _describe(network, pixels.of(validation)))


def _few_of_each(records: data.Records) -> data.Records:
    """At most `PER_CLASS` images of each class, evenly spread: all classes weigh the same, so more add little."""
    of_class = [np.flatnonzero(records.labels == k) for k in np.unique(records.labels)]
    kept = [rows[np.linspace(0, len(rows) - 1, min(len(rows), PER_CLASS)).astype(int)] for rows in of_class]
    return records.take(records.ids[np.sort(np.concatenate(kept))])


@torch.inference_mode()
def _describe(network: Network, images: NDArray[np.uint8]) -> tuple[NDArray, NDArray]:
    """Pooled features [N, D] and appearance [N, E] of squares uint8 [N, S, S, 3]."""
    pooled, looks = [], []
    starts = range(0, len(images), BATCH)
    for start in track(starts, "Computing features of the training images", len(starts)):
        x = torch.from_numpy(images[start : start + BATCH]).permute(0, 3, 1, 2).float()
        pooled.append(network.logits(x).pooled.numpy())
        looks.append(appearance(x).numpy())
    return np.concatenate(pooled), np.concatenate(looks)
