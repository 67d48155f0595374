"""What a bundle's graph computes for one image, and what its tensors are for, counted on the ONNX graph as shipped.

Shapes are those of a real run: the graph is run once on one image with the shapes around every counted operator as
further outputs. So mirrors count as often as they are computed, whether as copies or as one batch.
"""

import graphlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from lentigo.errors import BundleError
from lentigo.runtime import format_1
from lentigo.runtime.metadata import EMBEDDING, BundleMetadata

__all__ = ["IMAGE", "GraphMacs", "Tensor", "count_macs", "find_roles", "tensors"]

IMAGE = (450, 600)
"""Height and width of the image that is counted: those of HAM10000 as published. Only preprocessing depends on it."""

_WEIGHT = {"Conv": 1, "ConvInteger": 1, "QLinearConv": 3, "ConvTranspose": 1}
"""Position of the kernel among the inputs."""
_PRODUCTS = {"MatMul": 1, "MatMulInteger": 1, "QLinearMatMul": 3, "Gemm": 1}
"""Position of the second factor among the inputs."""
_COUNTED = {*_WEIGHT, *_PRODUCTS, "Einsum"}
_UNCOUNTED = {
    "Attention",
    "DeformConv",
    "DFT",
    "GRU",
    "GroupQueryAttention",
    "If",
    "LSTM",
    "Loop",
    "MultiHeadAttention",
    "RNN",
    "STFT",
    "Scan",
}
"""Operators with multiply-accumulates that are not counted."""
_INDICES = {TensorProto.INT64, TensorProto.BOOL, TensorProto.STRING}
"""Types of shapes, axes and switches, which are a part of the graph's text and not weights."""


@dataclass(frozen=True)
class GraphMacs:
    """Multiply-accumulates of one image.

    Attributes:
        network: everything between pixels and probabilities or maps, mirrors and all members of an ensemble included.
        preprocessing: crop, resize and normalisation.
        ood: what only the OOD score needs.
        image: height and width that were counted.
        warnings: operators that could not be counted; then these are too few.
    """

    network: int
    preprocessing: int
    ood: int
    image: tuple[int, int]
    warnings: tuple[str, ...]

    @property
    def total(self) -> int:
        """Of the whole graph."""
        return self.network + self.preprocessing + self.ood


@dataclass(frozen=True)
class Tensor:
    """A constant tensor of the graph.

    Attributes:
        part: 'weights', 'ood', 'preprocessing' or 'graph' (axes and shapes).
        values: as stored.
        nbytes: of the values in the file.
    """

    part: str
    values: NDArray
    nbytes: int


def count_macs(model: onnx.ModelProto, metadata: BundleMetadata, image: tuple[int, int] = IMAGE) -> GraphMacs:
    """Count the multiply-accumulates of one image: products of convolutions, dense layers and matrices, as torch does.

    Args:
        model: a bundle's graph.
        metadata: the bundle's.
        image: height and width of the image.

    Raises:
        BundleError: the graph can't be run on such an image.
    """
    roles = find_roles(model.graph)
    counted = [node for node in model.graph.node if node.op_type in _COUNTED]
    shapes = _shapes(model, metadata, {name for node in counted for name in (*node.input, *node.output) if name}, image)
    sums = {"network": 0, "preprocessing": 0, "ood": 0, "constant": 0, "unused": 0}
    unknown = {node.op_type for node in model.graph.node if node.op_type in _UNCOUNTED}
    for node in counted:
        found = _macs(node, shapes)
        if found is None:
            unknown.add(node.op_type)
        else:
            sums[roles[node.output[0]]] += found
    warnings = tuple(f"{op}: its multiply-accumulates are not counted, so these are too few." for op in sorted(unknown))
    return GraphMacs(sums["network"], sums["preprocessing"], sums["ood"], image, warnings)


def tensors(model: onnx.ModelProto) -> list[Tensor]:
    """All constant tensors of a bundle's graph, in order, and the part of the bundle that each belongs to."""
    roles = find_roles(model.graph)
    users: dict[str, set[str]] = {}
    for node in reversed(_in_order(model.graph)):
        # What is made of constants alone, such as a dequantized weight, belongs to what uses it.
        role = {roles[node.output[0]]}
        role = role if role != {"constant"} else set().union(*(users.get(name, set()) for name in node.output))
        for name in node.input:
            users.setdefault(name, set()).update(role)
    constants = [(tensor.name, tensor) for tensor in model.graph.initializer]
    constants += [
        (node.output[0], attribute.t)
        for node in model.graph.node
        if node.op_type == "Constant"
        for attribute in node.attribute
        if attribute.HasField("t")
    ]
    return [_tensor(tensor, users.get(name, set())) for name, tensor in constants]


def _tensor(tensor: onnx.TensorProto, users: set[str]) -> Tensor:
    values = numpy_helper.to_array(tensor)
    nbytes = len(tensor.raw_data) or values.nbytes
    if tensor.data_type in _INDICES:
        part = "graph"
    elif "network" in users:
        part = "weights"
    else:
        part = next((role for role in ("preprocessing", "ood") if role in users), "graph")
    return Tensor(part, values, nbytes)


