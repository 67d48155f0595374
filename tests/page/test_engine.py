"""The engine's operators, one by one, against ONNX Runtime; and what it lacks is refused by name."""

import base64
import re
from importlib.resources import files

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from lentigo.errors import BundleError
from lentigo.page.engine import for_own_engine, operators
from lentigo.page.onnx_file import Node, read_graph
from lentigo.page.packing import packed
from lentigo.page.preprocessing import find_square
from lentigo.page.script import join_modules
from lentigo.runtime import shipped_models

SHIPPED = shipped_models()["lentigo-s"]
RANDOM = np.random.default_rng(1)


def normal(*shape: int) -> np.ndarray:
    return RANDOM.normal(size=shape).astype(np.float32)


def whole(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


X = normal(2, 8, 9, 7)
LEVELS = RANDOM.integers(0, 255, (4, 3, 3, 3)).astype(np.uint8)
CASES: dict[str, tuple[str, list[np.ndarray], dict]] = {
    "conv": ("Conv", [X, normal(6, 8, 3, 3), normal(6)], {"pads": [1, 1, 1, 1]}),
    "conv, strides and uneven pads": ("Conv", [X, normal(5, 8, 3, 2)], {"strides": [2, 3], "pads": [0, 1, 2, 0]}),
    "conv, dilated": ("Conv", [X, normal(4, 8, 3, 3)], {"dilations": [2, 2], "pads": [2, 2, 2, 2]}),
    "conv, grouped": ("Conv", [X, normal(6, 4, 3, 3), normal(6)], {"group": 2}),
    "conv, depthwise": (
        "Conv",
        [X, normal(16, 1, 3, 3), normal(16)],
        {"group": 8, "strides": [2, 2]},
    ),
    "conv, 1x1": ("Conv", [X, normal(9, 8, 1, 1)], {}),
    "batch norm": ("BatchNormalization", [X, normal(8), normal(8), normal(8), abs(normal(8)) + 0.1], {"epsilon": 1e-3}),
    "relu": ("Relu", [X], {}),
    "leaky relu": ("LeakyRelu", [X], {"alpha": 0.2}),
    "clip": ("Clip", [X, np.float32(-0.5), np.float32(0.7)], {}),
    "sigmoid": ("Sigmoid", [X], {}),
    "hard sigmoid": ("HardSigmoid", [X], {}),
    "hard swish": ("HardSwish", [3 * X], {}),
    "tanh": ("Tanh", [X], {}),
    "exp": ("Exp", [X], {}),
    "log": ("Log", [abs(X) + 0.1], {}),
    "sqrt": ("Sqrt", [abs(X)], {}),
    "abs": ("Abs", [X], {}),
    "neg": ("Neg", [X], {}),
    "reciprocal": ("Reciprocal", [X], {}),
    "identity": ("Identity", [X], {}),
    "add, spread": ("Add", [X, normal(8, 1, 1)], {}),
    "sub, scalar": ("Sub", [X, np.float32(0.3)], {}),
    "sub, scalar first": ("Sub", [np.float32(0.3), X], {}),
    "mul": ("Mul", [X, normal(2, 8, 9, 7)], {}),
    "div": ("Div", [X, abs(normal(1, 8, 1, 7)) + 1], {}),
    "div, integers": ("Div", [whole(7, -7, 9), whole(2, 2, 4)], {}),
    "pow": ("Pow", [abs(X), np.float32(1.7)], {}),
    "max": ("Max", [X, normal(8, 1, 1)], {}),
    "min": ("Min", [X, normal(8, 1, 1)], {}),
    "average pool": ("AveragePool", [X], {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 0, 1, 1]}),
    "average pool, pads count": (
        "AveragePool",
        [X],
        {"kernel_shape": [3, 3], "pads": [1] * 4, "count_include_pad": 1},
    ),
    "max pool": ("MaxPool", [X], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    "global average pool": ("GlobalAveragePool", [X], {}),
    "global max pool": ("GlobalMaxPool", [X], {}),
    "reduce mean": ("ReduceMean", [X, whole(2, 3)], {"keepdims": 0}),
    "reduce mean, first axis": ("ReduceMean", [X, whole(0)], {"keepdims": 1}),
    "reduce sum": ("ReduceSum", [X, whole(1, -1)], {"keepdims": 0}),
    "reduce sum, all": ("ReduceSum", [X], {"keepdims": 0}),
    "reduce max": ("ReduceMax", [X, whole(1)], {}),
    "reduce min": ("ReduceMin", [X, whole(-1)], {"keepdims": 0}),
    "reduce l2": ("ReduceL2", [X, whole(1)], {}),
    "matmul": ("MatMul", [normal(4, 5), normal(5, 3)], {}),
    "matmul, batches": ("MatMul", [normal(2, 1, 4, 5), normal(3, 5, 2)], {}),
    "matmul, vectors": ("MatMul", [normal(2, 4, 5), normal(5)], {}),
    "gemm": ("Gemm", [normal(5, 4), normal(3, 5), normal(3)], {"transA": 1, "transB": 1, "alpha": 0.5, "beta": 2.0}),
    "einsum": ("Einsum", [normal(2, 5, 3, 4), normal(6, 5)], {"equation": "nchw,kc->nkhw"}),
    "softmax": ("Softmax", [X], {"axis": 1}),
    "log softmax": ("LogSoftmax", [X], {"axis": -1}),
    "concat": ("Concat", [X, normal(2, 3, 9, 7)], {"axis": 1}),
    "slice": ("Slice", [X, whole(1, -6), whole(7, 100), whole(1, 2), whole(2, 1)], {}),
    "slice, backwards": ("Slice", [X, whole(-1), whole(-(2**31)), whole(3), whole(-1)], {}),
    "transpose": ("Transpose", [X], {"perm": [0, 3, 1, 2]}),
    "gather": ("Gather", [X, whole(3, -1, 0)], {"axis": 1}),
    "pad": ("Pad", [X, whole(0, 0, 1, 2, 0, 0, 3, 0), np.float32(0.5)], {}),
    "pad, reflect": ("Pad", [X, whole(0, 0, 1, 2, 0, 0, 3, 0)], {"mode": "reflect"}),
    "pad, edge": ("Pad", [X, whole(0, 0, 1, 2, 0, 0, 3, 0)], {"mode": "edge"}),
    "reshape": ("Reshape", [X, whole(0, -1, 7)], {}),
    "flatten": ("Flatten", [X], {"axis": 2}),
    "squeeze": ("Squeeze", [normal(1, 3, 1), whole(0)], {}),
    "unsqueeze": ("Unsqueeze", [X, whole(0, -1)], {}),
    "expand": ("Expand", [normal(3, 1), whole(2, 3, 4)], {}),
    "shape": ("Shape", [X], {"start": 1, "end": 3}),
    "cast": ("Cast", [3 * X], {"to": TensorProto.INT64}),
    "dequantize": (
        "DequantizeLinear",
        [LEVELS, abs(normal(4)), RANDOM.integers(0, 255, 4).astype(np.uint8)],
        {"axis": 0},
    ),
    "dequantize, one scale": ("DequantizeLinear", [LEVELS, np.float32(0.3), np.uint8(7)], {}),
    "dequantize, along the last axis": ("DequantizeLinear", [LEVELS, abs(normal(3)), LEVELS[0, 0, 0]], {"axis": -1}),
    "quantize, halves": ("QuantizeLinear", [np.arange(-4, 4, 0.5, np.float32), np.float32(1), np.int8(0)], {}),
    "quantize, far away": ("QuantizeLinear", [np.float32([-1e30, 1e30, 3e7]), np.float32(1), np.uint8(3)], {}),
    "quantize, channels": ("QuantizeLinear", [X, abs(normal(8)), np.zeros(8, np.uint8)], {"axis": 1}),
    "quantize": ("QuantizeLinear", [X, np.float32(0.5), np.uint8(100)], {}),
    "quantize, signed": ("QuantizeLinear", [X, np.float32(0.05), np.int8(-3)], {}),
}


def model_of(op: str, inputs: list[np.ndarray], attributes: dict) -> onnx.ModelProto:
    """A model of one node; the last inputs are constants, so that both a tensor and constants are read."""
    names = [f"i{k}" for k in range(len(inputs))]
    node = helper.make_node(op, names, ["out"], **attributes)
    constants = [numpy_helper.from_array(np.asarray(v), n) for n, v in zip(names, inputs, strict=True)]
    graph = helper.make_graph([node], "one", [], [helper.make_empty_tensor_value_info("out")], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


HARNESS = """
import { Graph } from "./graph.js";
import { makeKernel } from "./kernel.js";
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
window.compute = async (model, wasm, image = [0], dims = [1]) => {
  const graph = new Graph(bytes(model), makeKernel(wasm));
  const run = () => graph.run({ data: Float32Array.from(image), dims });
  const first = Array.from((await run()).out.data);
  await run();
  const held = graph.kernel.memory.end;
  const { out } = await run();
  const same = out.data.every((v, i) => v === first[i]) && graph.kernel.memory.end === held;
  return { dims: out.dims, data: Array.from(out.data), kernel: graph.kernel.name, nodes: graph.nodes.length, same };
};
"""


@pytest.fixture(scope="module")
def engine(browser):
    """A page with nothing but the engine."""
    app = files("lentigo.page").joinpath("app")
    script = join_modules("harness.js", lambda n: HARNESS if n == "harness.js" else app.joinpath(n).read_text("utf-8"))
    page = browser.new_page()
    page.set_content(f"<script type='module'>{script}</script>")
    page.wait_for_function("() => !!window.compute")
    yield page
    page.close()


@pytest.mark.parametrize("wasm", [True, False], ids=["wasm", "javascript"])
def test_every_operator_computes_what_onnx_runtime_does(engine, monkeypatch, wasm):
    monkeypatch.setattr("lentigo.page.packing._FEW", 10**9)  # weights in 32 bits
    for name, (op, inputs, attributes) in CASES.items():
        if not wasm and op != "Conv":
            continue
        model = model_of(op, inputs, attributes)
        (expected,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {})
        graph = read_graph(model.SerializeToString())
        graph.inputs = ["image"]
        packed_model = base64.b64encode(packed(graph, {"out": "out"}, {})).decode()
        found = engine.evaluate("([m, w]) => window.compute(m, w)", [packed_model, wasm])
        assert found["kernel"] == ("wasm-simd" if wasm else "javascript")
        assert found["dims"] == list(expected.shape), name
        np.testing.assert_allclose(found["data"], expected.ravel(), rtol=2e-5, atol=2e-5, err_msg=name)


def levels(before: str, after: str, scale: float, zero: np.generic, constants: dict) -> list[onnx.NodeProto]:
    """A quantization and its reverse."""
    names = [f"{after}.scale", f"{after}.zero"]
    constants |= dict(zip(names, (np.float32(scale), zero), strict=True))
    return [
        helper.make_node("QuantizeLinear", [before, *names], [f"{after}.q"]),
        helper.make_node("DequantizeLinear", [f"{after}.q", *names], [after]),
    ]


def network(channels: int, height: int, width: int) -> onnx.ModelProto:
    """What networks are made of, one after another, with channels and sides that divide by nothing."""
    wide = 2 * channels + 1
    c = {
        "w0": normal(wide, channels, 3, 3) / 3,
        "w1": normal(wide, 1, 3, 3) / 2,
        "b1": normal(wide),
        "w2": normal(channels, wide, 1, 1) / 3,
        "w3": normal(2 * channels, 1, 2, 3),
        "w4": normal(2 * channels, 2, 1, 1),
        "w5": normal(7, 2 * channels, 1, 1),
        "low": np.float32(-1),
        "least": np.float32(-50),
        "high": np.float32(2),
        "zero": np.float32(0),
        "axes": whole(2, 3),
    }
    conv = {"pads": [1, 1, 1, 1]}
    nodes = [
        helper.make_node("Conv", ["image", "w0"], ["a"], **conv),
        helper.make_node("Clip", ["a", "low", "high"], ["b"]),
        *levels("b", "c", 0.05, np.uint8(9), c),
        helper.make_node("Max", ["c", "zero"], ["d"]),
        helper.make_node("Conv", ["d", "w1", "b1"], ["e"], group=wide, **conv),
        helper.make_node("Relu", ["e"], ["f"]),
        helper.make_node("Conv", ["f", "w2"], ["g"]),
        helper.make_node("Identity", ["g"], ["same"]),
        *levels("g", "h", 0.11, np.int8(-3), c),
        helper.make_node("Add", ["h", "same"], ["i"]),
        *levels("i", "j", 0.2, np.uint8(100), c),
        helper.make_node("Conv", ["j", "w3"], ["k"], group=channels, strides=[2, 2], pads=[0, 1, 1, 1]),
        helper.make_node("Conv", ["k", "w4"], ["l"], group=channels),
        helper.make_node("Conv", ["l", "w5"], ["m"], strides=[2, 1]),
        helper.make_node("ReduceMean", ["m", "axes"], ["n"]),
        helper.make_node("Add", ["m", "n"], ["o"]),
        helper.make_node("Clip", ["o", "least"], ["out"]),
    ]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, channels, height, width])],
        [helper.make_empty_tensor_value_info("out")],
        [numpy_helper.from_array(np.asarray(v), name) for name, v in c.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


@pytest.mark.parametrize("wasm", [True, False], ids=["wasm", "javascript"])
@pytest.mark.parametrize("shape", [(3, 9, 7), (8, 12, 12), (5, 3, 2), (13, 21, 5)])
def test_what_is_computed_in_one_go_is_what_onnx_runtime_computes_in_many(engine, monkeypatch, shape, wasm):
    """Convolutions with their limits and levels; again and again, since memory is used again, and no more of it."""
    monkeypatch.setattr("lentigo.page.packing._FEW", 10**9)
    model, image = network(*shape), normal(1, *shape)
    exact = onnxruntime.SessionOptions()  # or it would merge nodes too
    exact.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    (expected,) = onnxruntime.InferenceSession(model.SerializeToString(), exact).run(None, {"image": image})
    packed_model = base64.b64encode(packed(read_graph(model.SerializeToString()), {"out": "out"}, {})).decode()
    asked = [packed_model, wasm, image.ravel().tolist(), list(image.shape)]
    found = engine.evaluate("(asked) => window.compute(...asked)", asked)
    assert found["dims"] == list(expected.shape) and found["same"]
    assert found["nodes"] == 11, "limits and levels are part of what they follow"
    data = np.reshape(found["data"], expected.shape)
    # A value on the border between two levels may fall to either side.
    assert np.mean(np.abs(data - expected) > 1e-3) < 0.05, np.abs(data - expected).max()


def test_every_operator_has_a_case():
    covered = {op for op, _, _ in CASES.values()}
    assert operators() - covered == {"Dropout"}, "it does nothing in inference"


def test_an_unknown_operator_is_refused_by_name():
    graph = read_graph(SHIPPED.read_bytes())
    square = find_square(SHIPPED.read_bytes(), graph, ["probabilities"], 96)
    last = next(n for n in graph.nodes if "probabilities" in n.outputs)
    last.op = "Mystery"
    with pytest.raises(BundleError, match=r"engine lacks Mystery"):
        for_own_engine(graph, ["probabilities"], square)
    assert for_own_engine(graph, ["cam"], square).outputs == ["cam"], "what isn't needed isn't missed"


@pytest.mark.parametrize(
    ("op", "attributes", "words"),
    [
        ("Conv", {"auto_pad": "SAME_UPPER"}, "Conv with auto_pad=SAME_UPPER"),
        ("Conv", {"kernel_shape": [3]}, "Conv of another dimension than 2"),
        ("MaxPool", {"kernel_shape": [2, 2], "ceil_mode": 1}, "MaxPool with ceil_mode"),
        ("AveragePool", {"kernel_shape": [2, 2], "dilations": [2, 2]}, "AveragePool with dilations"),
        ("Pad", {"mode": "wrap"}, "Pad with mode=wrap"),
        ("Einsum", {"equation": "...c,kc->...k"}, "Einsum with equation"),
        ("Cast", {"to": 16}, "Cast to type 16"),
    ],
)
def test_an_unknown_form_is_refused_by_name(op, attributes, words):
    graph = read_graph(SHIPPED.read_bytes())
    graph.nodes.append(Node(op, ["probabilities", "probabilities"], ["odd"], attributes))
    with pytest.raises(BundleError, match=re.escape(words)):
        for_own_engine(graph, ["odd"], "image")
