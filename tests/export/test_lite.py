"""LiteRT: the cut graph and its operators in torch equal ONNX Runtime; the rest where the environment is."""

import json
import shutil

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from lentigo import export
from lentigo.errors import BundleError, MissingExtraError, OutputError
from lentigo.export.lite import environment, worker
from lentigo.export.lite.core import SQUARE, core_of
from lentigo.export.lite.write import _drawn
from lentigo.runtime import Bundle, litert
from lentigo.runtime.litert import LiteRT, appended
from lentigo.runtime.squares import central_square

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def core(bundle_path):
    return core_of(onnx.load(bundle_path), Bundle(bundle_path).metadata)


class TestCore:
    def test_with_the_squares_beside_it_gives_what_the_bundle_gives(self, core, bundle_path):
        bundle, graph = Bundle(bundle_path), worker.Graph(core)
        for image in _drawn():
            square = torch.from_numpy(central_square(image, bundle.size)[None])
            with torch.no_grad():
                found = dict(zip(worker_outputs(core), graph(square.permute(0, 3, 1, 2)), strict=True))
            expected = bundle.predict(image[None])
            assert found["probabilities"].numpy() == pytest.approx(expected.probabilities, abs=1e-5)
            assert found["cam"].numpy() == pytest.approx(expected.cam, abs=1e-3)
            assert found["ood_score"].numpy() == pytest.approx(expected.ood_score, rel=1e-3)

    def test_it_has_one_input_of_fixed_shape(self, core):
        (given,) = core.graph.input
        assert given.name == SQUARE
        assert [d.dim_value for d in given.type.tensor_type.shape.dim] == [1, 3, 32, 32]
        assert "Shape" not in {node.op_type for node in core.graph.node}

    def test_a_graph_without_a_resize_is_refused(self, bundle_path):
        image = helper.make_tensor_value_info("image", TensorProto.UINT8, [1, 8, 8, 3])
        out = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, None)
        nodes = [helper.make_node("Cast", ["image"], ["probabilities"], to=TensorProto.FLOAT)]
        model = helper.make_model(helper.make_graph(nodes, "g", [image], [out]))
        with pytest.raises(BundleError, match="no resize"):
            core_of(model, Bundle(bundle_path).metadata)


def worker_outputs(model):
    return [o.name for o in model.graph.output]


def weights(*shape):
    return RNG.normal(size=shape).astype(np.float32)


