"""Accounts: published numbers on the published footing, operations as torch counts them, bytes that sum to the file."""

import json
import math

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from torch.utils.flop_counter import FlopCounterMode

from lentigo import export, models
from lentigo.errors import BundleError, RunError
from lentigo.evaluation.cost import FOOTINGS, account, cost, describe_cost, measure_bundle, reduction, reductions
from lentigo.evaluation.cost.graph import count_macs, tensors
from lentigo.evaluation.cost.sizes import sparse_bytes
from lentigo.export.module import ExportModule
from lentigo.runtime import Bundle

MIB = 2**20


class TestPublished:
    """Table 8 of compressed_cnn, whose four sizes are the same dense network each on another footing, in MiB."""

    @pytest.mark.parametrize(
        ("published", "bits", "footing"),
        [(14.74, 32, "checkpoint"), (4.96, 32, "weights"), (2.44, 16, "weights"), (1.24, 8, "weights")],
    )
    def test_the_same_functions_give_them(self, published, bits, footing):
        found = account("compressed_cnn", bits=bits)
        assert found.numbers == 1_275_079
        assert found.sizes[footing] / MIB == pytest.approx(published, rel=0.02)

    def test_they_are_no_reduction_on_one_footing(self):
        base, pruned = account("compressed_cnn"), account("compressed_cnn")
        assert reduction(base, pruned, "weights").percent == 0
        assert reduction(base, account("compressed_cnn", bits=8), "weights").factor == 4


@pytest.fixture(scope="module")
def found(bundle_path):
    return account(bundle_path)


class TestBundle:
    def test_parts_sum_to_the_file(self, found, bundle_path):
        assert sum(found.parts.values()) == found.sizes["file"] == bundle_path.stat().st_size
        assert all(size > 0 for size in found.parts.values())
        assert found.parts["weights"] == found.sizes["weights"] == 4 * found.numbers
        metadata = Bundle(bundle_path).metadata
        assert found.parts["fingerprints"] == len(metadata.fingerprints.model_dump_json().encode())

    def test_weights_are_those_of_the_network(self, found, trained_run):
        """All but the moving statistics and scales of batch norms, which are folded into kernels and biases."""
        network = trained_run.network().network
        kernels = sum(p.numel() for p in network.parameters() if p.ndim > 1)
        everything = models.count_parameters(network).total
        assert kernels < found.numbers <= everything
        assert found.sizes["checkpoint"] == 12 * sum(p.numel() for p in network.parameters())

    def test_macs_are_what_torch_counts(self, found, trained_run):
        run = trained_run
        module = ExportModule(run.network(), run.mean, run.std, run.logit_offset, 1.0)
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            module(torch.zeros(1, 3, 32, 32))
        assert 2 * found.macs["network"] == counter.get_total_flops()

    def test_macs_are_those_of_four_mirrors_and_the_maps(self, found):
        one = cost("compact", 32)
        classifier = one.layers[-1]
        maps = classifier.macs * 4 * 4  # of each place of the last features, once for all mirrors
        assert found.macs["network"] == 4 * (one.macs - classifier.macs) + maps

    def test_preprocessing_is_two_products_with_windows(self, bundle_path, found):
        assert found.image == (450, 600)
        for (height, width), macs in (((450, 600), found.macs), ((90, 40), account(bundle_path, image=(90, 40)).macs)):
            side = min(height, width)
            window = math.ceil(5 * side / 32)  # of four rows of the result: 3 s + 2 s
            assert macs["preprocessing"] == 3 * (32 * window * side + 32 * 32 * window)
            assert macs["network"] == found.macs["network"]
        assert found.total_macs == sum(found.macs.values())
        assert 0 < found.macs["ood"] < found.macs["network"]

    def test_packed_it_differs_only_in_its_file(self, found, bundle_path, tmp_path):
        packed = account(export.convert(bundle_path, tmp_path / "x.onnx.zst").path)
        assert packed.kind == "packed bundle"
        assert packed.sizes["file"] == (tmp_path / "x.onnx.zst").stat().st_size < found.sizes["file"]
        assert {**packed.sizes, "file": 0} == {**found.sizes, "file": 0}
        assert (packed.parts, packed.macs, packed.zeros) == (found.parts, found.macs, found.zeros)

    def test_lossless_sizes_are_real(self, found):
        for name in ("weights", "file"):
            assert found.sizes[f"{name}_zstd"] < found.sizes[name]
            assert found.sizes[f"{name}_zip"] < found.sizes[name]
        assert list(found.sizes) == list(FOOTINGS)

    def test_zeros_show_in_sparse_and_packed_bytes_but_not_in_dense_ones(self, bundle_path, found, tmp_path):
        model = onnx.load(bundle_path)
        largest = max(model.graph.initializer, key=lambda t: len(t.raw_data))
        values = numpy_helper.to_array(largest).copy()
        values[np.abs(values) < np.quantile(np.abs(values), 0.95)] = 0
        largest.CopyFrom(numpy_helper.from_array(values, largest.name))
        stored = [(t.values, t.nbytes) for t in tensors(model) if t.part == "weights"]
        assert sum(nbytes for _, nbytes in stored) == found.sizes["weights"]
        saved = found.sizes["weights_sparse"] - sparse_bytes(stored)
        assert saved == pytest.approx(values.nbytes * (0.95 - 1 / 32), rel=0.01)

    def test_a_network_that_is_timed_says_how(self, bundle_path):
        found = measure_bundle(Bundle(bundle_path), batches=(1, 2), threads=(1,), runs=2, image=(40, 50))
        assert [(s.batch, s.threads, s.runs) for s in found.speeds] == [(1, 1, 2), (2, 1, 2)]
        assert all(s.median_ms > 0 for s in found.speeds)
        assert found.peak_bytes is None or found.peak_bytes > 1_000_000
        assert "onnxruntime" in found.versions


