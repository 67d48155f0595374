"""Artefacts on real images, side by side: what the policies let through and what they don't."""

import json
from dataclasses import astuple
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from lentigo import compression, export
from lentigo.compression.differences import ALLOWED, Answers, difference
from lentigo.errors import BundleError, DataError
from lentigo.export.refit import write
from lentigo.runtime import Bundle, Outputs, shipped_models


@pytest.fixture(scope="module")
def bundle(bundle_path):
    return Bundle(bundle_path, threads=1)


@pytest.fixture
def changed(bundle, tmp_path):
    """The same with the weights of its convolutions in steps of 2 to the -5: a valid bundle of another model."""
    model = onnx.load(bundle.path)
    names = {node.input[1] for node in model.graph.node if node.op_type == "Conv"}
    for tensor in model.graph.initializer:
        if tensor.name in names:
            values = np.round(numpy_helper.to_array(tensor) * 32) / 32
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float32), tensor.name))
    write(model, bundle.metadata, tmp_path / "changed.onnx")
    return Bundle(tmp_path / "changed.onnx", threads=1)


def test_a_copy_says_the_same(bundle, synthetic_records):
    found = compression.verify(bundle, [Bundle(bundle.path, threads=1)], synthetic_records, images=20)
    (d,) = found.differences
    assert found.holds
    assert (found.images, found.seen) == (20, 0)
    assert (d.largest, d.largest_map, d.largest_ood) == (0, 0, 0)
    assert (d.same_class, d.same_decision, d.same_rejection) == (1, 1, 1)
    assert d.derived is None
    assert d.bytes == bundle.path.stat().st_size


def test_another_model_does_not(bundle, changed, synthetic_records):
    found = compression.verify(bundle, [bundle, changed], synthetic_records, images=20)
    assert not found.holds
    same, other = found.differences
    assert same.holds
    assert other.allowed == "fp32"
    assert any(fault.startswith("a probability differs by") for fault in other.faults)
    assert "violates the policy" in found.to_markdown()
    assert json.loads(json.dumps(found.to_dict()))["holds"] is False


def test_seen_images_are_taken_only_where_there_are_no_others(bundle, trained_run):
    test = compression.verify(bundle, [bundle], trained_run.split.records, images=500)
    assert (test.images, test.seen) == (len(trained_run.split.test), 0)
    seen = compression.verify(bundle, [bundle], trained_run.split.train, images=10)
    assert (seen.images, seen.seen) == (10, 10)
    assert "10 of which it was trained or tuned on" in seen.to_markdown()


def test_a_model_and_its_packed_form_are_one(synthetic_root, tmp_path):
    shipped = shipped_models()["lentigo-s"]
    export.convert(shipped, tmp_path / "packed.onnx.zst")
    found = compression.verify_files(shipped, [tmp_path / "packed.onnx.zst"], synthetic_root, images=1)
    assert found.holds
    assert "made from another file" not in found.to_markdown()  # but from the same as it was


def test_the_documentation_states_the_policies():
    text = (Path(__file__).parents[2] / "docs" / "compression.md").read_text(encoding="utf-8")
    rows = [[c.strip(" `") for c in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| `")]
    stated = {row[0]: row[1:] for row in rows if len(row) == 7 and row[0] in ALLOWED}
    assert list(stated) == list(ALLOWED)
    for precision, row in stated.items():
        values = [float(c.removesuffix(" %")) / (100 if c.endswith("%") else 1) for c in row]
        assert values == pytest.approx(list(astuple(ALLOWED[precision])))


@pytest.mark.parametrize("precision", ALLOWED)
def test_every_number_is_bounded_and_none_passes_for_want_of_one(bundle, precision):
    like = type("Model", (), {"labels": bundle.labels, "origin": bundle.origin, "name": "m", "sha256": "0" * 64})()
    like.metadata = bundle.metadata.model_copy(update={"precision": precision})
    images = np.random.default_rng(0).integers(0, 256, (6, 40, 40, 3), dtype=np.uint8)
    outputs = [bundle.predict(image[None]) for image in images]
    first = Answers(bundle, outputs)

    def faults(**changes):
        found = [Outputs(**{**o._asdict(), **{k: f(getattr(o, k)) for k, f in changes.items()}}) for o in outputs]
        return " ".join(difference(first, Answers(like, found)).faults)

    assert faults() == ""
    flipped = faults(probabilities=lambda p: p[:, ::-1])
    assert "a probability" in flipped
    assert "in the mean" in flipped
    assert "same class" in flipped
    assert "same rejection" in faults(ood_score=lambda s: s * 0)
    assert "no number" in faults(ood_score=lambda s: s * np.nan)
    assert "a map" in faults(cam=lambda c: -c)
    assert "a map" in faults(cam=lambda c: c * np.nan)
    assert "a probability" in faults(probabilities=lambda p: p * np.nan)
    assert "only one of them has maps" in faults(cam=lambda _: None)
    assert "only one of them has OOD scores" in faults(ood_score=lambda _: None)
    like.metadata = like.metadata.model_copy(update={"operating_points": ()})
    assert faults() == ""
    assert "m has no operating points" in difference(first, Answers(like, outputs)).notes[0]
    points = tuple(p.model_copy(update={"threshold": 0.0}) for p in bundle.metadata.operating_points)
    like.metadata = like.metadata.model_copy(update={"operating_points": points})
    first.metadata = bundle.metadata.model_copy(
        update={"operating_points": tuple(p.model_copy(update={"threshold": 1.0}) for p in points)}
    )
    assert "same decision" in faults()


def test_nothing_to_compare_and_other_classes_are_refused(bundle, synthetic_records):
    with pytest.raises(DataError, match="nothing to compare"):
        compression.verify(bundle, [], synthetic_records)
    with pytest.raises(DataError, match="0 images"):
        compression.verify(bundle, [bundle], synthetic_records, images=0)
    other = Bundle(bundle.path)
    labels = other.metadata.heads[0].label_set
    head = other.metadata.heads[0].model_copy(update={"label_set": {**labels, "labels": labels["labels"][::-1]}})
    other.metadata = other.metadata.model_copy(update={"heads": (head,)})
    with pytest.raises(BundleError, match="same classes in the same order"):
        compression.verify(bundle, [other], synthetic_records)


def test_the_command_fails_where_a_policy_is_violated(run, bundle, changed, synthetic_root, tmp_path):
    code, said, _ = run("verify", bundle.path, bundle.path, "--data", synthetic_root, "--images", 10)
    assert code == 0
    assert "within the policy" in said
    assert run("verify", "lentigo-s", "lentigo-s", "--data", synthetic_root, "--images", 4)[0] == 0
    out = tmp_path / "v.json"
    code, said, _ = run("verify", bundle.path, changed.path, "--data", synthetic_root, "--images", 10, "--out", out)
    assert code == 1
    assert "violates the policy" in said
    assert json.loads(out.read_text())["differences"][0]["faults"]
    code, _, err = run("verify", bundle.path, changed.path, "--data", synthetic_root, "--out", tmp_path / "v.txt")
    assert code == 1
    assert ".json or .md" in err
    damaged = tmp_path / "damaged.onnx"
    content = bytearray(bundle.path.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    for file in (damaged, tmp_path / "nothing.onnx"):
        code, _, err = run("verify", bundle.path, file, "--data", synthetic_root)
        assert code == 1
        assert str(file) in err
