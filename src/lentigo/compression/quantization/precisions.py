"""A graph's layers in fewer bits: integers that are computed with, 16-bit floats, or places in a table."""

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationMethod, QuantType
from onnxruntime.quantization.calibrate import TensorsData
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
from scipy.cluster.vq import kmeans2

from lentigo.compression.quantization.graph import KINDS, Layer, replace_tensor, tensors_of
from lentigo.compression.quantization.ranges import Range
from lentigo.export.pack import pack

__all__ = ["calibrated_tensors", "to_clusters", "to_float16", "to_int8"]

_ACTIVATIONS = ("Relu", "Clip")
"""Between two layers they cost nothing in integers: the limits of the range are theirs."""
_SMALL = 64
"""Numbers that are not worth the two nodes of another form."""
_QUANTILES = 4096
"""Of a layer's weights, that clusters are sought among."""


def calibrated_tensors(model: onnx.ModelProto, layers: Sequence[Layer]) -> tuple[str, ...]:
    """The tensors that `to_int8` needs the ranges of."""
    nodes = _quantized_nodes(model, layers)
    constants = {tensor.name for tensor in model.graph.initializer}
    return tuple(dict.fromkeys(t for node in nodes for t in (node.input[0], *node.output) if t and t not in constants))


def to_int8(model: onnx.ModelProto, layers: Sequence[Layer], ranges: Mapping[str, Range]) -> onnx.ModelProto:
    """Layers in integers, as pairs of QuantizeLinear and DequantizeLinear (QDQ).

    Weights are symmetric with a step for each output channel, in 7 bits: processors without VNNI add pairs of products
    in 16 bits, which 8 bits overflow without a word, and a file must say the same on all of them. Activations are
    uint8 with one step for a tensor, for which ONNX Runtime has fast kernels (int8 ones it has none for on x86).

    Args:
        model: the graph.
        layers: those to quantize.
        ranges: of `calibrated_tensors`.
    """
    model = _unshared(model, layers)
    nodes = _quantized_nodes(model, layers)
    quantizer = QDQQuantizer(
        onnx.shape_inference.infer_shapes(model),
        per_channel=True,
        reduce_range=True,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QUInt8,
        tensors_range=TensorsData(
            CalibrationMethod.MinMax,
            {name: (np.float32(low), np.float32(high)) for name, (low, high) in ranges.items()},
        ),
        nodes_to_quantize=[node.name for node in nodes],
        nodes_to_exclude=[],
        op_types_to_quantize=[*KINDS, *_ACTIVATIONS],
        extra_options={"QDQOpTypePerChannelSupportToAxis": {"MatMul": 1}},
    )
    quantizer.quantize_model()
    _guard(quantizer.model.model.graph)
    quantizer.model.topological_sort()  # as ONNX wants it, though ONNX Runtime does not
    return pack(quantizer.model.model)


