"""Weights as places in a table of few values."""

import zlib

import numpy as np
import onnx
from onnx import numpy_helper

from lentigo import compression
from lentigo.compression.quantization.graph import find_layers, load_graph, tensors_of
from lentigo.compression.quantization.precisions import to_clusters


def weights_of(model, layers):
    """What the nodes give, by numpy."""
    values = tensors_of(model)
    made = {output: node for node in model.graph.node for output in node.output}
    found = []
    for node in (n for n in model.graph.node if n.op_type == "Conv"):
        relative, unit = made[node.input[1]].input
        table, at = made[relative].input
        found.append((values[table][values[made[at].input[0]]], values[unit]))
    return found


def test_each_layer_has_few_values_and_the_file_is_smaller(parent, synthetic_records, tmp_path):
    bundle = compression.cluster(parent, synthetic_records, tmp_path / "c.onnx", clusters=200, name="small")
    assert (bundle.name, bundle.metadata.precision) == ("small", "int8")
    assert bundle.metadata.compression[-1]["clusters"] == 200
    assert bundle.path.stat().st_size < 0.35 * parent.path.stat().st_size
    model, layers = load_graph(parent), find_layers(load_graph(parent))
    exact = tensors_of(model)
    for layer, (relative, unit) in zip(layers, weights_of(onnx.load(bundle.path), layers), strict=True):
        assert len(np.unique(relative)) <= 200
        assert np.abs(relative * unit - exact[layer.weight]).max() < 0.1 * np.abs(exact[layer.weight]).max()


def test_fewer_values_pack_smaller(parent):
    model = load_graph(parent)
    sizes = [len(zlib.compress(to_clusters(model, find_layers(model), k).SerializeToString(), 9)) for k in (8, 32, 128)]
    assert sizes == sorted(sizes)
    assert sizes[0] < 0.7 * sizes[2]


def test_zeros_of_pruning_stay_zeros(parent):
    model = load_graph(parent)
    layers = find_layers(model)
    for tensor in model.graph.initializer:
        if tensor.name in {layer.weight for layer in layers}:
            values = numpy_helper.to_array(tensor).copy()
            values[np.abs(values) < np.quantile(np.abs(values), 0.8)] = 0
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    exact = tensors_of(model)
    for layer, (relative, _) in zip(layers, weights_of(to_clusters(model, layers, 16), layers), strict=True):
        assert np.array_equal(relative == 0, exact[layer.weight] == 0)
        assert len(np.unique(relative)) <= 16
