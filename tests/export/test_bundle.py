"""The one-file bundle: computes what the network computes, describes itself, and is refused when it doesn't."""

import json
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lentigo import evaluation, export, taxonomy, training
from lentigo.errors import BundleError, OutputError, RunError
from lentigo.evaluation.calibration.scaling import fit_temperature
from lentigo.evaluation.ood.graph import OODScore, fit_run
from lentigo.export.module import ExportModule, squares
from lentigo.export.parity import POLICIES, Parity, check_parity
from lentigo.export.refit import choose_points, write
from lentigo.runtime import Bundle

NOISE = np.random.default_rng(1).integers(0, 256, (2, 40, 50, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def module(trained_run, bundle_path):
    run = trained_run
    found = ExportModule(run.network(), run.mean, run.std, run.logit_offset, Bundle(bundle_path).metadata.temperature)
    found.ood = OODScore(fit_run(run, found))
    return found


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(height=st.integers(1, 90), width=st.integers(1, 90), seed=st.integers(0, 99))
def test_it_computes_what_the_network_computes_at_any_size(bundle_path, module, height, width, seed):
    images = np.random.default_rng(seed).integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    probabilities, cam, ood_score = Bundle(bundle_path).predict(images)
    with torch.inference_mode():
        expected, expected_cam, expected_ood, embedding = module(squares(images, 32))
    assert np.abs(probabilities - expected.numpy()).max() < 1e-4
    assert np.abs(cam - expected_cam.numpy()).max() < 1e-3
    assert ood_score == pytest.approx(expected_ood.numpy(), rel=1e-3)
    assert np.abs(Bundle(bundle_path).embed(images) - embedding.numpy()).max() < 1e-4 * np.abs(embedding.numpy()).max()
    assert probabilities.sum(axis=1) == pytest.approx([1, 1], abs=1e-5)


def test_maps_decompose_the_logits(bundle_path, module):
    images = np.random.default_rng(0).integers(0, 256, (3, 40, 50, 3), dtype=np.uint8)
    probabilities, cam, _ = Bundle(bundle_path).predict(images)
    logits = cam.mean((2, 3)) + module.network.classifier.bias.detach().numpy()
    again = torch.from_numpy(logits / module.temperature.numpy()).softmax(1).numpy()
    assert again == pytest.approx(probabilities, abs=1e-5)


def test_the_linear_head_reads_the_embedding(bundle_path, module):
    images = np.random.default_rng(0).integers(0, 256, (3, 40, 50, 3), dtype=np.uint8)
    with torch.inference_mode():
        logits = module.network.classifier(torch.from_numpy(Bundle(bundle_path).embed(images))) / module.temperature
    assert logits.softmax(1).numpy() == pytest.approx(Bundle(bundle_path).predict(images).probabilities, abs=1e-5)


class TestEmbedding:
    """An optional output: its name is all that it adds, and files without it stay readable."""

    def test_it_costs_no_bytes_beyond_its_name(self, bundle_path, tmp_path):
        model = onnx.load(bundle_path)
        with_it = len(model.SerializeToString())
        (output,) = (o for o in model.graph.output if o.name == "embedding")
        model.graph.output.remove(output)
        for node in model.graph.node:
            for names in (node.input, node.output):
                names[:] = ["E" if name == "embedding" else name for name in names]
        onnx.checker.check_model(model, full_check=True)  # nothing else was there for it alone
        assert with_it - len(model.SerializeToString()) < 120

    def test_a_file_without_it_is_read_and_says_so_when_asked(self, bundle_path, tmp_path):
        model, metadata = onnx.load(bundle_path), Bundle(bundle_path).metadata
        kept = [o for o in model.graph.output if o.name != "embedding"]
        del model.graph.output[:]
        model.graph.output.extend(kept)
        write(model, metadata, tmp_path / "old.onnx")
        old = Bundle(tmp_path / "old.onnx")
        assert old.metadata.embedding is None
        assert old.predict(NOISE).probabilities == pytest.approx(Bundle(bundle_path).predict(NOISE).probabilities)
        with pytest.raises(BundleError, match=r"old.onnx: this bundle gives no embeddings.*Export the run again"):
            old.embed(NOISE)


def test_it_describes_itself(bundle_path, trained_run):
    bundle = Bundle(bundle_path)
    metadata = bundle.metadata
    assert metadata.format == 2
    assert metadata.name == bundle.name == "tiny"
    assert bundle.labels.classes == taxonomy.CLASSES
    assert bundle.labels.melanoma == "mel"
    assert metadata.split["sha256"] == trained_run.split.hash
    assert metadata.split["images"] == {"train": 189, "validation": 28, "test": 55}
    assert metadata.recipe["size"] == 32
    assert (metadata.precision, metadata.parent_sha256, metadata.members, metadata.inputs) == ("fp32", None, 1, ())
    assert metadata.parity["images"] == len(trained_run.split.test)
    assert metadata.parity["same_top_class"] == 1.0
    assert metadata.parity["largest_map_difference"] < 1e-3
    assert metadata.parity["largest_ood_difference"] < 1e-3
    assert metadata.ood_score.validation_images == len(trained_run.split.validation)
    assert 0 < metadata.metrics["equal_prevalence"]["balanced_accuracy"]["value"] < 1
    assert "not a medical device" in metadata.notice
    assert {p.target for p in metadata.operating_points} == {"melanoma", "malignancy"}
    assert "tiny" in repr(bundle)
    assert len(repr(bundle)) < 300


class TestWhatIsChosenOnTheFile:
    """The file's own outputs on the validation part, as anyone who runs it would see them."""

    @pytest.fixture(scope="class")
    @staticmethod
    def validation(bundle_path, trained_run):
        return evaluation.predict_own_part(Bundle(bundle_path, threads=1), trained_run.records, "validation")

    def test_thresholds_lie_between_two_of_its_scores(self, bundle_path, validation):
        for point in Bundle(bundle_path).metadata.operating_points:
            columns = taxonomy.class_index(("mel",) if point.target == "melanoma" else taxonomy.MALIGNANT)
            risks = validation.probabilities[:, columns].sum(axis=1)
            positive = np.isin(validation.labels, columns)
            assert (risks[positive] >= point.threshold).mean() >= point.target_sensitivity
            needed = risks[positive & (risks >= point.threshold)].min()
            below = risks[risks < point.threshold].max(initial=0.0)
            assert point.threshold == pytest.approx((needed + below) / 2, rel=1e-4)

    def test_the_ood_threshold_is_the_quantile_of_its_scores(self, bundle_path, validation):
        scores = np.sort(validation.table["ood_score"])
        rank = int(np.ceil((len(scores) + 1) * 0.96))
        assert Bundle(bundle_path).metadata.ood_score.threshold == pytest.approx(scores[min(rank, len(scores)) - 1])

    def test_the_temperature_is_that_of_its_logits(self, bundle_path, validation, trained_run):
        chosen = Bundle(bundle_path).metadata.temperature
        logits = chosen * np.log(validation.probabilities)
        again = fit_temperature(logits, validation.labels, prevalence=np.array(trained_run.prior))
        assert again == pytest.approx(chosen, rel=1e-4)

    def test_why_there_is_no_operating_point_is_recorded(self, validation):
        without = evaluation.Predictions(
            validation.table[validation.table["dx"] != "mel"].reset_index(drop=True), validation.meta
        )
        chosen = choose_points(without)
        assert [p.target for p in chosen.points] == ["malignancy"]
        assert "mel" in chosen.reasons["melanoma"]


def test_it_knows_what_it_has_seen_and_what_it_is_tested_on(bundle_path, trained_run):
    origin, split = Bundle(bundle_path).origin, trained_run.split
    for part in (split.train, split.validation):
        assert origin.seen(part.ids).all()
        assert origin.seen(part.table["lesion_id"]).all()
    assert not origin.seen(split.test.ids).any()
    assert not origin.seen(split.test.table["lesion_id"]).any()
    assert origin.test.contains(split.test.ids).all()
    assert not origin.test.contains(split.train.ids).any()


class TestSize:
    """What is no weight stays small, so that a bundle of under 100 kB is possible."""

    def test_all_but_weights_is_under_40_kb(self, bundle_path):
        model = onnx.load(bundle_path)
        layers = {name for node in model.graph.node if node.op_type in ("Conv", "Einsum") for name in node.input}
        weights = sum(len(i.raw_data) for i in model.graph.initializer if i.name in layers)
        assert bundle_path.stat().st_size - weights < 40_000

    def test_the_network_is_there_once_and_folded(self, bundle_path):
        model = onnx.load(bundle_path)
        kinds = [node.op_type for node in model.graph.node]
        assert kinds.count("Conv") == 13
        assert "BatchNormalization" not in kinds
        assert [(o.domain, o.version) for o in model.opset_import] == [("", 18)]
        assert len(model.graph.value_info) == 0
        assert max(len(node.name) for node in model.graph.node) <= 3
        assert len({node.name for node in model.graph.node}) == len(kinds)


def test_it_holds_no_path_and_no_debugging_notes(bundle_path):
    assert b"/src/lentigo" not in bundle_path.read_bytes()
    model = onnx.load(bundle_path)
    assert [p.key for p in model.metadata_props] == ["lentigo", "lentigo.sha256"]
    assert [i.name for i in model.graph.input] == ["image"]
    assert {o.name for o in model.graph.output} == {"probabilities", "cam", "ood_score", "embedding"}
    json.loads(model.metadata_props[0].value)


class TestParity:
    def test_a_bundle_that_differs_is_refused(self, bundle_path, module, trained_run):
        before = float(module.temperature)
        module.set_temperature(before * 1.5)
        try:
            with pytest.raises(BundleError, match="differs from its network: probabilities"):
                check_parity(Bundle(bundle_path), module, trained_run.split.test, images=5)
        finally:
            module.set_temperature(before)

    def test_maps_count(self, bundle_path, module, trained_run):
        """Maps that are wrong while the probabilities are right: one channel more that adds up to nothing."""

        class OtherMaps(ExportModule):
            def forward(self, x):
                probabilities, cam, *others = super().forward(x)
                return probabilities, cam.flip(3), *others

        other = OtherMaps(module.network, (0,) * 3, (1,) * 3, np.zeros(7))
        other.ood = module.ood
        other.load_state_dict(module.state_dict())
        with pytest.raises(BundleError, match="maps"):
            check_parity(Bundle(bundle_path), other, trained_run.split.test, images=5)

    @pytest.mark.parametrize("name", ["cam", "ood_score"])
    def test_an_output_that_is_on_one_side_only_is_no_parity(self, bundle_path, module, trained_run, name, monkeypatch):
        """Neither a bundle that lost its maps or scores passes for want of anything to compare, nor one with more."""
        bundle, test = Bundle(bundle_path), trained_run.split.test
        predict = bundle.predict
        bundle.predict = lambda images: predict(images)._replace(**{name: None})
        with pytest.raises(BundleError, match=f"network has an output '{name}', but the bundle has none"):
            check_parity(bundle, module, test, images=2)
        everything = module.output_names
        names = [n for n in everything if n != name]
        whole = module.forward

        class Less(type(module)):
            output_names = names

            def forward(self, x):
                return tuple(v for n, v in zip(everything, whole(x), strict=True) if n != name)

        monkeypatch.setattr(module, "__class__", Less)
        with pytest.raises(BundleError, match=f"bundle has an output '{name}', but the network has none"):
            check_parity(Bundle(bundle_path), module, test, images=2)

    @pytest.mark.parametrize("field", ["largest_difference", "largest_map_difference", "largest_ood_difference"])
    @pytest.mark.parametrize("precision", POLICIES)
    def test_every_difference_is_bounded_and_no_number_is_none(self, precision, field):
        fine = {
            "precision": precision,
            "images": 5,
            "largest_difference": 0.0,
            "same_top_class": 1.0,
            "largest_map_difference": 0.0,
            "largest_ood_difference": 0.0,
        }
        assert Parity(**fine).holds
        assert Parity(**fine | {"largest_map_difference": None}).holds
        for bad in (0.9, float("nan")):
            assert not Parity(**fine | {field: bad}).holds
        assert not Parity(**fine | {"same_top_class": 0.9}).holds

    def test_smaller_precisions_are_let_differ_more(self):
        fp32, fp16, int8 = (POLICIES[p] for p in ("fp32", "fp16", "int8"))
        assert fp32.probability < fp16.probability < int8.probability
        assert fp32.same_top_class > fp16.same_top_class > int8.same_top_class


class TestWriting:
    def test_a_good_bundle_is_not_replaced_by_a_bad_one(self, trained_run, tmp_path, monkeypatch):
        (tmp_path / "model.onnx").write_bytes(b"the good one")

        def bad(*_):
            raise BundleError("differs")

        monkeypatch.setattr("lentigo.export.assemble.check_parity", bad)
        with pytest.raises(BundleError, match="differs"):
            export.bundle(trained_run, tmp_path / "model.onnx")
        assert [p.name for p in tmp_path.iterdir()] == ["model.onnx"]
        assert (tmp_path / "model.onnx").read_bytes() == b"the good one"

    def test_bad_outputs_are_refused_before_the_work(self, trained_run, tmp_path, monkeypatch):
        monkeypatch.setattr("lentigo.export.assemble.fit_run", None)
        with pytest.raises(BundleError, match=r"\.onnx"):
            export.bundle(trained_run, tmp_path / "model.pt")
        (tmp_path / "folder.onnx").mkdir()
        with pytest.raises(OutputError, match="folder"):
            export.bundle(trained_run, tmp_path / "folder.onnx")
        (tmp_path / "file").write_text("")
        with pytest.raises(OutputError, match="file"):
            export.bundle(trained_run, tmp_path / "file" / "model.onnx")

    def test_an_unfinished_run_is_refused(self, trained_run, tmp_path):
        (tmp_path / "recipe.json").write_text((trained_run.path / "recipe.json").read_text())
        with pytest.raises(RunError, match="not finished"):
            export.bundle(training.load_run(tmp_path), tmp_path / "model.onnx")


def test_plain_onnx_runtime_is_enough(bundle_path):
    """What an engineer without lentigo does."""
    session = ort.InferenceSession(bundle_path)
    probabilities, cam, ood_score = session.run(
        ["probabilities", "cam", "ood_score"], {"image": np.full((1, 48, 64, 3), 128, np.uint8)}
    )
    assert probabilities.shape == (1, 7)
    assert cam.shape == (1, 7, 4, 4)
    assert ood_score.shape == (1,)


def test_a_bundle_states_the_weights_it_started_from(trained_run, bundle_path, tmp_path):
    assert Bundle(bundle_path).metadata.start == dict(trained_run.start)
    start = {"source": "some.safetensors", "sha256": "ab" * 32, "tensors": 3}
    made = export.bundle(replace(trained_run, start=start), tmp_path / "started.onnx")
    assert (made.metadata.start, made.metadata.options) == (start, dict(trained_run.options))


@pytest.mark.parametrize("name", [" ", "a\nb", "lentigo\x1b[31m", "x" * 256])
def test_a_name_that_no_bundle_may_have_is_refused_at_once(trained_run, tmp_path, name):
    with pytest.raises(BundleError, match="can't be the name of a model"):
        export.bundle(trained_run, tmp_path / "a.onnx", name=name)
