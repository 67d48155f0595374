"""Bundles in fewer bits: what is quantized, what stays exact, what is chosen anew, and what is refused."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from lentigo import compression, models
from lentigo.compression.quantization.graph import find_layers, load_graph
from lentigo.compression.quantization.images import ids_hash
from lentigo.compression.quantization.precisions import calibrated_tensors, to_int8
from lentigo.compression.quantization.ranges import measure_ranges, session
from lentigo.errors import BundleError, DataError, OutputError, RunError
from lentigo.evaluation import predict_own_part
from lentigo.export import Parity
from lentigo.export.graph import build_graph
from lentigo.export.module import ExportModule
from lentigo.export.refit import choose_ood, headline, write
from lentigo.runtime import Bundle


def constants(path):
    return {i.name: numpy_helper.to_array(i) for i in onnx.load(path).graph.initializer}


@pytest.fixture
def pictures(synthetic_records, parent):
    training = synthetic_records.ids[parent.origin.train.contains(synthetic_records.ids)]
    return [synthetic_records.decode(p)[None] for p in synthetic_records.take(training[:12]).table["path"]]


class TestInt8:
    def test_it_says_what_it_is_and_chose_its_own_thresholds(self, int8, parent, synthetic_records):
        m = int8.metadata
        assert (m.precision, m.parent_sha256) == ("int8", parent.sha256)
        assert m.compression == (
            {
                "step": "quantize",
                "precision": "int8",
                "kept": [],
                "calibration": "minmax",
                "images": 40,
                "balanced": False,
                "seed": 0,
            },
        )
        assert m.parity["precision"] == "int8"
        assert m.parity["images"] == m.split["images"]["test"]
        assert m.ood_score == choose_ood(predict_own_part(int8, synthetic_records, "validation"))
        assert m.metrics == headline(predict_own_part(int8, synthetic_records, "test"))
        assert m.temperature != parent.metadata.temperature
        assert int8.path.stat().st_size < 0.35 * parent.path.stat().st_size

    def test_weights_have_7_bits_and_activations_are_uint8(self, int8):
        """With 8 bits, processors without VNNI overflow without a word, and the answers differ from one to the next."""
        model = onnx.load(int8.path)
        values = constants(int8.path)
        made = {output: node for node in model.graph.node for output in node.output}
        layers = [node for node in model.graph.node if node.op_type == "Conv"]
        assert len(layers) == 13
        for layer in layers:
            source, weight = (made[name] for name in layer.input[:2])
            assert source.op_type == weight.op_type == "DequantizeLinear"
            steps = values[weight.input[0]]
            assert steps.dtype == np.int8
            assert np.abs(steps.astype(int)).max() <= 64
            assert values[weight.input[1]].shape == (len(steps),)  # a step for each channel
            assert values[source.input[2]].dtype == np.uint8
        assert [(o.domain, o.version) for o in model.opset_import] == [("", 18)]
        assert all(node.domain == "" for node in model.graph.node)

    def test_all_but_the_layers_stays_exact(self, int8, parent):
        """Preprocessing, OOD score and the last layer: their constants are the parent's, to the bit."""
        model = load_graph(parent)
        layers = {name for layer in find_layers(model) for name in (layer.weight, layer.bias)}
        after = [value.tobytes() for value in constants(int8.path).values()]
        temperature = np.float32(parent.metadata.temperature).tobytes()
        for name, value in constants(parent.path).items():
            if name not in layers and value.size > 1 and value.tobytes() != temperature:
                assert value.tobytes() in after, name

    def test_maps_still_add_up_to_the_logits(self, int8, parent, pictures):
        def rest(bundle, picture):
            """What is added to the maps' means, less its mean: of the last layer's bias alone."""
            probabilities, cam, _ = bundle.predict(picture)
            found = bundle.metadata.temperature * np.log(probabilities) - cam.mean((2, 3))
            return found - found.mean()

        for picture in pictures[:3]:
            assert rest(int8, picture) == pytest.approx(rest(parent, picture), abs=1e-4)

    def test_the_linear_head_still_reads_its_embedding(self, int8, trained_run, pictures):
        """The output is kept, and is what the maps are made from: the same weights turn it into the maps' means."""
        weight = trained_run.network().classifier.weight.detach().numpy()
        for picture in pictures[:3]:
            assert int8.embed(picture) @ weight.T == pytest.approx(int8.predict(picture).cam.mean((2, 3)), abs=1e-4)

    def test_it_computes_in_integers_what_it_says_in_its_nodes(self, int8, pictures):
        """ONNX Runtime fuses the nodes; fused and taken one by one they agree, or this processor would overflow."""
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        plain = ort.InferenceSession(int8.path, options)
        for picture in pictures:
            one = plain.run(["probabilities"], {"image": picture})[0]
            assert int8.predict(picture).probabilities == pytest.approx(one, abs=0.02)

    def test_the_same_arguments_give_the_same_file(self, int8, parent, synthetic_records):
        before = int8.path.read_bytes()
        compression.quantize(parent, synthetic_records, int8.path, images=40)
        assert int8.path.read_bytes() == before


