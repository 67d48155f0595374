"""The graph of the preprocessing: what it costs."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from lentigo import models
from lentigo.compression.quantization.ranges import session
from lentigo.export.graph import build_graph
from lentigo.export.module import ExportModule, squares


@pytest.fixture(scope="module")
def graph():
    network = models.build("compressed_cnn", num_classes=7)
    return build_graph(ExportModule(network, (0.5,) * 3, (0.2,) * 3, np.zeros(7, np.float32)), 28)


def test_bytes_of_the_picture_are_cut_and_gathered_and_nothing_else(graph):
    """Each pass over all of them takes as long as a layer: none but the cut, the gathering and the change to floats."""
    known = {v.name: v.type.tensor_type.elem_type for v in onnx.shape_inference.infer_shapes(graph).graph.value_info}
    known["image"] = TensorProto.UINT8
    passes = [n.op_type for n in graph.graph.node if n.input and known.get(n.input[0]) == TensorProto.UINT8]
    assert sorted(passes) == ["Cast", "Gather", "Reshape", "Shape", "Slice"]  # Shape and Reshape move nothing


@pytest.mark.parametrize("shape", [(2, 40, 60), (1, 61, 33), (3, 28, 28), (1, 9, 14)])
def test_crop_and_resize_are_those_of_torch(graph, shape):
    """Upright, lying, square, and smaller than the network's input; each image of a batch alike."""
    images = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    (normalised,) = (n.input[0] for n in graph.graph.node if n.op_type == "Sub" and _is_mean(graph, n.input[1]))
    found = session(graph, [normalised]).run([normalised], {"image": images})[0]
    assert found == pytest.approx(squares(images, 28).numpy(), abs=1e-3)


def _is_mean(graph, name):
    return any(t.name == name and tuple(t.dims) == (1, 3, 1, 1) for t in graph.graph.initializer)
