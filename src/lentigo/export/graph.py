"""The bundle's graph: raw pixels to probabilities, maps and OOD score, with all preprocessing inside.

The antialiased bilinear resize is written as products with triangle-filter weights,

    A[i, j] = max(0, 1 - |(j + 1/2) - (i + 1/2) s| / max(s, 1)),  rows scaled to sum 1,  s = side / size,

which is what Pillow and torch compute, built from operators that every ONNX runtime has. ONNX's own
Resize(antialias=1) is not used: in ONNX Runtime it differs from both by up to 7 grey levels along the border.

A row of A is zero but for about 2 s places. So rows and then columns are gathered in windows, each wide enough for
`BLOCK` neighbouring rows of the result, and multiplied by the weights of the window: a small part of the products of
two whole matrices. Both times the picture is one matrix, whose other axis holds all else, colours as they are stored:
its bytes are never put into another order, and the small result only by transposing matrices.
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

BLOCK = 4
"""Rows of the result that share a window: more read each pixel less often, and multiply more zeros."""
OPSET = 18
"""Old enough for browsers and phones of the last years, new enough for ReduceSum with axes as input."""


def build_graph(module: ExportModule, size: int) -> onnx.ModelProto:
    """Join the preprocessing and the network into one checked model."""
    with torch.no_grad():  # the same graph, traced faster
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

    def shaped(value: str, output: str, *extent: int) -> str:
        return node("Reshape", [value, constant(f"{output}_shape", np.array(extent, np.int64))], output)

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
    lines = shaped(square, "lines", 0, 0, -1)

    # Windows of the triangle filter: `count` of them, each for `block` rows of the result, for whatever side there is.
    block = next(b for b in range(BLOCK, 0, -1) if size % b == 0)
    count = size // block
    side_f = node("Cast", [side], "side_f", to=TensorProto.FLOAT)
    scale = node("Div", [side_f, constant("size_f", float(size))], "scale")
    support = node("Max", [scale, one], "support")
    steps = (np.arange(size, dtype=np.float32) + 0.5).reshape(count, block, 1)
    centres = node("Mul", [constant("steps", steps), scale], "centres")
    from_first = node(
        "Sub", [node("Mul", [constant("first_steps", steps[:, 0]), scale], "first_centres"), support], "from"
    )
    first = node("Ceil", [node("Sub", [from_first, half], "from_place")], "first")
    reach = node("Mul", [scale, constant("between", float(block - 1))], "reach")
    span = node("Add", [node("Add", [support, support], "diameter"), reach], "span")
    width = node("Squeeze", [node("Ceil", [span], "width")], "width_scalar")
    places = node("Add", [first, node("Range", [zero, width, one], "offsets")], "places")
    last = node("Sub", [side_f, one], "last")
    inside = node("Min", [node("Max", [places, zero], "not_before"), last], "inside")
    window = node("Cast", [inside], "window", to=TensorProto.INT64)

    # Its weights [count, block, width]; places outside of the image have none.
    middle = constant("middle_axis", np.array([1], np.int64))
    source = node("Add", [node("Unsqueeze", [places, middle], "each"), half], "source")
    distance = node("Abs", [node("Sub", [source, centres], "offset")], "distance")
    triangle = node("Relu", [node("Sub", [one, node("Div", [distance, support], "relative")], "height")], "triangle")
    exists = node("Cast", [node("Equal", [places, inside], "is_inside")], "exists", to=TensorProto.FLOAT)
    heights = node("Mul", [triangle, node("Unsqueeze", [exists, middle], "exists_each")], "heights")
    total = node("ReduceSum", [heights, constant("last_axis", np.array([2], np.int64))], "total", keepdims=1)
    weights = node("Div", [heights, total], "weights")

    # Rows [N, size, side * 3], then columns as rows [N, size, 3 * size]. Pixels stay bytes until they are gathered.
    pixels = node("Cast", [node("Gather", [lines, window], "row_windows", axis=1)], "real", to=TensorProto.FLOAT)
    rows = shaped(node("MatMul", [weights, pixels], "rows_of_blocks"), "rows", 0, size, -1)
    by_column = shaped(node("Transpose", [rows], "turned", perm=[0, 2, 1]), "by_column", 0, -1, 3 * size)
    around = node("Gather", [by_column, window], "column_windows", axis=1)
    columns = shaped(node("MatMul", [weights, around], "columns_of_blocks"), "columns", 0, size, 3 * size)
    shaped(node("Transpose", [columns], "upright", perm=[0, 2, 1]), "pixels", 0, 3, size, size)

    graph = helper.make_graph(
        nodes,
        "preprocessing",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", "H", "W", 3])],
        [helper.make_tensor_value_info("pre/pixels", TensorProto.FLOAT, ["N", 3, size, size])],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=ir_version)