def test_a_network_without_maps_has_its_dense_layers_quantized(pictures):
    """Nearly all weights of compressed_cnn are in one; its last layer, which decides, stays as it is."""
    network = models.build("compressed_cnn", num_classes=7)
    module = ExportModule(network, (0.5,) * 3, (0.2,) * 3, np.zeros(7, np.float32), 1.618)
    model = build_graph(module, 28)
    layers = find_layers(model)
    assert layers[-1].kind == "Gemm"
    total = sum(p.numel() for p in network.parameters())
    assert sum(layer.weights for layer in layers) > 0.95 * total
    ranges = measure_ranges(model, calibrated_tensors(model, layers), pictures)
    smaller = to_int8(model, layers, ranges)
    assert smaller.ByteSize() < 0.3 * model.ByteSize()
    for picture in pictures[:3]:
        a, b = (session(m).run(["probabilities"], {"image": picture})[0] for m in (model, smaller))
        assert b == pytest.approx(a, abs=0.03)


def test_layers_that_share_a_bias_get_one_each(parent, pictures):
    """Exporters store equal tensors once; in integers their steps differ from layer to layer."""
    model = load_graph(parent)
    first, second = [y for y in find_layers(model) if y.shape[0] == 64][:2]
    node = next(n for n in model.graph.node if n.name == second.name)
    node.input[2] = first.bias
    layers = find_layers(model)
    smaller = to_int8(model, layers, measure_ranges(model, calibrated_tensors(model, layers), pictures))
    for picture in pictures[:3]:
        a, b = (session(m).run(["cam"], {"image": picture})[0] for m in (model, smaller))
        assert np.abs(a - b).max() < 0.1 * np.abs(a).max()


def test_16_bits_are_stored_and_32_computed(parent, synthetic_records, tmp_path):
    kept = find_layers(load_graph(parent))[0]
    out = tmp_path / "half.onnx"
    bundle = compression.quantize(parent, synthetic_records, out, precision="fp16", keep=[kept.name])
    assert bundle.metadata.precision == "fp16"
    assert bundle.metadata.calibration_sha256 is None
    values = list(constants(bundle.path).values())
    assert [v.dtype for v in values if v.shape == kept.shape] == [np.float32]
    assert sum(v.size for v in values if v.dtype == np.float16) > 0.99 * parent.metadata.parameters - kept.weights
    assert bundle.path.stat().st_size < 0.55 * parent.path.stat().st_size
    assert bundle.metadata.parity["largest_difference"] < 5e-3


def test_kept_layers_stay_in_16_bits(parent, synthetic_records, tmp_path):
    first = find_layers(load_graph(parent))[0]
    bundle = compression.quantize(parent, synthetic_records, tmp_path / "m.onnx", images=40, keep=[first.name])
    values = [v for v in constants(bundle.path).values() if v.shape == first.shape]
    assert [v.dtype for v in values] == [np.float16]
    assert bundle.metadata.compression[-1]["kept"] == [first.name]
    assert np.int8 in {v.dtype.type for v in constants(bundle.path).values()}