class TestOtherArtefacts:
    def test_a_run(self, trained_run):
        for given_ in (trained_run, trained_run.path):
            found = account(given_)
            assert found.kind == "run"
            assert found.sizes["file"] == (trained_run.path / "network.safetensors").stat().st_size
            assert found.sizes["weights"] == 4 * found.numbers == cost("compact", 32).weight_bytes()
            assert found.macs == {"network": cost("compact", 32).macs}
            assert found.zeros is not None

    @pytest.mark.parametrize(("bits", "factor"), [(16, 2), (8, 4)])
    def test_a_network_with_values_at_fewer_bits(self, bits, factor):
        network = models.build("compact")
        whole, fewer = account(network, size=32), account(network, size=32, bits=bits)
        assert fewer.sizes["weights"] * factor == whole.sizes["weights"]
        assert fewer.sizes["weights_zstd"] < whole.sizes["weights_zstd"]
        assert fewer.sizes["checkpoint"] == whole.sizes["checkpoint"]

    def test_a_tflite_file(self, tmp_path):
        (tmp_path / "x.tflite").write_bytes(bytes(5000))
        found = account(tmp_path / "x.tflite")
        assert (found.kind, found.sizes["file"], found.numbers) == ("LiteRT", 5000, None)
        with pytest.raises(RunError, match="no such file"):
            account(tmp_path / "y.tflite")

    def test_what_is_nothing_of_these(self, tmp_path):
        with pytest.raises(RunError, match="Unknown network"):
            account("nothing")
        with pytest.raises(BundleError, match="no such file"):
            account("absent.onnx.zst")
        with pytest.raises(RunError, match="not a lentigo run"):
            account(tmp_path)
        with pytest.raises(RunError, match="bits"):
            account("compact", bits=4)
        with pytest.raises(RunError, match="Name the size"):
            account(models.build("compact"))


class TestReductions:
    def test_each_row_is_on_one_footing(self, bundle_path):
        rows = reductions(account("compressed_cnn"), account(bundle_path))
        assert [row.footing for row in rows] == ["weights", "checkpoint"]
        for row in rows:
            assert row.percent == pytest.approx(100 * (1 - 1 / row.factor))

    def test_two_footings_are_never_mixed(self, bundle_path):
        with pytest.raises(RunError, match="first has no size on the footing 'file'"):
            reduction(account("compressed_cnn"), account(bundle_path), "file")
        with pytest.raises(RunError, match="not a footing"):
            reduction(account("compact"), account("compact"), "size")


@settings(max_examples=60, deadline=None)
@given(shape=st.lists(st.integers(1, 9), min_size=0, max_size=3), share=st.floats(0, 1), width=st.sampled_from("fefb"))
def test_sparse_bytes_are_a_mask_and_what_is_left(shape, share, width):
    rng = np.random.default_rng(0)
    values = np.ones(shape, {"f": np.float32, "e": np.float16, "b": np.int8}[width]) * (rng.random(shape) >= share)
    values = values.astype({"f": np.float32, "e": np.float16, "b": np.int8}[width])
    mask = np.packbits((values != 0).ravel()).nbytes
    expected = min(values.nbytes, mask + values[values != 0].nbytes)
    assert sparse_bytes([(values, values.nbytes)]) == expected


class Described:
    inputs = ()


def graph(nodes, constants, output):
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", "H", "W", 3])
    out = helper.make_tensor_value_info(output, TensorProto.FLOAT, None)
    tensors_ = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    model = helper.make_model(
        helper.make_graph(nodes, "toy", [image], [out], tensors_), opset_imports=[helper.make_opsetid("", 18)]
    )
    model.ir_version = 10
    return model


CAST = [helper.make_node("Cast", ["image"], ["real"], to=TensorProto.FLOAT)]
PIXELS = [*CAST, helper.make_node("Transpose", ["real"], ["x"], perm=[0, 3, 1, 2])]
ZERO, SCALE = np.uint8(0), np.float32(0.1)


