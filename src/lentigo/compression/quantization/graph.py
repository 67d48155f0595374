"""The layers of a bundle's network in its graph: what quantization may touch, and what stays exact."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from lentigo.errors import BundleError, did_you_mean
from lentigo.export.pack import TEMPERATURE
from lentigo.runtime import Bundle
from lentigo.runtime.bundle import read_model

__all__ = [
    "KINDS",
    "Layer",
    "chosen_layers",
    "find_layers",
    "load_graph",
    "network_tensors",
    "replace_tensor",
    "tensors_of",
]

KINDS = ("Conv", "Gemm", "MatMul")
"""Operators whose weights are quantized."""


@dataclass(frozen=True)
class Layer:
    """A convolution or dense layer of the network.

    Attributes:
        name: of its node in the graph.
        kind: one of `KINDS`.
        shape: of its weights.
        source: the tensor that it reads.
        weight, bias: names of its tensors; the bias is empty where it has none.
        channels: the weights' axis of output channels.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    source: str
    weight: str
    bias: str
    channels: int

    @property
    def weights(self) -> int:
        """Number of its weights, without the bias."""
        return int(np.prod(self.shape))


def load_graph(bundle: Bundle) -> onnx.ModelProto:
    """The graph of a bundle that is to be made smaller.

    Raises:
        BundleError: an older format, already in lower precision, or operators that ONNX doesn't define.
    """
    if bundle.metadata.format == 1:
        raise BundleError(f"{bundle.path}: a bundle of format 1.", "Upgrade it first: export.upgrade.")
    if bundle.metadata.precision != "fp32":
        raise BundleError(
            f"{bundle.path}: its weights already are {bundle.metadata.precision}.",
            "Start from the bundle in fp32 that it was made from.",
        )
    model = onnx.load_model_from_string(read_model(bundle.path))
    versions = {o.domain: o.version for o in model.opset_import}
    unknown = sorted(
        {n.op_type for n in model.graph.node if not _defined(n.op_type, n.domain, versions.get(n.domain, 1))}
    )
    if unknown:
        raise BundleError(
            f"{bundle.path}: unknown operators: {', '.join(unknown)}.",
            "Only operators of ONNX itself can be made smaller: export the network without them.",
        )
    if TEMPERATURE not in {tensor.name for tensor in model.graph.initializer}:
        raise BundleError(f"{bundle.path}: its temperature can't be set.", "Export it again with this lentigo.")
    return model


def find_layers(model: onnx.ModelProto) -> tuple[Layer, ...]:
    """The network's layers in order, without its last one, which decides.

    The last layer stays exact, so that each logit still is the mean of its map plus the bias.
    """
    constants = _dims(model)
    return tuple(
        Layer(
            node.name,
            node.op_type,
            constants[node.input[1]],
            node.input[0],
            node.input[1],
            node.input[2] if len(node.input) > 2 else "",
            channels=_output_axis(node),
        )
        for node in _weighted(model)[:-1]
        if node.op_type in KINDS and node.input[1] in constants
    )


def network_tensors(model: onnx.ModelProto) -> list[str]:
    """Names of the weights and biases of all layers, the last one's too."""
    constants = _dims(model)
    return list(dict.fromkeys(i for node in _weighted(model) for i in node.input if i in constants))


def chosen_layers(model: onnx.ModelProto, keep: Collection[str], where: object) -> tuple[Layer, ...]:
    """The layers except those that are to keep a higher precision, by the names of their nodes.

    Raises:
        BundleError: no layer has such a name, or nothing is left.
    """
    layers = find_layers(model)
    for name in keep:
        if name not in {layer.name for layer in layers}:
            raise BundleError(f"{where}: no layer is called {name!r}.", did_you_mean(name, [y.name for y in layers]))
    chosen = tuple(layer for layer in layers if layer.name not in keep)
    if not chosen:
        raise BundleError(
            f"{where}: no layer is left to make smaller, of {len(layers)} with constant weights besides the last.",
            "Keep fewer layers, or ship the file as it is.",
        )
    return chosen


def tensors_of(model: onnx.ModelProto) -> dict[str, NDArray]:
    """The graph's constants by name."""
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def replace_tensor(
    model: onnx.ModelProto, name: str, nodes: list[onnx.NodeProto], constants: dict[str, NDArray]
) -> None:
    """Compute a constant from others, by nodes whose last one gives `name`."""
    kept = [tensor for tensor in model.graph.initializer if tensor.name != name]
    del model.graph.initializer[:]
    model.graph.initializer.extend([*kept, *(numpy_helper.from_array(v, k) for k, v in constants.items())])
    for node in reversed(nodes):
        model.graph.node.insert(0, node)


def _weighted(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """The nodes on the way to the probabilities that multiply by constant weights, in order.

    The OOD score's matrices aren't on it, and the resize's are computed.
    """
    constants = _dims(model)
    needed, path = {"probabilities"}, []
    for node in reversed(model.graph.node):
        if needed & set(node.output):
            needed.update(node.input)
            path.append(node)
    return [
        node
        for node in reversed(path)
        if node.op_type in (*KINDS, "Einsum") and any(len(constants.get(name, ())) >= 2 for name in node.input)
    ]


def _output_axis(node: onnx.NodeProto) -> int:
    transposed = any(a.name == "transB" and a.i for a in node.attribute)
    return 0 if node.op_type == "Conv" or transposed else 1


def _dims(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    return {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}


def _defined(kind: str, domain: str, version: int) -> bool:
    return bool(onnx.defs.has(kind, version, domain))
