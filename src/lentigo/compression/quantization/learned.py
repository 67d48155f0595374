"""Ranges that a quantization-aware training learned, as those of the exported graph's tensors."""

import json

import numpy as np
from numpy.typing import NDArray
from torch import nn

from lentigo.compression.quantization.graph import Layer, find_layers, load_graph, tensors_of
from lentigo.compression.quantization.ranges import Range
from lentigo.errors import RunError
from lentigo.models import FlipTTA
from lentigo.runtime import Bundle
from lentigo.training import Run
from lentigo.training.quantization_aware import RANGES

__all__ = ["learned_ranges"]


def learned_ranges(run: Run, bundle: Bundle) -> dict[str, Range]:
    """The ranges by tensor, for `quantize(..., ranges=)`.

    Layers are recognised by their weights, in units of each channel's largest: folding a batch norm changes no more.

    Args:
        run: was trained with the callback `quantization_aware`.
        bundle: its export, in fp32.

    Raises:
        RunError: no such training, or the bundle is of another one.
    """
    file = run.path / RANGES
    if not file.exists():
        raise RunError(f"{run.path}: no ranges were learned.", "Train with the callback quantization_aware.")
    known = json.loads(file.read_text(encoding="utf-8"))
    network = run.network()
    modules = dict((network.network if isinstance(network, FlipTTA) else network).named_modules())
    model = load_graph(bundle)
    constants = tensors_of(model)
    ranges = {}
    for layer in find_layers(model):
        wanted = _relative(constants[layer.weight], layer.channels)
        name = next((n for n in known if _same(modules[n], layer, wanted)), None)
        if name is None:
            raise RunError(f"{bundle.path}: its layer {layer.name} is none of {run.path}.", "Export this run.")
        ranges[layer.source] = (known[name][0], known[name][1])
    return ranges


def _same(module: nn.Module, layer: Layer, wanted: NDArray) -> bool:
    weight = np.asarray(module.weight.detach().numpy())  # type: ignore[operator]  # of a layer
    if layer.channels == 1:
        weight = weight.T
    if weight.shape != layer.shape:
        return False
    return bool(np.allclose(_relative(weight, layer.channels), wanted, atol=1e-4))


def _relative(weight: NDArray, channels: int) -> NDArray:
    """Weights in units of their channel's largest, whose sign is positive: a folded factor may be negative."""
    rows = np.moveaxis(weight, channels, 0).reshape(weight.shape[channels], -1).astype(np.float64)
    largest = rows[np.arange(len(rows)), np.abs(rows).argmax(axis=1)]
    return rows / np.where(largest == 0, 1, largest)[:, None]
