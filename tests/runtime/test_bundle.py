"""Opening bundles: format 1 and 2, what is damaged, foreign or not what it says, and inputs that may be missing."""

import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from lentigo import Classifier, taxonomy
from lentigo.errors import BundleError
from lentigo.labels import BINARY
from lentigo.runtime import Bundle, Ensemble, Outputs, shipped_models
from lentigo.runtime.bundle import HASH_KEY, METADATA_KEY, sealed

FIXTURES = Path(__file__).parent.parent / "fixtures"
NOISE = np.random.default_rng(0).integers(0, 256, (3, 40, 50, 3), dtype=np.uint8)


def rewritten(path, out, change=None, *, graph=None):
    """A copy of a bundle with changed metadata or graph and a hash that fits."""
    model = onnx.load(path)
    values = json.loads(next(p.value for p in model.metadata_props if p.key == METADATA_KEY))
    if change:
        change(values)
    if graph:
        graph(model.graph)
    del model.metadata_props[:]
    model.metadata_props.add(key=METADATA_KEY, value=json.dumps(values))
    model.metadata_props.add(key=HASH_KEY, value="0" * 64)
    out.write_bytes(sealed(model.SerializeToString()))
    return out


class TestFormat1:
    @pytest.fixture
    def bundle(self):
        return Bundle(FIXTURES / "format_1.onnx")

    def test_it_computes_what_it_computed(self, bundle):
        before = np.load(FIXTURES / "format_1.npz")
        outputs = bundle.predict(NOISE)
        assert outputs.probabilities == pytest.approx(before["probabilities"], abs=1e-6)
        assert outputs.cam == pytest.approx(before["cam"], abs=1e-4)
        assert outputs.ood_score == pytest.approx(before["oddness"], rel=1e-4)  # old name

    def test_its_metadata_have_the_new_names(self, bundle):
        assert bundle.labels.classes == taxonomy.CLASSES
        assert bundle.metadata.ood_score.threshold == pytest.approx(1.0)
        assert bundle.metadata.ood_score.target_fpr == 0.04
        assert {p.view for p in bundle.metadata.operating_points} == {"equal_prevalence"}
        assert {p.target_sensitivity for p in bundle.metadata.operating_points} == {0.95}
        assert bundle.metadata.split["folds"] == 5

    def test_it_knows_what_it_has_seen(self, bundle):
        assert bundle.origin.seen(["ISIC_9000000", "ISIC_9000005", "ISIC_0024306"]).tolist() == [True, False, False]
        assert len(bundle.origin.test) == 0


class TestDamage:
    def test_every_flipped_byte_is_found(self, bundle_path, tmp_path):
        content = bundle_path.read_bytes()
        for place in np.linspace(0, len(content) - 1, 25).astype(int):
            changed = bytearray(content)
            changed[place] ^= 1
            (tmp_path / "changed.onnx").write_bytes(changed)
            with pytest.raises(BundleError):
                Bundle(tmp_path / "changed.onnx")

    def test_changed_metadata_are_found(self, bundle_path, tmp_path):
        content = bundle_path.read_bytes()
        assert content.count(b'"target_sensitivity":0.95') == 2
        (tmp_path / "x.onnx").write_bytes(content.replace(b'"target_sensitivity":0.95', b'"target_sensitivity":0.99'))
        with pytest.raises(BundleError, match="changed since it was written"):
            Bundle(tmp_path / "x.onnx")

    def test_a_missing_hash_is_no_way_around_it(self, bundle_path, tmp_path):
        model = onnx.load(bundle_path)
        del model.metadata_props[1]
        onnx.save(model, tmp_path / "x.onnx")
        with pytest.raises(BundleError, match="changed since it was written"):
            Bundle(tmp_path / "x.onnx")

    def test_absent(self, tmp_path):
        with pytest.raises(BundleError, match="no such file"):
            Bundle(tmp_path / "absent.onnx")

    def test_no_onnx(self, tmp_path):
        (tmp_path / "text.onnx").write_text("hello")
        with pytest.raises(BundleError, match="not a readable ONNX model"):
            Bundle(tmp_path / "text.onnx")

    def test_truncated(self, bundle_path, tmp_path):
        (tmp_path / "half.onnx").write_bytes(bundle_path.read_bytes()[:5000])
        with pytest.raises(BundleError):
            Bundle(tmp_path / "half.onnx")

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            (None, "not a lentigo bundle"),
            ("{}", "damaged"),
            ("?", "damaged"),
            ("[1]", "damaged"),
            ('{"format": 2}', "written"),
        ],
    )
    def test_without_metadata(self, bundle_path, tmp_path, text, words):
        model = onnx.load(bundle_path)
        if text is None:
            del model.metadata_props[:]
        else:
            model.metadata_props[0].value = text
        onnx.save(model, tmp_path / "other.onnx")
        with pytest.raises(BundleError, match=words):
            Bundle(tmp_path / "other.onnx")

    def test_of_a_newer_format(self, bundle_path, tmp_path):
        with pytest.raises(BundleError, match="newer"):
            Bundle(rewritten(bundle_path, tmp_path / "newer.onnx", lambda v: v.update(format=99)))


