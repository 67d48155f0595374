"""An ONNX graph of fixed shapes as a torch module, and that as a LiteRT file: what runs in the environment of its own.

python worker.py CORE.onnx SQUARES.npy OUT.tflite OUTPUTS.npz [--int8]

This file imports nothing of lentigo, which that environment doesn't have.
"""

import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["Graph", "UnknownOperatorError", "main"]

UNKNOWN = 3
"""Exit code for an operator that can't be converted; it is named on standard output."""
_END = 2**31
_FLOATS = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE}


class UnknownOperatorError(Exception):
    """An operator, or a form of it, that can't be converted."""


class Graph(nn.Module):
    """A graph's operators, one after the other, as torch's.

    Args:
        model: one input; shapes are fixed. Shapes and axes are constants.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        super().__init__()
        self._inputs = [i.name for i in model.graph.input]
        self._outputs = [o.name for o in model.graph.output]
        self._constants: dict[str, Any] = {"": None}
        self._nodes = []
        for i, tensor in enumerate(model.graph.initializer):
            values = numpy_helper.to_array(tensor)
            if values.dtype == np.int64:
                self._constants[tensor.name] = values.tolist()
            else:
                self.register_buffer(f"constant_{i}", torch.from_numpy(values.copy()))
                self._constants[tensor.name] = getattr(self, f"constant_{i}")
        for node in model.graph.node:
            if node.domain not in ("", "ai.onnx") or node.op_type not in OPERATORS:
                raise UnknownOperatorError(f"{node.domain or 'ONNX'} {node.op_type}")
            attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            self._nodes.append((node.op_type, list(node.input), list(node.output), attributes))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """The graph's outputs, in order."""
        values = self._constants | {self._inputs[0]: x}
        for kind, inputs, outputs, attributes in self._nodes:
            found = OPERATORS[kind](attributes, *(values[name] for name in inputs))
            values |= dict(zip(outputs, found if isinstance(found, tuple) else (found,), strict=False))
        return tuple(values[name] for name in self._outputs)


