"""Where a graph has cropped and resized is found by what it computes, however it is written."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from lentigo.errors import BundleError
from lentigo.page.onnx_file import read_graph
from lentigo.page.onnx_part import part
from lentigo.page.preprocessing import find_square
from lentigo.runtime import Bundle, shipped_models
from lentigo.runtime.bundle import read_model

SIZE = 24


def model(*nodes: onnx.NodeProto, **constants: np.ndarray) -> bytes:
    """A graph with one convolution after its preprocessing, which ends in `pixels`."""
    network = [
        helper.make_node("Div", ["pixels", "full"], ["scaled"]),
        helper.make_node("Conv", ["scaled", "filters"], ["features"]),
        helper.make_node("ReduceMean", ["features", "planes"], ["probabilities"], keepdims=0),
        helper.make_node("ReduceMax", ["features", "planes"], ["embedding"], keepdims=0),
        helper.make_node("Constant", [], ["full"], value=numpy_helper.from_array(np.float32(255), "")),
    ]
    rng = np.random.default_rng(0)
    values = {"filters": rng.normal(size=(4, 3, 3, 3)).astype(np.float32), "planes": np.array([2, 3]), **constants}
    graph = helper.make_graph(
        [network[-1], *nodes, *network[:-1]],
        "any",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", "H", "W", 3])],
        [helper.make_empty_tensor_value_info(name) for name in ("probabilities", "embedding")],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9).SerializeToString()


def cropped_then_measured() -> bytes:
    """Another order: the crop is cut out first, its size is read from it, channels come first at last."""
    n = helper.make_node
    return model(
        n("Shape", ["image"], ["extent"], start=1, end=3),
        n("ReduceMin", ["extent"], ["side"], keepdims=1),
        n("Sub", ["extent", "side"], ["margin"]),
        n("Div", ["margin", "two"], ["start"]),
        n("Add", ["start", "side"], ["end"]),
        n("Slice", ["image", "start", "end", "axes"], ["cut"]),
        n("Cast", ["cut"], ["real"], to=TensorProto.FLOAT),
        n("Shape", ["real"], ["count"], start=1, end=2),
        n("Squeeze", ["count"], ["scalar"]),
        n("Cast", ["scalar"], ["side_f"], to=TensorProto.FLOAT),
        n("Div", ["side_f", "size"], ["scale"]),
        n("Max", ["scale", "one"], ["support"]),
        n("Mul", ["steps", "scale"], ["centres"]),
        n("Range", ["zero", "side_f", "one"], ["columns"]),
        n("Add", ["columns", "half"], ["source"]),
        n("Sub", ["source", "centres"], ["offset"]),
        n("Abs", ["offset"], ["distance"]),
        n("Div", ["distance", "support"], ["relative"]),
        n("Sub", ["one", "relative"], ["height"]),
        n("Relu", ["height"], ["triangle"]),
        n("ReduceSum", ["triangle", "last"], ["total"], keepdims=1),
        n("Div", ["triangle", "total"], ["weights"]),
        n("Einsum", ["real", "weights", "weights"], ["pixels"], equation="nhwc,yh,xw->ncyx"),
        two=np.array([2]),
        axes=np.array([1, 2]),
        last=np.array([1]),
        size=np.float32(SIZE),
        one=np.float32(1),
        zero=np.float32(0),
        half=np.float32(0.5),
        steps=np.arange(SIZE, dtype=np.float32)[:, None] + 0.5,
    )


def stretched() -> bytes:
    """The whole image instead of its central square."""
    n = helper.make_node
    return model(
        n("Cast", ["image"], ["real"], to=TensorProto.FLOAT),
        n("Transpose", ["real"], ["first"], perm=[0, 3, 1, 2]),
        n("Resize", ["first", "", "", "sizes"], ["pixels"], mode="linear", antialias=1),
        sizes=np.array([1, 3, SIZE, SIZE]),
    )


def test_it_is_found_however_it_is_written():
    content = cropped_then_measured()
    graph = read_graph(content)
    assert find_square(content, graph, ["probabilities"], SIZE) == "pixels"
    assert find_square(content, graph, ["probabilities", "embedding"], SIZE) == "pixels"


def test_other_preprocessing_is_refused():
    content = stretched()
    with pytest.raises(BundleError, match="not the crop and resize"):
        find_square(content, read_graph(content), ["probabilities"], SIZE)


def test_outputs_without_an_image_are_refused():
    content = cropped_then_measured()
    with pytest.raises(BundleError, match="don't depend on an image"):
        find_square(content, read_graph(content), ["filters"], SIZE)


def test_a_part_computes_what_the_whole_does():
    bundle = Bundle(shipped_models()["lentigo-s"], threads=1)
    content = read_model(bundle.path)
    graph, size = read_graph(content), bundle.size
    square = find_square(content, graph, graph.outputs, size)
    before = part(content, graph, [square], "image")
    after = part(content, graph, graph.outputs, square, (1, 3, size, size))
    onnx.checker.check_model(onnx.load_from_string(after))
    assert len(before) < 40_000 < len(after) < len(content)
    image = np.random.default_rng(1).integers(0, 256, (1, 150, 130, 3), dtype=np.uint8)
    run = lambda model, feed: onnxruntime.InferenceSession(model).run(None, feed)  # noqa: E731
    (pixels,) = run(before, {"image": image})
    for found, expected in zip(run(after, {square: pixels}), run(content, {"image": image}), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_constants_that_are_nodes_stay():
    content = cropped_then_measured()
    graph = read_graph(content)
    after = part(content, graph, ["probabilities"], "pixels", (1, 3, SIZE, SIZE))
    (found,) = onnxruntime.InferenceSession(after).run(None, {"pixels": np.zeros((1, 3, SIZE, SIZE), np.float32)})
    assert found.shape == (1, 4)
    assert [o.name for o in onnx.load_from_string(after).graph.output] == ["probabilities"]