class TestTheGraphIsWhatTheMetadataSay:
    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda v: v["heads"][0]["label_set"]["labels"].pop(), "columns"),
            (lambda v: v["heads"].clear(), "damaged"),
            (lambda v: v["heads"][0]["label_set"]["labels"][0].update(id="bcc"), "label set"),
            (lambda v: v.update(training_prevalence=[0.5, 0.5]), "prevalence of 2 of 7"),
            (lambda v: v.update(ood_score=None), "OOD"),
            (lambda v: v.update(embedding=None), "its embedding is 192, but none is declared"),
            (lambda v: v.update(embedding=7), "its embedding is 192, but 7 is declared"),
            (lambda v: v.update(inputs=[{"name": "age", "kind": "number", "missing": -1}]), "inputs"),
            (lambda v: v.update(operating_points=[{"target": "melanoma"}]), "damaged"),
            (lambda v: v["operating_points"][0].update(target="mole"), "damaged"),
            (lambda v: v["operating_points"][0].update(threshold=1.5), "damaged"),
            (lambda v: v["operating_points"][0].update(threshold=float("nan")), "damaged"),
            (lambda v: v.update(precision="int3"), "damaged"),
        ],
    )
    def test_metadata_of_another_graph(self, bundle_path, tmp_path, change, words):
        with pytest.raises(BundleError, match=words):
            Bundle(rewritten(bundle_path, tmp_path / "x.onnx", change))

    def test_classes_in_another_order_are_taken_by_name(self, bundle_path, tmp_path):
        """A graph with its columns reversed, and metadata that say so: the same probability for each diagnosis."""

        def reverse(graph):
            graph.initializer.append(numpy_helper.from_array(np.arange(6, -1, -1), "order"))
            for node in graph.node:
                for names in (node.input, node.output):
                    for i, name in enumerate(names):
                        if name in ("probabilities", "cam"):
                            names[i] = f"{name}_"
            graph.node.extend(
                helper.make_node("Gather", [f"{n}_", "order"], [n], axis=1) for n in ("probabilities", "cam")
            )

        def metadata(values):
            values["heads"][0]["label_set"]["labels"].reverse()
            values["training_prevalence"].reverse()

        reversed_ = Bundle(rewritten(bundle_path, tmp_path / "x.onnx", metadata, graph=reverse))
        plain = Bundle(bundle_path)
        a, b = plain.predict(NOISE), reversed_.predict(NOISE)
        assert b.probabilities[:, ::-1] == pytest.approx(a.probabilities)
        assert reversed_.labels.classes == plain.labels.classes[::-1]
        both = Ensemble([plain, reversed_])
        assert both.predict(NOISE).probabilities == pytest.approx(a.probabilities)


