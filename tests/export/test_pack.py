"""Small graphs that compute the same, and that versions of ONNX Runtime before ours open too."""

import numpy as np
import onnx
import onnx.reference
from onnx import helper, numpy_helper

from lentigo.export.pack import pack


def _graph(directions):
    """A graph that multiplies `x` [N, D] by the OOD detector's directions [D, R]."""
    node = helper.make_node("MatMul", ["x", "ood.features.directions"], ["y"])
    ends = [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, None) for n in ("x", "y")]
    table = numpy_helper.from_array(directions.astype(np.float32), "ood.features.directions")
    return helper.make_model(helper.make_graph([node], "g", [ends[0]], [ends[1]], [table]))


def test_tables_of_255_steps_take_8_bits_and_stay_the_same():
    rng = np.random.default_rng(0)
    step = rng.uniform(0.001, 0.01, 5).astype(np.float32)
    steps = rng.integers(-127, 128, (9, 5))
    steps[0] = 127
    packed = pack(_graph(steps * step))
    kept = {len(t.dims): numpy_helper.to_array(t) for t in packed.graph.initializer}
    assert kept[2].dtype == np.int8
    assert np.array_equal(kept[2], steps)
    x = rng.normal(size=(3, 9)).astype(np.float32)
    (y,) = onnx.reference.ReferenceEvaluator(packed).run(None, {"x": x})
    np.testing.assert_allclose(y, x @ (steps * step).astype(np.float32), rtol=1e-5)


def test_tables_of_other_values_stay_as_they_are():
    table = np.random.default_rng(0).normal(size=(9, 5)).astype(np.float32)
    (kept,) = pack(_graph(table)).graph.initializer
    assert np.array_equal(numpy_helper.to_array(kept), table)


def test_no_node_that_older_runtimes_refuse(bundle_path):
    """A DequantizeLinear without a zero point, in 8 bits, is not opened by ONNX Runtime 1.20 to 1.26."""
    graph = onnx.load(bundle_path).graph
    assert [t.name for t in graph.initializer if t.data_type == onnx.TensorProto.INT8]
    assert "DequantizeLinear" not in {node.op_type for node in graph.node}
