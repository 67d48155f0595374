"""How many weights are zero, in a network or in the file that ships."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

import onnx
from torch import nn

from lentigo.evaluation.cost.graph import tensors
from lentigo.runtime import Bundle
from lentigo.runtime.bundle import read_model
from lentigo.training import Run
from lentigo.training.pruning import prunable

__all__ = ["Sparsity", "sparsity"]


@dataclass(frozen=True)
class Sparsity:
    """Zeros among the weights of convolutions and linear layers; biases and batch norms are not counted.

    Attributes:
        layers: zeros and weights of each, by the name of the layer; of a file, whose names are shortened, by position.
    """

    layers: Mapping[str, tuple[int, int]]

    @property
    def zeros(self) -> int:
        """Of all layers."""
        return sum(zeros for zeros, _ in self.layers.values())

    @property
    def weights(self) -> int:
        """Of all layers."""
        return sum(weights for _, weights in self.layers.values())

    @property
    def share(self) -> float:
        """Zeros by weights, from 0 to 1."""
        return self.zeros / max(1, self.weights)

    def __str__(self) -> str:
        return f"{self.zeros:,} of {self.weights:,} weights are zero ({100 * self.share:.2f} %)"


def sparsity(subject: nn.Module | Run | Bundle | str | os.PathLike[str]) -> Sparsity:
    """Count the zeros of a network, a finished run, or a bundle in any precision; not of one with clustered weights.

    Raises:
        RunError: the run has not finished.
        BundleError: not a bundle.
    """
    if isinstance(subject, Run):
        subject = subject.trained_network()
    if isinstance(subject, nn.Module):
        weights = {name: weight.detach().cpu().numpy() for name, weight in prunable(subject, trained=False).items()}
        return Sparsity({name: (int((w == 0).sum()), w.size) for name, w in weights.items()})
    model = onnx.load_from_string(read_model(subject.path if isinstance(subject, Bundle) else subject))
    stored = [tensor.values for tensor in tensors(model) if tensor.part == "weights"]
    matrices = [values for values in stored if values.squeeze().ndim > 1]  # the rest are biases and batch norms
    return Sparsity({f"tensor {i}": (int((w == 0).sum()), w.size) for i, w in enumerate(matrices)})