@pytest.mark.parametrize(
    ("nodes", "constants", "network", "preprocessing"),
    [
        (  # a strided convolution of groups
            [helper.make_node("Conv", ["x", "w"], ["probabilities"], group=3, strides=[2, 2], kernel_shape=[3, 3])],
            {"w": np.zeros((6, 1, 3, 3), np.float32)},
            6 * 4 * 4 * 9,
            0,
        ),
        (
            [helper.make_node("ConvTranspose", ["x", "w"], ["probabilities"], kernel_shape=[2, 2])],
            {"w": np.zeros((3, 5, 2, 2), np.float32)},
            3 * 10 * 10 * 5 * 4,
            0,
        ),
        (  # quantized: the kernel is dequantized in the graph
            [
                helper.make_node("DequantizeLinear", ["w", "s", "z"], ["wf"]),
                helper.make_node("Conv", ["x", "wf"], ["probabilities"], kernel_shape=[1, 1]),
            ],
            {"w": np.zeros((4, 3, 1, 1), np.uint8), "s": SCALE, "z": ZERO},
            4 * 3 * 100,
            0,
        ),
        (
            [
                helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "qs", "qz"]),
                helper.make_node("ConvInteger", ["q", "w", "qz"], ["i"], kernel_shape=[1, 1]),
                helper.make_node("Cast", ["i"], ["probabilities"], to=TensorProto.FLOAT),
            ],
            {"w": np.zeros((4, 3, 1, 1), np.uint8)},
            4 * 3 * 100,
            0,
        ),
        (  # mirrors as one batch count as often as they are computed
            [
                helper.make_node("Concat", ["x", "x", "x", "x"], ["four"], axis=0),
                helper.make_node("Conv", ["four", "w"], ["probabilities"], kernel_shape=[1, 1]),
            ],
            {"w": np.zeros((4, 3, 1, 1), np.float32)},
            4 * 4 * 3 * 100,
            0,
        ),
        (  # a product of two things that both come from the image is preprocessing until a weight was met
            [
                helper.make_node("MatMul", ["x", "x"], ["y"]),
                helper.make_node("MatMul", ["y", "w"], ["z"]),
                helper.make_node("Einsum", ["z", "v"], ["probabilities"], equation="nchw, kc -> nkhw"),
            ],
            {"w": np.zeros((10, 2), np.float32), "v": np.zeros((7, 3), np.float32)},
            3 * 10 * 10 * 2 + 7 * 3 * 10 * 2,
            3 * 10 * 10 * 10,
        ),
        (
            [
                helper.make_node("Flatten", ["x"], ["flat"]),
                helper.make_node("Gemm", ["flat", "w"], ["probabilities"], transB=1),
            ],
            {"w": np.zeros((7, 300), np.float32)},
            2_100,
            0,
        ),
    ],
    ids=["conv", "transposed", "qdq", "integer", "mirrors", "products", "gemm"],
)
@pytest.mark.parametrize("reverse", [False, True], ids=["ordered", "reversed"])
def test_macs_by_hand(nodes, constants, network, preprocessing, reverse):
    """In whatever order the nodes are written, which ONNX Runtime doesn't mind."""
    model = graph([*PIXELS, *nodes][:: -1 if reverse else 1], constants, "probabilities")
    found = count_macs(model, Described, image=(10, 10))
    assert (found.network, found.preprocessing, found.ood, found.warnings) == (network, preprocessing, 0, ())
    floats = [t for t in tensors(model) if t.part == "weights"]
    assert sum(t.values.size for t in floats) == sum(v.size for v in constants.values())


def test_what_cannot_be_counted_is_said():
    nodes = [
        *CAST,
        helper.make_node("Squeeze", ["real", "zero"], ["sequence"]),
        helper.make_node("RNN", ["sequence", "w", "r"], ["", "h"], hidden_size=4),
        helper.make_node("Identity", ["h"], ["probabilities"]),
    ]
    weights = {"w": np.zeros((1, 4, 3), np.float32), "r": np.zeros((1, 4, 4), np.float32), "zero": np.array([0])}
    model = graph(nodes, weights, "probabilities")
    (warning,) = count_macs(model, Described, image=(10, 10)).warnings
    assert "RNN" in warning


class TestCommandLine:
    def test_a_bundle(self, run, bundle_path, monkeypatch):
        monkeypatch.setenv("COLUMNS", "160")
        code, out, err = run("cost", bundle_path, "--against", "compressed_cnn")
        assert code == 0, err
        for words in (
            "weights only, sparse",
            "the graph's text",
            "MACs for one image: preprocessing",
            "efficiency factor",
        ):
            assert words in out

    def test_as_json(self, bundle_path, found):
        values = json.loads(describe_cost(str(bundle_path), against=str(bundle_path), as_json=True))
        assert values["total_macs"] == found.total_macs
        assert {row["factor"] for row in values["reductions"]} == {1.0}
        assert set(values["footings"]) == set(values["sizes"])

    def test_options_of_networks_do_not_apply_to_files(self, run, bundle_path):
        code, _, err = run("cost", bundle_path, "--size", "32")
        assert code == 1
        assert "has its own size" in err