@pytest.fixture
def toy(bundle_path, tmp_path):
    """A bundle without maps and OOD score that takes an age and a site: each known one makes melanoma likelier."""
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", "H", "W", 3])
    age = helper.make_tensor_value_info("age", TensorProto.FLOAT, ["N"])
    site = helper.make_tensor_value_info("site", TensorProto.INT64, ["N"])
    out = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 7])
    weights = np.zeros((2, 7), np.float32)
    weights[:, 4] = 1
    nodes = [
        helper.make_node("Max", ["age", "zero"], ["known_age"]),
        helper.make_node("Cast", ["site"], ["site_f"], to=TensorProto.FLOAT),
        helper.make_node("Max", ["site_f", "zero"], ["known_site"]),
        helper.make_node("Unsqueeze", ["known_age", "one"], ["a"]),
        helper.make_node("Unsqueeze", ["known_site", "one"], ["b"]),
        helper.make_node("Concat", ["a", "b"], ["both"], axis=1),
        helper.make_node("MatMul", ["both", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    constants = [
        numpy_helper.from_array(np.float32(0), "zero"),
        numpy_helper.from_array(np.array([1]), "one"),
        numpy_helper.from_array(weights, "weights"),
    ]
    graph = helper.make_graph(nodes, "toy", [image, age, site], [out], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    values = json.loads(onnx.load(bundle_path).metadata_props[0].value)
    values |= {
        "ood_score": None,
        "embedding": None,
        "members": 3,
        "inputs": [
            {"name": "age", "kind": "number", "missing": -1},
            {"name": "site", "kind": "category", "missing": -1, "categories": ["back", "face"]},
        ],
    }
    model.metadata_props.add(key=METADATA_KEY, value=json.dumps(values))
    onnx.save(model, tmp_path / "plain.onnx")
    return Bundle(rewritten(tmp_path / "plain.onnx", tmp_path / "toy.onnx"))


class TestOptionalInputs:
    def test_what_is_not_known_stands_for_missing(self, toy):
        outputs = toy.predict(NOISE)
        assert outputs.probabilities == pytest.approx(np.full((3, 7), 1 / 7))
        assert toy.predict(NOISE, age=np.array([2, 0, -1])).probabilities[0, 4] > 0.3
        assert toy.predict(NOISE, site=np.array([1, 1, 1])).probabilities[2, 4] > 0.2

    def test_an_unknown_input_is_an_error(self, toy):
        with pytest.raises(BundleError, match="no input sex"):
            toy.predict(NOISE, sex=np.zeros(3))

    def test_no_maps_and_no_score_are_none(self, toy):
        assert toy.predict(NOISE)[1:] == (None, None)
        assert not toy.has_maps
        with pytest.raises(BundleError, match="gives no embeddings"):
            toy.embed(NOISE)
        assert toy.metadata.members == 3

    def test_a_verdict_comes_without_them(self, toy):
        verdict = Classifier(toy).classify(np.random.default_rng(0).integers(0, 256, (80, 90, 3), dtype=np.uint8))
        assert verdict.gradable
        assert (verdict.ood_score, verdict.to_dict()["ood_threshold"]) == (None, None)
        with pytest.raises(BundleError, match="no class-activation maps"):
            verdict.heatmap()
        assert verdict.overlay().size[0] > 90


class TestEnsemble:
    def test_it_is_the_mean(self, bundle_path):
        one, other = Bundle(bundle_path), Bundle(FIXTURES / "format_1.onnx")
        both = Ensemble([one, other])
        a, b, mean = one.predict(NOISE), other.predict(NOISE), both.predict(NOISE)
        assert mean.probabilities == pytest.approx((a.probabilities + b.probabilities) / 2)
        assert mean.ood_score == pytest.approx(np.maximum(a.ood_score, b.ood_score))
        assert mean.cam is None
        assert both.sha256 not in (one.sha256, other.sha256)
        assert both.origin.seen(["ISIC_9000000"]).all()

    def test_other_classes_or_nobody_are_refused(self, bundle_path):
        class Other:
            name, labels = "other", BINARY

        with pytest.raises(BundleError, match="other distinguishes"):
            Ensemble([Bundle(bundle_path), Other()])
        with pytest.raises(BundleError, match="needs at least one member"):
            Ensemble([])

    def test_one_without_a_score_takes_it_away(self, bundle_path, toy):
        assert Ensemble([Bundle(bundle_path), toy]).predict(NOISE).ood_score is None


def test_outputs_have_names():
    assert Outputs._fields == ("probabilities", "cam", "ood_score")


def grown(rollup, first, second):
    """Megabytes of memory of this process's own."""
    bundle, used = Bundle(shipped_models()["lentigo-s"], threads=1), []
    for shape in (first, second):
        bundle.predict(np.zeros(shape, np.uint8))
        lines = rollup.read_text().splitlines()
        used.append(next(int(line.split()[1]) / 1000 for line in lines if line.startswith("Private_Dirty")))
    return used[1] - used[0]


class TestMemory:
    """What was computed leaves no memory taken that the next image doesn't need."""

    ROLLUP = Path("/proc/self/smaps_rollup")
    pytestmark = pytest.mark.skipif(not ROLLUP.exists(), reason="the memory of a process is read from Linux")

    def growth(self, first, second):
        """Megabytes that a process of its own grows by from the first to the second batch."""
        with ProcessPoolExecutor(1, get_context("spawn")) as fresh:
            return fresh.submit(grown, self.ROLLUP, first, second).result()

    def test_of_a_large_image(self):
        assert self.growth((4, 150, 200, 3), (1, 2400, 3000, 3)) < 40

    def test_of_a_size_that_comes_again(self):
        assert self.growth((1, 450, 600, 3), (1, 450, 600, 3)) < 8