def test_the_runtime_does_not_quantize_what_was_kept(parent, pictures):
    """Between two quantized layers ONNX Runtime would, with one step for the tensor, which ruins depthwise layers."""
    import onnxruntime as ort

    model = load_graph(parent)
    layers = find_layers(model)
    for tensor in model.graph.initializer:  # one channel a thousand times the others': one step for all leaves nothing
        if tensor.name == layers[1].weight:
            values = numpy_helper.to_array(tensor).copy()
            values[0] *= 1000
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    others = [layer for layer in layers if layer is not layers[1]]
    ranges = measure_ranges(model, calibrated_tensors(model, layers), pictures)
    smaller = to_int8(model, others, ranges).SerializeToString()
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    fused, plain = ort.InferenceSession(smaller), ort.InferenceSession(smaller, options)
    for picture in pictures[:4]:
        one, other = (s.run(["cam"], {"image": picture})[0] for s in (fused, plain))
        assert np.abs(one - other).max() < 0.05 * np.abs(other).max()


class TestCalibration:
    def test_methods_differ_in_what_they_leave_out(self, parent, pictures, capsys):
        model = load_graph(parent)
        tensors = calibrated_tensors(model, find_layers(model))
        minmax, entropy, percentile = (
            measure_ranges(model, tensors, pictures, method) for method in ("minmax", "entropy", "percentile")
        )
        for name in tensors:
            low, high = minmax[name]
            for narrower in (entropy, percentile):
                assert low - 1e-3 <= narrower[name][0] <= narrower[name][1] <= high + 1e-3
        assert any(entropy[name][1] < minmax[name][1] for name in tensors)
        assert capsys.readouterr().out == ""
        with pytest.raises(DataError, match="Unknown calibration 'max'"):
            measure_ranges(model, tensors, pictures, "max")

    def test_it_rests_on_training_images_alone(self, parent, int8, synthetic_records, trained_run, tmp_path):
        train = [i for i in synthetic_records.ids if i in set(trained_run.split.train.ids)]
        rows = np.random.default_rng(0).permutation(len(train))[:40]
        drawn = synthetic_records.take([train[row] for row in sorted(rows)])
        assert int8.metadata.calibration_sha256 == ids_hash(drawn)

        def on(ids):
            return compression.quantize(parent, synthetic_records, tmp_path / "x.onnx", only=list(ids))

        for part in (trained_run.split.test, trained_run.split.validation):
            with pytest.raises(DataError, match="1 of 11 calibration images are not of the training part"):
                on([*train[:10], part.ids[0]])
        nevi = trained_run.split.train.table.query("dx == 'nv'")["image_id"]
        with pytest.raises(DataError, match="are of one diagnosis"):
            on(nevi[:10])
        with pytest.raises(DataError, match="no image 'nobody'"):
            on(["nobody"])
        with pytest.raises(DataError, match="None of these 55 images"):
            compression.quantize(parent, trained_run.split.test, tmp_path / "x.onnx")
        assert list(tmp_path.iterdir()) == []

    def test_as_many_of_each_diagnosis(self, parent, synthetic_records):
        from lentigo.compression.quantization.images import calibration_images

        chosen = calibration_images(parent, synthetic_records, 35, balanced=True)
        counts = np.bincount(chosen.labels, minlength=7)
        assert len(chosen) == 35
        assert counts.min() >= 3
        assert counts.max() <= 7


