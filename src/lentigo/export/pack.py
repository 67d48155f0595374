"""Make a graph small: short names, no notes of the exporter, and the OOD detector's tables in the bits they have."""

import numpy as np
import onnx
import onnx.inliner
from onnx import TensorProto, helper, numpy_helper

__all__ = ["TEMPERATURE", "pack"]

TEMPERATURE = "temperature"
"""Name of the initializer that the logits are divided by; it is set once the file has been run."""

_DIRECTIONS, _MEANS = "ood.features.directions", "ood.features.means"
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def pack(model: onnx.ModelProto) -> onnx.ModelProto:
    """Shrink a model without a change of what it computes; inputs and outputs keep their names."""
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    graph = model.graph
    del model.metadata_props[:], graph.metadata_props[:], graph.value_info[:]
    for item in (*graph.node, *graph.input, *graph.output, *graph.initializer):
        item.doc_string = ""
        if hasattr(item, "metadata_props"):
            del item.metadata_props[:]
    opset = max(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))
    del model.opset_import[:]
    model.opset_import.append(helper.make_opsetid("", opset))
    for tensor in list(graph.initializer):
        if tensor.name == _DIRECTIONS and max(tensor.dims) > min(tensor.dims):
            _as_8_bits(graph, tensor)
        if tensor.name == _MEANS:
            _as_16_bits(graph, tensor)
    _shorten(graph)
    return model


def _as_8_bits(graph: onnx.GraphProto, tensor: onnx.TensorProto) -> None:
    """Columns that were rounded to 255 steps, as steps and their size."""
    values = numpy_helper.to_array(tensor)
    step = (np.abs(values).max(axis=0) / 127).astype(np.float32)
    steps = np.round(values / step)
    if np.abs(steps * step - values).max() > 1e-6 * np.abs(values).max():
        return  # not rounded: a detector that is small anyway
    name = tensor.name
    tensor.CopyFrom(numpy_helper.from_array(steps.astype(np.int8), f"{name}/8"))
    graph.initializer.append(numpy_helper.from_array(step, f"{name}/step"))
    # A DequantizeLinear node would say it in one: ONNX Runtime before 1.28 doesn't open files with one like this.
    cast = helper.make_node("Cast", [f"{name}/8"], [f"{name}/whole"], to=TensorProto.FLOAT)
    graph.node.insert(0, helper.make_node("Mul", [f"{name}/whole", f"{name}/step"], [name]))
    graph.node.insert(0, cast)


def _as_16_bits(graph: onnx.GraphProto, tensor: onnx.TensorProto) -> None:
    """Values that were rounded to 16 bits."""
    values = numpy_helper.to_array(tensor)
    if not np.array_equal(values.astype(np.float16).astype(np.float32), values):
        return
    name = tensor.name
    tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}/16"))
    graph.node.insert(0, helper.make_node("Cast", [f"{name}/16"], [name], to=TensorProto.FLOAT))


def _shorten(graph: onnx.GraphProto) -> None:
    """One to three characters for each value and node that nobody outside of the graph asks for."""
    if any(attribute.HasField("g") for node in graph.node for attribute in node.attribute):
        return  # a branch's names reach out of it
    short = {name: name for name in ("", TEMPERATURE, *(i.name for i in graph.input), *(o.name for o in graph.output))}

    def of(name: str) -> str:
        if name not in short:
            short[name] = _base_36(len(short))
        return short[name]

    for tensor in graph.initializer:
        tensor.name = of(tensor.name)
    for count, node in enumerate(graph.node):
        inputs, outputs = [of(i) for i in node.input], [of(o) for o in node.output]
        del node.input[:], node.output[:]
        node.input.extend(inputs)
        node.output.extend(outputs)
        node.name = _base_36(count)


def _base_36(number: int) -> str:
    text = ""
    while True:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
        if not number:
            return text