def find_roles(graph: onnx.GraphProto) -> dict[str, str]:
    """By name of a node's output: 'constant', 'preprocessing', 'network', 'ood' or 'unused'.

    Preprocessing is what comes before the first operator that multiplies with a constant kernel or matrix.
    """
    made_by = {name: node for node in graph.node for name in node.output}
    ood_names = {"ood_score", format_1.OUTPUTS["ood_score"]}
    # The embedding is an intermediate value that is given out: what only it needs is no part of a verdict.
    main = _ancestors([o.name for o in graph.output if o.name not in {*ood_names, EMBEDDING}], made_by)
    ood = _ancestors([o.name for o in graph.output if o.name in ood_names], made_by)
    inputs = {i.name for i in graph.input}
    constant = {i.name for i in graph.initializer} | {""}
    weighted: set[str] = set()
    roles: dict[str, str] = {}
    for node in _in_order(graph):
        fixed = [name in constant for name in node.input]
        if all(fixed) and not set(node.input) & inputs:
            constant.update(node.output)
            role = "constant"
        else:
            if _has_weights(node, fixed) or any(name in weighted for name in node.input):
                weighted.update(node.output)
            name = node.output[0]
            role = "ood" if name in ood else "unused"
            if name in main:
                role = "network" if name in weighted else "preprocessing"
        roles |= dict.fromkeys(node.output, role)
    return roles


def _in_order(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """The nodes, each after those that it needs: ONNX Runtime takes files in any order, and quantizers write such."""
    made_by = {name: i for i, node in enumerate(graph.node) for name in node.output if name}
    order = graphlib.TopologicalSorter(
        {i: {made_by[name] for name in node.input if name in made_by} for i, node in enumerate(graph.node)}
    ).static_order()
    return [graph.node[i] for i in order]


def _has_weights(node: onnx.NodeProto, fixed: list[bool]) -> bool:
    """Whether it multiplies with a constant, given which of its inputs are constant."""
    if node.op_type in _WEIGHT:
        return fixed[_WEIGHT[node.op_type]]
    if node.op_type in _PRODUCTS:
        return fixed[0] or fixed[_PRODUCTS[node.op_type]]
    return node.op_type == "Einsum" and any(fixed)


def _ancestors(outputs: Iterable[str], made_by: Mapping[str, onnx.NodeProto]) -> set[str]:
    """Names of all values that some outputs are computed from, themselves included."""
    found: set[str] = set()
    waiting = list(outputs)
    while waiting:
        name = waiting.pop()
        if name in made_by and name not in found:
            found.update(made_by[name].output)
            waiting.extend(made_by[name].input)
    return found


def _shapes(
    model: onnx.ModelProto, metadata: BundleMetadata, names: set[str], image: tuple[int, int]
) -> dict[str, tuple[int, ...]]:
    """The shapes of values by name, in a run on one image."""
    if not names:
        return {}
    asked = onnx.ModelProto()
    asked.CopyFrom(model)
    order = sorted(names)
    for i, name in enumerate(order):
        asked.graph.node.append(helper.make_node("Shape", [name], [f"shape/{i}"]))
        asked.graph.output.append(helper.make_tensor_value_info(f"shape/{i}", TensorProto.INT64, None))
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL  # else operators are fused
    feeds: dict[str, NDArray] = {"image": np.zeros((1, *image, 3), np.uint8)}
    for extra in metadata.inputs:
        feeds[extra.name] = np.full(1, extra.missing, np.float32 if extra.kind == "number" else np.int64)
    try:
        session = ort.InferenceSession(asked.SerializeToString(), options, providers=["CPUExecutionProvider"])
        found = session.run([f"shape/{i}" for i in range(len(order))], feeds)
    except Exception as error:  # ONNX Runtime's errors share no base class
        raise BundleError(
            f"The graph can't be run on an image of {image[1]}x{image[0]} pixels ({error}).", "Name another size."
        ) from None
    return {name: tuple(map(int, shape)) for name, shape in zip(order, found, strict=True)}


def _macs(node: onnx.NodeProto, shapes: Mapping[str, tuple[int, ...]]) -> int | None:
    """Multiply-accumulates of one operator; None where they are unknown."""
    out = math.prod(shapes[node.output[0]])
    first = shapes[node.input[0]]
    if node.op_type in _WEIGHT:
        kernel = shapes[node.input[_WEIGHT[node.op_type]]]
        return (math.prod(first) if node.op_type == "ConvTranspose" else out) * math.prod(kernel[1:])
    if node.op_type == "Gemm":
        transposed = any(a.name == "transA" and a.i for a in node.attribute)
        return out * first[0 if transposed else 1]
    if node.op_type in _PRODUCTS:
        return out * first[-1]
    (equation,) = (a.s.decode().replace(" ", "") for a in node.attribute if a.name == "equation")
    if "." in equation:
        return None
    sizes: dict[str, int] = {}
    for term, name in zip(equation.partition("->")[0].split(","), node.input, strict=True):
        sizes |= dict(zip(term, shapes[name], strict=True))
    return math.prod(sizes.values())