def to_float16(model: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    """Constants stored in 16 bits and computed with in 32, which every runtime can; not those beyond its range."""
    model = _copy(model)
    values = tensors_of(model)
    for name in names:
        value = values[name]
        if value.dtype == np.float32 and value.size >= _SMALL and np.abs(value).max() <= np.finfo(np.float16).max:
            short = {f"{name}/16": value.astype(np.float16)}
            replace_tensor(model, name, [helper.make_node("Cast", [f"{name}/16"], [name], to=TensorProto.FLOAT)], short)
    return pack(model)


def to_clusters(model: onnx.ModelProto, layers: Sequence[Layer], clusters: int) -> onnx.ModelProto:
    """Each layer's weights as places, of 8 bits, in a table of at most `clusters` values (Han, Mao, Dally, ICLR 2016).

    The table is of the weights in units of their output channel's largest: folded batch norms leave channels of very
    different sizes. Zeros stay zeros. The fewer values, the smaller the file becomes once it is losslessly compressed.
    """
    model = _copy(model)
    values = tensors_of(model)
    for layer in {layer.weight: layer for layer in layers}.values():
        name, weights = layer.weight, values[layer.weight]
        if weights.size < _SMALL + clusters:
            continue
        others = tuple(axis for axis in range(weights.ndim) if axis != layer.channels)
        unit = np.maximum(np.abs(weights).max(axis=others, keepdims=True), np.finfo(np.float32).tiny)
        table = _table((weights / unit).ravel().astype(np.float64), clusters).astype(np.float32)
        places = np.searchsorted((table[1:] + table[:-1]) / 2, weights / unit).astype(np.uint8)
        nodes = [
            helper.make_node("Cast", [f"{name}/places"], [f"{name}/at"], to=TensorProto.INT32),
            helper.make_node("Gather", [f"{name}/table", f"{name}/at"], [f"{name}/relative"], axis=0),
            helper.make_node("Mul", [f"{name}/relative", f"{name}/unit"], [name]),
        ]
        replace_tensor(model, name, nodes, {f"{name}/places": places, f"{name}/table": table, f"{name}/unit": unit})
    return pack(model)


def _table(weights: NDArray[np.float64], clusters: int) -> NDArray[np.float64]:
    """Centres of k-means, in order; zero is one of them where pruning left zeros."""
    nonzero = weights[weights != 0]
    pruned = len(nonzero) < 0.9 * len(weights)
    # As many quantiles as tell the distribution, so that a layer of millions takes no minutes.
    points = np.unique(np.quantile(nonzero if pruned else weights, np.linspace(0, 1, _QUANTILES)))
    start = np.linspace(points[0], points[-1], min(clusters - pruned, len(points)))
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # a centre without points stays where it was
        centres, _ = kmeans2(points[:, None], start[:, None], iter=50, minit="matrix")
    return np.unique([*centres.ravel(), 0.0]) if pruned else np.unique(centres)


def _guard(graph: onnx.GraphProto) -> None:
    """Keep float layers between quantized ones in floats.

    ONNX Runtime would quantize their weights as well, with one step for the tensor (WeightBiasQuantization), unless
    something else stands between DequantizeLinear and the layer: a maximum with the lowest number.
    """
    constants = {tensor.name for tensor in graph.initializer}
    dequantized = {output for node in graph.node if node.op_type == "DequantizeLinear" for output in node.output}
    kept = [n for n in graph.node if n.op_type in KINDS and n.input[1] in constants and n.input[0] in dequantized]
    for node in kept:
        graph.node.append(helper.make_node("Max", [node.input[0], "lowest"], [f"{node.name}/as_it_is"]))
        node.input[0] = f"{node.name}/as_it_is"
    if kept:
        graph.initializer.append(numpy_helper.from_array(np.array(np.finfo(np.float32).min), "lowest"))


def _quantized_nodes(model: onnx.ModelProto, layers: Sequence[Layer]) -> list[onnx.NodeProto]:
    """The layers' nodes, and the activations that directly follow one."""
    names = {layer.name for layer in layers}
    nodes = [node for node in model.graph.node if node.name in names]
    after = {output for node in nodes for output in node.output}
    return nodes + [n for n in model.graph.node if n.op_type in _ACTIVATIONS and n.input[0] in after]


def _unshared(model: onnx.ModelProto, layers: Sequence[Layer]) -> onnx.ModelProto:
    """With a bias and weights of its own for each layer: their steps differ, though exporters share equal tensors."""
    model = _copy(model)
    names, taken = {layer.name for layer in layers}, set()
    values = tensors_of(model)
    for node in model.graph.node:
        if node.name not in names:
            continue
        for place, name in list(enumerate(node.input))[1:]:
            if name in taken:
                node.input[place] = f"{name}/{node.name}"
                model.graph.initializer.append(numpy_helper.from_array(values[name], node.input[place]))
            taken.add(name)
    return model


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy
