"""The one-file bundle: says what the network says, describes itself, and fails loudly when it does not."""

import json

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lentigo import evaluation, export, taxonomy, training
from lentigo.errors import BundleError, RunError
from lentigo.export.graph import ExportModule, squares
from lentigo.export.ood import fit_run
from lentigo.export.parity import check_parity
from lentigo.runtime import Bundle


@pytest.fixture(scope="module")
def explained(trained_run):
    return ExportModule(
        trained_run.network(),
        trained_run.mean,
        trained_run.std,
        trained_run.logit_offset,
        evaluation.calibrate(trained_run).temperature,
        fit_run(trained_run),
    )


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(height=st.integers(1, 90), width=st.integers(1, 90), seed=st.integers(0, 99))
def test_it_says_what_the_network_says_at_any_size(bundle_path, explained, height, width, seed):
    images = np.random.default_rng(seed).integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    probabilities, cam, ood_score = Bundle(bundle_path).run(images)
    with torch.inference_mode():
        wanted, wanted_cam, expected_ood = explained(squares(images, 32))
    assert np.abs(probabilities - wanted.numpy()).max() < 1e-4
    assert np.abs(cam - wanted_cam.numpy()).max() < 1e-3
    assert ood_score == pytest.approx(expected_ood.numpy(), rel=1e-3)
    assert probabilities.sum(axis=1) == pytest.approx([1, 1], abs=1e-5)


def test_maps_decompose_the_logits(bundle_path, explained):
    images = np.random.default_rng(0).integers(0, 256, (3, 40, 50, 3), dtype=np.uint8)
    probabilities, cam, _ = Bundle(bundle_path).run(images)
    logits = cam.mean((2, 3)) + explained.network.classifier.bias.detach().numpy()
    again = torch.from_numpy(logits / explained.temperature).softmax(1).numpy()
    assert again == pytest.approx(probabilities, abs=1e-5)


def test_it_describes_itself(bundle_path, trained_run):
    metadata = Bundle(bundle_path).metadata
    assert metadata.name == "tiny"
    assert metadata.classes == taxonomy.CLASSES
    assert metadata.split["sha256"] == trained_run.split.hash
    assert metadata.recipe["size"] == 32
    assert metadata.parity["images"] == len(trained_run.split.test)
    assert metadata.parity["same_top_class"] == 1.0
    assert metadata.parity["largest_ood_difference"] < 1e-3
    assert metadata.ood_score.validation_images == len(trained_run.split.validation)
    assert 0 < metadata.metrics["equal_prevalence"]["balanced_accuracy"]["value"] < 1
    assert "not a medical device" in metadata.notice
    assert {p.target for p in metadata.operating_points} == {"melanoma", "malignancy"}


def test_operating_points_find_the_wanted_share_on_validation(bundle_path, trained_run):
    table = evaluation.predict_part(trained_run, "validation")
    for point in Bundle(bundle_path).metadata.operating_points:
        columns = taxonomy.class_index(("mel",) if point.target == "melanoma" else taxonomy.MALIGNANT)
        risks = table.probabilities[:, columns].sum(axis=1)[np.isin(table.labels, columns)]
        assert (risks >= point.threshold).mean() >= point.target_sensitivity


def test_it_knows_what_it_has_seen(bundle_path, trained_run):
    bundle, split = Bundle(bundle_path), trained_run.split
    assert bundle.seen(split.train.ids).all()
    assert bundle.seen(split.validation.ids).all()
    assert bundle.seen(split.train.table["lesion_id"]).all()
    assert not bundle.seen(split.test.ids).any()
    assert not bundle.seen(split.test.table["lesion_id"]).any()


def test_it_holds_no_path_and_no_debugging_notes(bundle_path):
    assert b"/src/lentigo" not in bundle_path.read_bytes()
    model = onnx.load(bundle_path)
    assert [p.key for p in model.metadata_props] == ["lentigo"]
    assert [i.name for i in model.graph.input] == ["image"]
    assert {o.name for o in model.graph.output} == {"probabilities", "cam", "ood_score"}
    json.loads(model.metadata_props[0].value)


def test_a_bundle_that_differs_is_refused(bundle_path, explained, trained_run, tmp_path):
    explained.temperature *= 1.5
    try:
        with pytest.raises(BundleError, match="differs from its network"):
            check_parity(Bundle(bundle_path), explained, trained_run.split.test, images=5)
    finally:
        explained.temperature /= 1.5


def test_nothing_is_written_when_parity_fails(trained_run, tmp_path, monkeypatch):
    monkeypatch.setattr("lentigo.export.parity.TOLERANCE", 0.0)
    with pytest.raises(BundleError, match="differs"):
        export.bundle(trained_run, tmp_path / "bad.onnx")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_exported_is_said(trained_run, tmp_path):
    with pytest.raises(BundleError, match=r"\.onnx"):
        export.bundle(trained_run, tmp_path / "model.pt")
    (tmp_path / "recipe.json").write_text((trained_run.path / "recipe.json").read_text())
    with pytest.raises(RunError, match="not finished"):
        export.bundle(training.load_run(tmp_path), tmp_path / "model.onnx")


class TestForeignFiles:
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

    @pytest.mark.parametrize(("text", "words"), [(None, "no bundle of lentigo"), ("{}", "damaged"), ("?", "damaged")])
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
        model = onnx.load(bundle_path)
        values = json.loads(model.metadata_props[0].value) | {"format": 99}
        model.metadata_props[0].value = json.dumps(values)
        onnx.save(model, tmp_path / "newer.onnx")
        with pytest.raises(BundleError, match="newer"):
            Bundle(tmp_path / "newer.onnx")


def test_plain_onnx_runtime_is_enough(bundle_path):
    """What an engineer without lentigo does."""
    session = ort.InferenceSession(bundle_path)
    probabilities, cam, ood_score = session.run(None, {"image": np.full((1, 48, 64, 3), 128, np.uint8)})
    assert probabilities.shape == (1, 7)
    assert cam.shape == (1, 7, 4, 4)
    assert ood_score.shape == (1,)
