"""Cut a bundle's graph behind its crop and resize, with a fixed size and one image, for converters that need both."""

import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from lentigo.errors import BundleError
from lentigo.evaluation.cost.graph import find_roles
from lentigo.runtime import Outputs
from lentigo.runtime.metadata import BundleMetadata

__all__ = ["SQUARE", "core_of"]

SQUARE = "square"
"""Input of the core: float32 [1, 3, S, S], RGB, values 0 to 255."""


def core_of(model: onnx.ModelProto, metadata: BundleMetadata) -> onnx.ModelProto:
    """What a bundle computes from one square image that has been cropped and resized.

    Optional inputs are taken as missing. Shapes are fixed and what is constant is computed, so that only plain
    operators remain.

    Args:
        model: the bundle's graph.
        metadata: the bundle's.

    Raises:
        BundleError: a graph without lentigo's preprocessing.
    """
    roles = find_roles(model.graph)
    resizes = [n for n in model.graph.node if n.op_type == "MatMul" and roles[n.output[0]] == "preprocessing"]
    if not resizes:
        raise BundleError("The graph has no resize that it could be cut behind.", "Export it again with this lentigo.")
    cut = _moved(model.graph, resizes[-1].output[0])
    graph = onnx.GraphProto(name="core")
    outputs = [o.name for o in model.graph.output if o.name in Outputs._fields]
    graph.node.extend(_needed(model.graph, outputs, cut))
    used = {name for node in graph.node for name in node.input}
    graph.initializer.extend(i for i in model.graph.initializer if i.name in used)
    for extra in metadata.inputs:
        missing = np.full(1, extra.missing, np.float32 if extra.kind == "number" else np.int64)
        graph.initializer.append(numpy_helper.from_array(missing, extra.name))
    for node in graph.node:
        node.input[:] = [SQUARE if name == cut else name for name in node.input]
    graph.input.append(helper.make_tensor_value_info(SQUARE, TensorProto.FLOAT, [1, 3, metadata.size, metadata.size]))
    graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs)
    core = helper.make_model(graph, opset_imports=list(model.opset_import), ir_version=model.ir_version)
    return _simplified(core)


def _moved(graph: onnx.GraphProto, name: str) -> str:
    """The same values where they have their last shape and order."""
    users = [node for node in graph.node if name in node.input]
    if len(users) == 1 and users[0].op_type in ("Reshape", "Transpose"):
        return _moved(graph, users[0].output[0])
    return name


def _needed(graph: onnx.GraphProto, outputs: list[str], cut: str) -> list[onnx.NodeProto]:
    """The nodes between a value and the outputs, in order."""
    made_by = {name: i for i, node in enumerate(graph.node) for name in node.output}
    found: set[int] = set()
    waiting = list(outputs)
    while waiting:
        name = waiting.pop()
        if name != cut and name in made_by and made_by[name] not in found:
            found.add(made_by[name])
            waiting.extend(graph.node[made_by[name]].input)
    return [graph.node[i] for i in sorted(found)]


def _simplified(core: onnx.ModelProto) -> onnx.ModelProto:
    """With constants computed, by ONNX Runtime's basic optimizations, which keep to standard operators."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "core.onnx"
        options.optimized_model_filepath = str(path)
        try:
            ort.InferenceSession(core.SerializeToString(), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's errors share no base class
            raise BundleError(f"The graph can't be cut behind its resize ({error}).", "Export it again.") from None
        return onnx.load(path)
