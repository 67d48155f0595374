"""What holds models back: the price of points is computed from what was measured, on the same images."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from lentigo import data
from lentigo.training import Recipe
from tests.evaluation.imagined import make

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
import learning_curve
import limits


def test_a_mean_of_models_is_over_the_same_images_in_any_order():
    one, other = make(seed=1), make(seed=1, skill=1.0)
    turned = other.replaced(other.probabilities)
    turned = type(other)(turned.table.iloc[::-1].reset_index(drop=True), other.meta)
    both = limits.mean_of([one, turned])
    np.testing.assert_allclose(both.probabilities, (one.probabilities + other.probabilities) / 2)
    with pytest.raises(SystemExit, match="other images"):
        limits.mean_of([one, make(images=300, seed=1)])


@pytest.mark.parametrize(
    ("skills", "words"), [((1.0, 1.6, 2.2), "the next 2 points would take"), ((2.2, 1.6, 1.0), "nothing")]
)
def test_the_price_of_points_follows_the_measured_slope(tmp_path, monkeypatch, skills, words):
    *parts, whole = (make(images=600, seed=3, skill=skill) for skill in skills)
    for share, predictions in zip((0.25, 0.5), parts, strict=True):
        folder = tmp_path / f"share-{share:g}"
        folder.mkdir()
        predictions.save(folder / "predictions.parquet")
    (tmp_path / "share-0.75").mkdir()  # begun
    monkeypatch.setattr(limits, "load_run", lambda path: SimpleNamespace(split=SimpleNamespace(train=range(10))))
    text, rows = limits.learning(whole, limits.shares_of(tmp_path), 50)
    assert [row["share"] for row in rows] == ["0.25", "0.5", "1"]
    assert words in text


def test_misses_are_counted_by_what_they_were_taken_for():
    found = make(images=500, seed=2)
    text, rows = limits.by_diagnosis({"model": found}, 20)
    missed = found.labels[~found.correct]
    assert sum(row["images"] for row in rows) == 500
    for k, row in enumerate(rows):
        lost = int((missed == k).sum())
        assert row["cells"][1] == "–" if not lost else row["cells"][1].endswith(f"of {lost})")
    assert "points" in text


def test_shares_are_nested_and_leave_validation_and_test_alone(synthetic_records):
    split = data.split(synthetic_records)
    small, larger = (learning_curve.thinned(split, share) for share in (0.25, 0.5))
    assert set(small.train.ids) < set(larger.train.ids) < set(split.train.ids)
    for part in ("validation", "test"):
        assert list(small.part(part).ids) == list(split.part(part).ids)
    assert set(small.train.table["dx"]) == set(split.train.table["dx"])


def test_a_share_is_trained_in_as_many_steps(synthetic_records, tmp_path, monkeypatch):
    asked = {}
    whole = SimpleNamespace(model="compact", recipe=Recipe(epochs=6), options={}, split=data.split(synthetic_records))
    monkeypatch.setattr(
        learning_curve.training, "train", lambda *given, **named: asked.update(recipe=given[2], **named)
    )
    monkeypatch.setattr(learning_curve, "predict_part", lambda run, part: SimpleNamespace(save=lambda path: None))
    learning_curve.trained(whole, 0.25, tmp_path / "w", tmp_path / "share-0.25")
    assert asked["recipe"].epochs == 24
    assert asked["resume"] is False
