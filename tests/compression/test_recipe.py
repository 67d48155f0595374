"""A recipe is checked before anything runs."""

import json

import pytest

from lentigo.compression import CompressionRecipe
from lentigo.compression.steps import STEPS, Step
from lentigo.errors import RunError


@pytest.fixture(autouse=True)
def toy_steps(monkeypatch):
    """Steps of each kind that do nothing."""

    def step(name, **entries):
        def make(strength: float = 1.0) -> Step:
            return Step(make=lambda *_: None, **entries)

        make.__name__ = name
        return make

    makers = {
        "shrink": step("shrink", of="network"),
        "prepare": step("prepare", of="network", needs=("round",)),
        "round": step("round", of="file", precision=True),
        "halve": step("halve", of="file", precision=True),
        "pack": step("pack", of="file", suffix=".onnx.zst", last=True),
    }
    monkeypatch.setattr(STEPS, "_makers", makers)


def test_a_short_name_a_file_and_values_say_the_same(tmp_path):
    path = tmp_path / "small.json"
    path.write_text(json.dumps({"steps": ["shrink", {"name": "round", "params": {"strength": 2.0}}]}))
    named, filed = CompressionRecipe.of("shrink+round"), CompressionRecipe.of(str(path))
    assert named.names == filed.names == ("shrink", "round") and str(filed) == "shrink+round"
    assert filed.steps[1].params == {"strength": 2.0}
    assert CompressionRecipe.of({"steps": ["shrink", "round"]}) == named == CompressionRecipe.of(" shrink + round ")
    assert CompressionRecipe.of(named) is named


def test_a_recipe_is_read_back_as_it_was_written():
    recipe = CompressionRecipe.of({"steps": ["round"], "gate": {"auc": 0.2, "ece": None}})
    again = CompressionRecipe.model_validate_json(recipe.model_dump_json())
    assert again == recipe and again.gate.auc == 0.2 and again.gate.ece is None


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ("", "Unknown compression step ''"),
        ("shrink+", "Unknown compression step ''"),
        ("shrnk", "Did you mean 'shrink'"),
        ("round+shrink", "Put shrink first"),
        ("shrink+shrink", "shrink stands in it twice"),
        ("halve+round", "halve and round both decide the precision"),
        ("pack+round", "Put pack last"),
        ("prepare", "Add that after prepare"),
        ("prepare+halve", "prepare only prepares a network for round"),
        ({"steps": []}, "steps"),
        ({}, "lacks steps"),
        ({"steps": "round"}, "steps"),
        ({"step": ["round"]}, "no entry 'step'"),
        ({"steps": [{"name": "round", "params": {"strength": "much"}}]}, "strength is 'much'"),
        ({"steps": [{"name": "round", "params": {"power": 1.0}}]}, "Its parameters: strength"),
        ({"steps": ["round"], "gate": {"auc": 2}}, r"auc is 2.*a number from 0 to 1, or null"),
        ({"steps": ["round"], "gate": 3}, "gate"),
    ],
)
def test_what_cannot_run_is_refused_with_the_reason(recipe, words):
    with pytest.raises(RunError, match=words):
        CompressionRecipe.of(recipe)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"steps": ["roung"]}', '{"steps": ["round"], "steps": ["halve"]}'])
def test_a_file_that_is_none_is_refused_by_name(tmp_path, text):
    path = tmp_path / "small.json"
    path.write_text(text)
    with pytest.raises(RunError, match=r"small\.json"):
        CompressionRecipe.of(path)
    with pytest.raises(RunError, match=r"absent\.json"):
        CompressionRecipe.of(str(tmp_path / "absent.json"))


def test_what_goes_together_is_let_through():
    for recipe in ("round", "shrink+halve+pack", "prepare+round", "shrink+prepare+round+pack", "pack"):
        assert str(CompressionRecipe.of(recipe)) == recipe
