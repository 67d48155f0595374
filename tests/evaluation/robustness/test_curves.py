"""Perturbations harm more as they grow, and a bundle meets each of them in a repeatable way."""

import sys

import numpy as np
import pytest

from lentigo.data.content import content_marks
from lentigo.errors import DataError, LeakError
from lentigo.evaluation.predict import predict
from lentigo.evaluation.robustness import perturb
from lentigo.evaluation.robustness.curves import Robustness, _changes, _choose, robustness
from lentigo.evaluation.robustness.perturb import PERTURBATIONS
from lentigo.runtime import Bundle, decode


@pytest.fixture(scope="module")
def image(synthetic_records):
    return decode(synthetic_records.table["path"][0])


@pytest.fixture(scope="module")
def found(trained_run, bundle_path):
    return robustness(Bundle(bundle_path, threads=1), trained_run.split.test, limit=14, replicates=50)


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_a_perturbation_is_pure_and_repeatable(name, image):
    before = image.copy()
    for strength in PERTURBATIONS[name].strengths:
        first, again = (PERTURBATIONS[name].apply(image, strength, np.random.default_rng(7)) for _ in range(2))
        assert first.dtype == np.uint8
        assert first.ndim == 3
        assert (first == again).all()
        assert first.shape != image.shape or (first != image).any()
    assert (image == before).all()


@pytest.mark.parametrize("name", ["blur", "noise", "JPEG", "brightness", "colour cast", "hair"])
def test_strengths_ascend_in_harm(name, image):
    harm = [
        np.abs(PERTURBATIONS[name].apply(image, s, np.random.default_rng(7)).astype(float) - image).mean()
        for s in PERTURBATIONS[name].strengths
    ]
    assert len(harm) == 5
    assert harm == sorted(harm)


def test_known_outcomes(image):
    rng = np.random.default_rng(0)
    assert perturb.crop(image, 0.5, rng).shape == (image.shape[0] // 2, image.shape[1] // 2, 3)
    assert np.abs(perturb.rotation(image, 180, rng).astype(int) - image[::-1, ::-1]).max() <= 1
    assert (perturb.brightness(image, 0.0, rng) == image).all()
    assert (perturb.colour_cast(image, 0.0, rng) == image).all()
    grey = np.full((200, 200, 3), 128, dtype=np.uint8)
    assert perturb.noise(grey, 16, rng).std() == pytest.approx(16, rel=0.02)
    few, many = (perturb.hair(grey, n, np.random.default_rng(1)) < 120 for n in (6, 24))
    assert (many | ~few).all()  # the hairs of the weaker are among the stronger's


def test_every_curve_has_five_points(found):
    assert set(found.curves) == set(PERTURBATIONS)
    for name, curve in found.curves.items():
        assert tuple(p.strength for p in curve.points) == PERTURBATIONS[name].strengths
        for point in curve.points:
            assert point.images == 14
            for level in ("balanced_accuracy", "auc_melanoma"):
                value, intact = getattr(point, level).value, getattr(found.intact, level).value
                assert getattr(point, f"{level}_change").value == pytest.approx(value - intact)
    assert found.intact.balanced_accuracy_change.value == 0


def test_numbers_are_those_of_the_bundle(found, trained_run, bundle_path):
    """One setting by hand: rotated images, decided one by one."""
    bundle = Bundle(bundle_path, threads=1)
    chosen = _choose(trained_run.split.test, 14, 0)
    intact = predict(bundle, chosen)
    per_class = [
        np.mean(intact.probabilities[intact.labels == k].argmax(axis=1) == k) for k in np.unique(intact.labels)
    ]
    assert found.intact.balanced_accuracy.value == pytest.approx(np.mean(per_class))
    position = list(PERTURBATIONS).index("rotation") * 5 + 3
    hits = []
    for i, path, label in zip(chosen.ids, chosen.table["path"], chosen.labels, strict=True):
        changed = list(_changes(decode(path), i, 0))[position]
        hits.append((label, bundle.predict(changed[None])[0][0].argmax() == label))
    expected = np.mean([np.mean([h for k, h in hits if k == label]) for label in {k for k, _ in hits}])
    assert found.curves["rotation"].points[3].balanced_accuracy.value == pytest.approx(expected)


def test_it_survives_json(found):
    assert Robustness.from_json(found.to_json()) == found


def test_the_choice_is_even_and_of_many_lesions(synthetic_records):
    chosen = _choose(synthetic_records, 42, seed=0)
    counts, available = chosen.counts(), synthetic_records.counts()
    assert len(chosen) == 42
    assert all(n >= min(6, available[c]) for c, n in counts.items())
    assert chosen.table["lesion_id"].nunique() == 42
    assert list(chosen.ids) == list(_choose(synthetic_records, 42, seed=0).ids)
    assert list(chosen.ids) != list(_choose(synthetic_records, 42, seed=1).ids)
    assert len(_choose(synthetic_records, 10_000, seed=0)) == len(synthetic_records)


def test_bad_limits_and_seen_images_are_refused(trained_run, bundle_path):
    bundle = Bundle(bundle_path)
    with pytest.raises(DataError, match="limit"):
        robustness(bundle, trained_run.split.test, limit=0)
    with pytest.raises(LeakError):
        robustness(bundle, trained_run.split.train, limit=7)


def test_a_bundles_own_test_part_keeps_its_provenance(trained_run, bundle_path):
    found = robustness(Bundle(bundle_path, threads=1), trained_run.records, own_test=True, limit=4, replicates=0)
    assert found.provenance.split_sha256 == trained_run.split.hash
    assert found.provenance.part == "test"
    assert (found.available, found.provenance.images) == (len(trained_run.split.test), 4)


def test_an_interrupted_call_goes_on_with_the_same_result(trained_run, bundle_path, tmp_path, monkeypatch):
    bundle, records, partial = Bundle(bundle_path, threads=1), trained_run.split.test, tmp_path / "partial.npz"
    whole, chosen = robustness(bundle, records, limit=6, replicates=0), _choose(records, 6, 0)
    robustness(bundle, records.take(chosen.ids[:3]), limit=None, replicates=0, partial=partial)
    kept = chosen.ids[:3].tolist()
    assert np.load(partial)["marks"].tolist() == content_marks(records.take(kept))
    asked = []
    module = sys.modules["lentigo.evaluation.robustness.curves"]  # the package's attribute of that name is the function
    monkeypatch.setattr(module, "_changes", lambda image, i, seed: asked.append(i) or _changes(image, i, seed))
    resumed = robustness(bundle, records, limit=6, replicates=0, partial=partial)
    assert resumed == whole
    assert sorted(asked) == sorted(set(chosen.ids) - set(kept))
    partial.write_bytes(b"damaged")
    assert robustness(bundle, records, limit=6, replicates=0, partial=partial) == whole