class TestRefused:
    def test_names_that_are_none(self, parent, synthetic_records, tmp_path):
        out = tmp_path / "x.onnx"
        with pytest.raises(DataError, match="Unknown precision 'int4'"):
            compression.quantize(parent, synthetic_records, out, precision="int4")
        with pytest.raises(BundleError, match="no layer is called 'conv1'"):
            compression.quantize(parent, synthetic_records, out, keep=["conv1"])
        everything = [layer.name for layer in find_layers(load_graph(parent))]
        with pytest.raises(BundleError, match="no layer is left"):
            compression.quantize(parent, synthetic_records, out, keep=everything)
        with pytest.raises(DataError, match="2 to 256"):
            compression.cluster(parent, synthetic_records, out, clusters=257)

    def test_what_is_already_smaller(self, int8, synthetic_records, tmp_path):
        with pytest.raises(BundleError, match="already are int8"):
            compression.quantize(int8, synthetic_records, tmp_path / "x.onnx")

    def test_unknown_operators(self, parent, synthetic_records, tmp_path):
        """Those that ONNX Runtime runs but ONNX doesn't define are named; what it can't run is no bundle."""
        model = onnx.load(parent.path)
        relu = next(node for node in model.graph.node if node.op_type == "Relu")
        relu.op_type, relu.domain = "QuickGelu", "com.microsoft"
        model.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
        write(model, parent.metadata, tmp_path / "odd.onnx")
        with pytest.raises(BundleError, match="unknown operators: QuickGelu"):
            compression.quantize(Bundle(tmp_path / "odd.onnx"), synthetic_records, tmp_path / "x.onnx")
        relu.op_type = "Nonsense"
        write(model, parent.metadata, tmp_path / "odd.onnx")
        with pytest.raises(BundleError, match="not a readable ONNX model"):
            Bundle(tmp_path / "odd.onnx")

    def test_outputs_that_hold_something_else(self, parent, int8, synthetic_records, tmp_path):
        content = parent.path.read_bytes()
        with pytest.raises(OutputError, match="is to be made smaller"):
            compression.quantize(parent, synthetic_records, parent.path)
        (tmp_path / "link.onnx").symlink_to(parent.path)
        with pytest.raises(OutputError, match="is to be made smaller"):
            compression.cluster(parent, synthetic_records, tmp_path / "link.onnx")
        assert parent.path.read_bytes() == content
        (tmp_path / "notes.onnx").write_text("mine")
        with pytest.raises(OutputError, match="isn't a bundle"):
            compression.quantize(parent, synthetic_records, tmp_path / "notes.onnx")
        (tmp_path / "other.onnx").write_bytes(content)
        with pytest.raises(OutputError, match="wasn't made from"):
            compression.quantize(parent, synthetic_records, tmp_path / "other.onnx")
        with pytest.raises(OutputError, match="made in another way"):
            compression.quantize(parent, synthetic_records, int8.path, precision="fp16")
        assert int8.metadata.precision == Bundle(int8.path).metadata.precision == "int8"

    def test_a_result_that_differs_too_much_replaces_nothing(self, parent, int8, synthetic_records, monkeypatch):
        before = int8.path.read_bytes()
        monkeypatch.setattr(
            "lentigo.compression.quantization.steps.measure_ranges",
            lambda _, tensors, *__: dict.fromkeys(tensors, (0.0, 1e-2)),
        )
        with pytest.raises(BundleError, match="differs from what it was made from: probabilities by"):
            compression.quantize(parent, synthetic_records, int8.path, images=40)
        assert int8.path.read_bytes() == before
        assert [path.name for path in int8.path.parent.iterdir()] == ["int8.onnx"]

    def test_it_is_written_to_be_measured_only_where_that_is_stated(
        self, parent, synthetic_records, tmp_path, monkeypatch
    ):
        monkeypatch.setattr(
            "lentigo.compression.quantization.steps.measure_ranges",
            lambda _, tensors, *__: dict.fromkeys(tensors, (0.0, 1e-2)),
        )
        made = compression.quantize(parent, synthetic_records, tmp_path / "x.onnx", images=40, enforce=False)
        assert any(fault.startswith("probabilities by") for fault in Parity(**made.metadata.parity).faults)


def test_a_recipe_names_it(parent, int8, trained_run, tmp_path):
    """The step of `lentigo compress` gives the same file."""
    from lentigo.compression.steps import STEPS, Model
    from lentigo.training.named import Named

    assert {"int8", "fp16", "cluster"} <= set(STEPS.names)
    step = STEPS.make(Named(name="int8", params={"images": 40}))
    model = Model(trained_run, parent.path)
    assert step.make(model, model, tmp_path / "model.onnx").read_bytes() == int8.path.read_bytes()
    with pytest.raises(RunError, match="keep_share"):
        STEPS.make(Named(name="int8", params={"keep_share": 1.0}))
