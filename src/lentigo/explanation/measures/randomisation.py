"""A method whose maps stay the same when the network's weights are random explains something else than the network.

Adebayo et al., 'Sanity checks for saliency maps', NeurIPS 2018: weights are drawn anew, from the last layer to the
first.
"""

import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING

from lentigo.errors import DataError

if TYPE_CHECKING:
    from lentigo.explanation.network import Network

__all__ = ["cascade"]


def cascade(model: "Network", *, stages: int = 4, seed: int = 0) -> Iterator[tuple[float, "Network"]]:
    """Copies of a network whose last layers are random, ever more of them up to all.

    Convolutions and linear layers get normal weights with their own mean and standard deviation, so that answers stay
    on their scale; biases and batch norms stay.

    Args:
        model: the network; it is not changed.
        stages: how many copies; the last one is random as a whole.
        seed: of the weights.

    Yields:
        The share of layers that is random, and the network.

    Raises:
        DataError: no stages.
    """
    import torch
    from torch import nn

    if stages < 1:
        raise DataError(f"{stages} stages.", "Use at least one.")
    network = copy.deepcopy(model.network)
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    generator = torch.Generator().manual_seed(seed)
    done = 0
    for stage in range(1, stages + 1):
        until = round(len(layers) * stage / stages)
        for layer in layers[::-1][done:until]:
            weights = layer.weight.data
            noise = torch.randn(weights.shape, generator=generator)
            layer.weight.data = weights.mean() + weights.std(correction=0) * noise
        done = until
        yield done / len(layers), model.replaced(copy.deepcopy(network))
