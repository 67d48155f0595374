"""The bundle's graph: raw pixels to probabilities, maps and OOD score, with all preprocessing inside.

The antialiased bilinear resize is written as two matrix products with triangle-filter weights,

    A[i, j] = max(0, 1 - |(j + 1/2) - (i + 1/2) s| / max(s, 1)),  rows scaled to sum 1,  s = side / size,

which is what Pillow and torch compute, built from operators that every ONNX runtime has. ONNX's own
Resize(antialias=1) is not used: in ONNX Runtime it differs from both by up to 7 grey levels along the border.
"""

from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.compose import merge_models

from lentigo.export.module import ExportModule
from lentigo.export.pack import TEMPERATURE, pack

__all__ = ["build_graph", "set_temperature"]

OPSET = 18
"""Old enough for browsers and phones of the last years, new enough for ReduceSum with axes as input."""


def build_graph(module: ExportModule, size: int) -> onnx.ModelProto:
    """Join the preprocessing and the network into one checked model."""
    core = torch.onnx.export(
        module.eval(),
        (torch.zeros(2, 3, size, size),),
        input_names=["square"],
        output_names=module.output_names,
        dynamic_shapes=({0: torch.export.Dim("N")},),
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
    )
    assert core is not None
    network = core.model_proto
    before = _preprocessing(size, network.ir_version)
    model = merge_models(before, network, io_map=[("pre/pixels", "square")])
    model.graph.name = "lentigo"
    model.producer_name = "lentigo"
    model = pack(model)
    onnx.checker.check_model(model, full_check=True)
    return model


def set_temperature(model: onnx.ModelProto, temperature: float) -> None:
    """Divide the logits by another temperature."""
    (tensor,) = (i for i in model.graph.initializer if i.name == TEMPERATURE)
    (_,) = (node for node in model.graph.node if TEMPERATURE in node.input)  # else something else would change too
    tensor.CopyFrom(numpy_helper.from_array(np.array(temperature, np.float32), TEMPERATURE))


def _preprocessing(size: int, ir_version: int) -> onnx.ModelProto:
    """`image` uint8 [N, H, W, 3] to `pixels` float32 [N, 3, size, size], values 0 to 255."""
    nodes: list[onnx.NodeProto] = []
    constants: list[onnx.TensorProto] = []

    def constant(name: str, value: NDArray | float) -> str:
        value = np.asarray(value, np.float32) if isinstance(value, float) else value
        constants.append(numpy_helper.from_array(value, f"pre/{name}"))
        return f"pre/{name}"

    def node(op: str, inputs: list[str], output: str, **attributes: Any) -> str:
        output = f"pre/{output}"
        nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    two = constant("two", np.array([2], np.int64))
    zero, one = constant("zero_f", 0.0), constant("one_f", 1.0)
    half = constant("half_f", 0.5)

    # The central square.
    extent = node("Shape", ["image"], "extent", start=1, end=3)
    side = node("ReduceMin", [extent], "side", keepdims=1)
    start = node("Div", [node("Sub", [extent, side], "margin"), two], "start")
    square = node(
        "Slice",
        ["image", start, node("Add", [start, side], "end"), constant("axes", np.array([1, 2], np.int64))],
        "cut",
    )
    channels_first = node("Transpose", [square], "channels_first", perm=[0, 3, 1, 2])
    x = node("Cast", [channels_first], "real", to=TensorProto.FLOAT)

    # The triangle filter's weights [size, side], for whatever side the image has.
    side_f = node("Cast", [node("Squeeze", [side], "side_scalar")], "side_f", to=TensorProto.FLOAT)
    scale = node("Div", [side_f, constant("size_f", float(size))], "scale")
    support = node("Max", [scale, one], "support")
    centres = node("Mul", [constant("steps", np.arange(size, dtype=np.float32)[:, None] + 0.5), scale], "centres")
    source = node("Add", [node("Range", [zero, side_f, one], "columns"), half], "source")
    distance = node("Abs", [node("Sub", [source, centres], "offset")], "distance")
    triangle = node("Relu", [node("Sub", [one, node("Div", [distance, support], "relative")], "height")], "triangle")
    total = node("ReduceSum", [triangle, constant("last_axis", np.array([1], np.int64))], "total", keepdims=1)
    weights = node("Div", [triangle, total], "weights")
    rows = node("MatMul", [weights, x], "rows")
    node("MatMul", [rows, node("Transpose", [weights], "weights_t", perm=[1, 0])], "pixels")

    graph = helper.make_graph(
        nodes,
        "preprocessing",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", "H", "W", 3])],
        [helper.make_tensor_value_info("pre/pixels", TensorProto.FLOAT, ["N", 3, size, size])],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=ir_version)