def _plain(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """An operator without attributes."""
    return lambda _, *values: function(*values)


def _slice(_: dict, x: Tensor, starts: list, ends: list, axes: list | None = None, steps: list | None = None) -> Tensor:
    for k, bounds in enumerate(zip(starts, ends, strict=True)):
        axis, step = axes[k] if axes else k, steps[k] if steps else 1
        start, end = (None if abs(place) >= _END else place for place in bounds)  # these mean: to the border
        places = range(*slice(start, end, step).indices(x.shape[axis]))
        low, high = (places[0], places[-1]) if step > 0 else (places[-1], places[0])
        part = x.narrow(axis, low, high - low + 1)
        part = part.flip(axis) if step < 0 else part
        every = [slice(None)] * x.ndim
        every[axis] = slice(None, None, abs(step))
        x = part if abs(step) == 1 else part[tuple(every)]
    return x


def _pads(attributes: dict, spatial: int) -> list[int]:
    if attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        raise UnknownOperatorError(f"automatic padding {attributes['auto_pad'].decode()}")
    return list(attributes.get("pads", [0] * 2 * spatial))


def _padded(x: Tensor, pads: list[int], value: float = 0.0) -> Tensor:
    if not any(pads):
        return x
    half = len(pads) // 2
    order = [pads[side * half + axis] for axis in reversed(range(half)) for side in (0, 1)]
    return F.pad(x, order, value=value)


def _conv(attributes: dict, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    if weight.ndim != 4:
        raise UnknownOperatorError(f"a convolution of {weight.ndim - 2} dimensions")
    pads = _pads(attributes, 2)
    even = pads[:2] == pads[2:]
    x = x if even else _padded(x, pads)
    return F.conv2d(
        x,
        weight,
        bias,
        stride=tuple(attributes.get("strides", (1, 1))),
        padding=tuple(pads[:2]) if even else (0, 0),
        dilation=tuple(attributes.get("dilations", (1, 1))),
        groups=attributes.get("group", 1),
    )


def _average_pool(attributes: dict, x: Tensor) -> Tensor:
    pads = _pads(attributes, 2)
    counted = bool(attributes.get("count_include_pad", 0))
    if pads[:2] != pads[2:]:
        if not counted:
            raise UnknownOperatorError("an average over uneven padding")
        x, pads = _padded(x, pads), [0] * 4
    kernel = tuple(attributes["kernel_shape"])
    stride = tuple(attributes.get("strides", (1, 1)))
    return F.avg_pool2d(x, kernel, stride, tuple(pads[:2]), bool(attributes.get("ceil_mode", 0)), counted)


def _max_pool(attributes: dict, x: Tensor) -> Tensor:
    pads = _pads(attributes, 2)
    x, pads = (x, pads) if pads[:2] == pads[2:] else (_padded(x, pads, -float("inf")), [0] * 4)
    return F.max_pool2d(
        x,
        tuple(attributes["kernel_shape"]),
        tuple(attributes.get("strides", (1, 1))),
        tuple(pads[:2]),
        tuple(attributes.get("dilations", (1, 1))),
        bool(attributes.get("ceil_mode", 0)),
    )


def _gemm(attributes: dict, a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
    a = a.T if attributes.get("transA", 0) else a
    b = b.T if attributes.get("transB", 0) else b
    product = attributes.get("alpha", 1.0) * (a @ b) if attributes.get("alpha", 1.0) != 1.0 else a @ b
    return product if c is None else product + attributes.get("beta", 1.0) * c


def _reduce(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def reduced(attributes: dict, x: Tensor, axes: list | None = None) -> Tensor:
        axes = attributes.get("axes", axes) or list(range(x.ndim))
        return function(x, dim=tuple(axes), keepdim=bool(attributes.get("keepdims", 1)))

    return reduced


def _reshape(attributes: dict, x: Tensor, shape: list) -> Tensor:
    copied = not attributes.get("allowzero", 0)
    return x.reshape([x.shape[k] if copied and n == 0 else n for k, n in enumerate(shape)])


def _flatten(attributes: dict, x: Tensor) -> Tensor:
    """Two dimensions, cut at an axis."""
    return x.reshape(math.prod(x.shape[: attributes.get("axis", 1)]), -1)


def _unsqueeze(attributes: dict, x: Tensor, axes: list | None = None) -> Tensor:
    for axis in sorted(attributes.get("axes", axes) or []):
        x = x.unsqueeze(axis)
    return x


def _squeeze(attributes: dict, x: Tensor, axes: list | None = None) -> Tensor:
    axes = attributes.get("axes", axes)
    return x.squeeze() if axes is None else x.squeeze(tuple(axes))


def _split(attributes: dict, x: Tensor, sizes: list | None = None) -> tuple[Tensor, ...]:
    axis, parts = attributes.get("axis", 0), attributes.get("num_outputs")
    return x.split(sizes or attributes.get("split") or -(-x.shape[axis] // parts), dim=axis)


def _cast(attributes: dict, x: Tensor) -> Tensor:
    if attributes["to"] not in _FLOATS:
        raise UnknownOperatorError("a cast to whole numbers")
    return x.float()


def _dequantized(attributes: dict, x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
    shape = [1] * x.ndim
    if scale.ndim:
        shape[attributes.get("axis", 1)] = -1
    offset = 0 if zero is None else zero.float().reshape(shape)
    return (x.float() - offset) * scale.float().reshape(shape)


def _gather(attributes: dict, x: Tensor, indices: Any) -> Tensor:
    if isinstance(indices, int):
        return x.select(attributes.get("axis", 0), indices)
    places = torch.tensor(indices) if isinstance(indices, list) else indices.long()
    return x.index_select(attributes.get("axis", 0), places.flatten()).reshape(
        *x.shape[: attributes.get("axis", 0)], *places.shape, *x.shape[attributes.get("axis", 0) + 1 :]
    )


def _layer_norm(attributes: dict, x: Tensor, scale: Tensor, bias: Tensor | None = None) -> Tensor:
    axis = attributes.get("axis", -1)
    return F.layer_norm(x, x.shape[axis:], scale, bias, attributes.get("epsilon", 1e-5))


def _batch_norm(attributes: dict, x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    return F.batch_norm(x, mean, variance, scale, bias, False, 0.0, attributes.get("epsilon", 1e-5))


def _folded(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    def of_all(_: dict, *values: Tensor) -> Tensor:
        found = values[0]
        for value in values[1:]:
            found = function(found, value)
        return found

    return of_all


OPERATORS: dict[str, Callable[..., Any]] = {
    "Abs": _plain(torch.abs),
    "Add": _plain(torch.add),
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_norm,
    "Cast": _cast,
    "Clip": lambda _, x, low=None, high=None: x.clamp(low, high),
    "Concat": lambda a, *values: torch.cat(values, a["axis"]),
    "Conv": _conv,
    "DequantizeLinear": _dequantized,
    "Div": _plain(torch.div),
    "Dropout": lambda _, x, *more: x,
    "Einsum": lambda a, *values: torch.einsum(a["equation"].decode(), *values),
    "Erf": _plain(torch.erf),
    "Exp": _plain(torch.exp),
    "Flatten": _flatten,
    "Gather": _gather,
    "Gelu": lambda a, x: F.gelu(x, approximate=a.get("approximate", b"none").decode()),
    "Gemm": _gemm,
    "GlobalAveragePool": lambda _, x: x.mean((2, 3), keepdim=True),
    "HardSigmoid": lambda a, x: (a.get("alpha", 0.2) * x + a.get("beta", 0.5)).clamp(0, 1),
    "HardSwish": _plain(F.hardswish),
    "Identity": lambda _, x: x,
    "LayerNormalization": _layer_norm,
    "LeakyRelu": lambda a, x: F.leaky_relu(x, a.get("alpha", 0.01)),
    "Log": _plain(torch.log),
    "MatMul": _plain(torch.matmul),
    "Max": _folded(torch.maximum),
    "MaxPool": _max_pool,
    "Min": _folded(torch.minimum),
    "Mul": _plain(torch.mul),
    "Neg": _plain(torch.neg),
    "Pow": _plain(torch.pow),
    "ReduceMax": _reduce(torch.amax),
    "ReduceMean": _reduce(torch.mean),
    "ReduceMin": _reduce(torch.amin),
    "ReduceSum": _reduce(torch.sum),
    "Relu": _plain(torch.relu),
    "Reshape": _reshape,
    "Sigmoid": _plain(torch.sigmoid),
    "Slice": _slice,
    "Softmax": lambda a, x: x.softmax(a.get("axis", -1)),
    "Split": _split,
    "Sqrt": _plain(torch.sqrt),
    "Squeeze": _squeeze,
    "Sub": _plain(torch.sub),
    "Tanh": _plain(torch.tanh),
    "Transpose": lambda a, x: x.permute(a["perm"]),
    "Unsqueeze": _unsqueeze,
}
"""Each ONNX operator in torch: attributes and inputs to its output, or outputs."""


class _ChannelsLast(nn.Module):
    """The graph with its input as images have it, [1, S, S, 3]."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.network = graph  # not 'graph', which torch.export's modules have of their own

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        return self.network(image.permute(0, 3, 1, 2))


def main(core: str, squares: str, out: str, outputs: str, int8: bool) -> int:
    """Convert a graph, and run the file on some squares float32 [N, S, S, 3]; returns the exit code."""
    import litert_torch
    from ai_edge_litert.interpreter import Interpreter

    try:
        network = _ChannelsLast(Graph(onnx.load(core)).eval()).eval()
    except UnknownOperatorError as unknown:
        print(unknown)
        return UNKNOWN
    images = np.load(squares)
    try:
        litert_torch.convert(network, (torch.from_numpy(images[:1]),)).export(out)
    except UnknownOperatorError as unknown:
        print(unknown)
        return UNKNOWN
    if int8:
        from ai_edge_quantizer import quantizer
        from ai_edge_quantizer.qtyping import TFLOperationName

        small = quantizer.Quantizer(out)
        # Not products of matrices: maps and OOD score stay exact.
        for kind in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
            small.add_dynamic_config(".*", TFLOperationName[kind], num_bits=8)
        small.quantize().export_model(out, overwrite=True)
    run = Interpreter(model_path=out).get_signature_runner()
    (name,) = run.get_input_details()
    found = [run(**{name: image[None]}) for image in images]
    arrays: dict[str, Any] = {key: np.concatenate([np.atleast_1d(f[key]) for f in found]) for key in found[0]}
    np.savez(outputs, **arrays)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], int8="--int8" in sys.argv[5:]))