INTS = np.int64
CASES = {
    "Conv": ({"pads": [1, 2, 1, 2], "strides": [2, 1], "group": 1}, [weights(5, 4, 3, 5), weights(5)]),
    "Conv uneven": ({"pads": [0, 0, 1, 1], "dilations": [2, 2]}, [weights(5, 4, 2, 2)]),
    "Conv grouped": ({"pads": [1, 1, 1, 1], "group": 4}, [weights(4, 1, 3, 3)]),
    "AveragePool": ({"kernel_shape": [2, 2], "strides": [2, 2]}, []),
    "AveragePool padded": ({"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}, []),
    "AveragePool counted": ({"kernel_shape": [3, 3], "pads": [0, 0, 1, 1], "count_include_pad": 1}, []),
    "MaxPool": ({"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}, []),
    "MaxPool uneven": ({"kernel_shape": [2, 2], "strides": [2, 2], "pads": [0, 0, 1, 1]}, []),
    "BatchNormalization": ({"epsilon": 1e-3}, [weights(4), weights(4), weights(4), weights(4) ** 2]),
    "LayerNormalization": ({"axis": -1}, [weights(6), weights(6)]),
    "Slice": ({}, [np.array([-1], INTS), np.array([-(2**63)], INTS), np.array([3], INTS), np.array([-1], INTS)]),
    "Slice partly": (
        {},
        [np.array([1, 4], INTS), np.array([2**62, 0], INTS), np.array([1, 2], INTS), np.array([2, -2], INTS)],
    ),
    "ReduceMean": ({"keepdims": 0}, [np.array([2, 3], INTS)]),
    "ReduceSum": ({"keepdims": 1}, [np.array([1], INTS)]),
    "ReduceMin": ({"keepdims": 0}, [np.array([1], INTS)]),
    "ReduceMax": ({}, []),
    "Reshape": ({}, [np.array([0, -1, 6], INTS)]),
    "Transpose": ({"perm": [0, 2, 3, 1]}, []),
    "Flatten": ({"axis": 2}, []),
    "Unsqueeze": ({}, [np.array([0, 5], INTS)]),
    "Squeeze": ({}, [np.array([0], INTS)]),
    "MatMul": ({}, [weights(6, 3)]),
    "Einsum": ({"equation": "nchw,kc->nkhw"}, [weights(7, 4)]),
    "Concat": ({"axis": 1}, [weights(1, 2, 5, 6)]),
    "Gather": ({"axis": 1}, [np.array([2, 0], INTS)]),
    "Softmax": ({"axis": 1}, []),
    "Clip": ({}, [np.float32(-0.5), np.float32(0.5)]),
    "Pow": ({}, [np.float32(2)]),
    "Max": ({}, [weights(1, 4, 1, 1)]),
    "HardSigmoid": ({"alpha": 1 / 6, "beta": 0.5}, []),
    "DequantizeLinear": ({}, []),
    **{name: ({}, []) for name in ("Relu", "Sigmoid", "HardSwish", "Abs", "Neg", "Exp", "Erf", "Tanh", "Identity")},
    **{name: ({}, [weights(1, 4, 5, 6)]) for name in ("Add", "Sub", "Mul", "Div")},
    "GlobalAveragePool": ({}, []),
}


@pytest.mark.parametrize("case", CASES)
def test_operators_are_those_of_onnx_runtime(case):
    attributes, constants = CASES[case]
    kind = case.split()[0]
    x = weights(1, 4, 5, 6)
    names = [f"c{i}" for i in range(len(constants))]
    inputs = ["x", *names]
    tensors = [numpy_helper.from_array(np.asarray(c), n) for c, n in zip(constants, names, strict=True)]
    nodes = [helper.make_node(kind, inputs, ["y"], **attributes)]
    if kind == "DequantizeLinear":
        tensors = [
            numpy_helper.from_array(RNG.integers(-9, 9, (1, 4, 5, 6)).astype(np.int8), "q"),
            numpy_helper.from_array(weights(4), "s"),
        ]
        nodes = [helper.make_node(kind, ["q", "s"], ["w"], axis=1), helper.make_node("Add", ["x", "w"], ["y"])]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    (expected,) = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(
        None, {"x": x}
    )
    with torch.no_grad():
        (found,) = worker.Graph(model)(torch.from_numpy(x))
    assert found.shape == expected.shape
    assert found.numpy() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("domain", "kind"), [("", "QuantizeLinear"), ("com.microsoft", "FusedConv"), ("", "NonZero")])
def test_an_unknown_operator_is_named(domain, kind):
    graph = onnx.GraphProto(name="g")
    graph.node.append(helper.make_node(kind, ["x"], ["y"], domain=domain))
    with pytest.raises(worker.UnknownOperatorError, match=kind):
        worker.Graph(helper.make_model(graph))


class TestEnvironment:
    def test_without_it_the_command_is_named(self, run, bundle_path, tmp_path, monkeypatch):
        monkeypatch.setenv("LENTIGO_LITERT", str(tmp_path / "none"))
        code, _, err = run("export", bundle_path, tmp_path / "x.tflite")
        assert code == 1
        assert "lentigo export --setup-litert" in err
        assert not (tmp_path / "x.tflite").exists()

    def test_a_folder_of_other_things_is_left_alone(self, tmp_path):
        (tmp_path / "thesis.txt").write_text("mine")
        with pytest.raises(OutputError, match="other files"):
            export.setup_litert(tmp_path)

    def test_what_pip_cannot_install_is_said_and_not_taken_for_whole(self, tmp_path, monkeypatch):
        monkeypatch.setattr(environment, "PACKAGES", ("no-such-package-of-lentigo==1",))
        monkeypatch.setattr(environment.venv, "create", lambda folder, **_: fake_python(folder, 1, "no such package"))
        with pytest.raises(OutputError, match="no such package"):
            export.setup_litert(tmp_path / "new")
        with pytest.raises(BundleError, match="setup-litert"):
            environment.find_environment(tmp_path / "new")

    def test_once_made_it_is_found_and_kept(self, tmp_path, monkeypatch):
        monkeypatch.setattr(environment.venv, "create", lambda folder, **_: fake_python(folder, 0, ""))
        assert export.setup_litert(tmp_path / "new") == tmp_path / "new"
        monkeypatch.setattr(environment.venv, "create", lambda *_, **__: pytest.fail("it was made again"))
        export.setup_litert(tmp_path / "new")
        assert environment.find_environment(tmp_path / "new").exists()


def fake_python(folder, code, message):
    python = folder / "bin" / "python"
    python.parent.mkdir(parents=True)
    (folder / "pyvenv.cfg").touch()
    python.write_text(f"#!/bin/sh\necho {message} >&2\nexit {code}\n")
    python.chmod(0o755)


class TestRefusals:
    def test_int8_is_for_tflite(self, bundle_path, tmp_path):
        with pytest.raises(BundleError, match=r"--int8 is for \.tflite"):
            export.convert(bundle_path, tmp_path / "x.onnx.zst", int8=True)

    def test_another_ending(self, bundle_path, tmp_path):
        with pytest.raises(BundleError, match=r"must end in .tflite"):
            export.litert(bundle_path, tmp_path / "x.lite")

    def test_an_operator_that_cannot_be_converted_leaves_what_was_there(self, bundle_path, tmp_path, monkeypatch):
        good = tmp_path / "x.tflite"
        good.write_bytes(b"good")
        fake_python(tmp_path / "env", worker.UNKNOWN, "")
        (tmp_path / "env" / "bin" / "python").write_text(f"#!/bin/sh\necho ONNX NonZero\nexit {worker.UNKNOWN}\n")
        (tmp_path / "env" / environment._STAMP).write_text("{}")
        with pytest.raises(BundleError, match="NonZero can't be converted"):
            export.litert(bundle_path, good, environment=tmp_path / "env")
        assert good.read_bytes() == b"good"


class TestFile:
    """The container, without LiteRT."""

    @pytest.fixture
    def content(self, bundle_path):
        return appended(b"TFL3" * 100, Bundle(bundle_path).metadata, ["probabilities", "cam", "ood_score"])

    def test_what_is_appended_is_read_back(self, content, bundle_path, tmp_path):
        (tmp_path / "x.tflite").write_bytes(content)
        model, described = litert._read(tmp_path / "x.tflite")
        assert model == b"TFL3" * 100
        assert described["outputs"] == ["probabilities", "cam", "ood_score"]
        assert described["bundle"] == json.loads(Bundle(bundle_path).metadata.model_dump_json())

    @pytest.mark.parametrize("place", [0, 50, 399])
    def test_a_changed_byte_is_found(self, content, tmp_path, place):
        changed = bytearray(content)
        changed[place] ^= 1
        (tmp_path / "x.tflite").write_bytes(changed)
        with pytest.raises(BundleError, match="has changed since"):
            LiteRT(tmp_path / "x.tflite")

    @pytest.mark.parametrize("bad", [b"", b"TFL3" * 100, b"hello", None])
    def test_what_is_not_ours_is_refused(self, content, tmp_path, bad):
        (tmp_path / "x.tflite").write_bytes(content[:-30] if bad is None else bad)
        with pytest.raises(BundleError, match="not a LiteRT model that lentigo wrote") as found:
            LiteRT(tmp_path / "x.tflite")
        assert str(tmp_path / "x.tflite") in found.value.message
        with pytest.raises(BundleError, match="no such file"):
            LiteRT(tmp_path / "y.tflite")


@pytest.fixture(scope="module")
def interpreter():
    pytest.importorskip("ai_edge_litert", reason="needs ai-edge-litert: pip install lentigo[litert]")
    try:
        environment.find_environment()
    except BundleError as absent:
        pytest.skip(f"{absent.message} {absent.hint}")


@pytest.mark.slow
@pytest.mark.parametrize("int8", [False, True])
def test_a_converted_bundle_runs_and_agrees(interpreter, bundle_path, tmp_path, int8):
    written = export.litert(bundle_path, tmp_path / "x.tflite", int8=int8)
    lite, bundle = LiteRT(written.path), Bundle(bundle_path)
    assert lite.labels == bundle.labels
    assert lite.metadata.parent_sha256 == bundle.sha256
    assert bool(lite.metadata.operating_points) != int8
    assert lite.origin.seen(["x"]).tolist() == [False]
    images = np.stack([_drawn()[0]] * 2)
    a, b = lite.predict(images), bundle.predict(images)
    assert a.probabilities == pytest.approx(b.probabilities, abs=0.1 if int8 else 1e-4)
    assert [v.shape for v in a] == [v.shape for v in b]
    shutil.copy(written.path, tmp_path / "y.tflite")
    assert LiteRT(tmp_path / "y.tflite").sha256 == lite.sha256


def test_without_the_interpreter_the_extra_is_named(bundle_path, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ai_edge_litert.interpreter", None)
    monkeypatch.setitem(__import__("sys").modules, "ai_edge_litert", None)
    content = appended(b"TFL3" * 100, Bundle(bundle_path).metadata, ["probabilities"])
    (tmp_path / "x.tflite").write_bytes(content)
    with pytest.raises(MissingExtraError, match="litert"):
        LiteRT(tmp_path / "x.tflite")
