"""Count parameters as Keras does, which is how the published figures were counted."""

from typing import NamedTuple

from torch import nn

__all__ = ["Counts", "count_parameters"]

_STATISTICS = ("running_mean", "running_var")


class Counts(NamedTuple):
    """Numbers of a network.

    Attributes:
        trainable: weights that an optimizer may change.
        non_trainable: frozen weights and the moving statistics of batch norms.
        total: both.
    """

    trainable: int
    non_trainable: int
    total: int


def count_parameters(module: nn.Module, *, recurse: bool = True) -> Counts:
    """Count a module's numbers, moving statistics of batch norms among them; torch's counters of batches are not.

    Args:
        module: a network or a layer of it, on any device, 'meta' too.
        recurse: whether to count the layers inside it.
    """
    trainable = sum(p.numel() for p in module.parameters(recurse) if p.requires_grad)
    frozen = sum(p.numel() for p in module.parameters(recurse) if not p.requires_grad)
    buffers = module.named_buffers(recurse=recurse)
    statistics = sum(buffer.numel() for name, buffer in buffers if name.rpartition(".")[2] in _STATISTICS)
    return Counts(trainable, frozen + statistics, trainable + frozen + statistics)
