"""The real steps, one after the other, end in the same file wherever they were killed."""

from dataclasses import replace
from pathlib import Path

import pytest

from lentigo.compression import CompressionRecipe, compress, network_steps
from lentigo.compression.steps import STEPS
from lentigo.errors import LeakError, RunError
from lentigo.evaluation.run_predictor import RunPredictor
from lentigo.runtime import Bundle, IdSet

GATE = {"balanced_accuracy": None, "melanoma_sensitivity": None, "auc": None, "ece": None, "disagreement": 1.0}


def test_every_step_of_the_documentation_is_there_and_no_other():
    text = (Path(__file__).parents[2] / "docs" / "compression.md").read_text(encoding="utf-8")
    rows = [
        line.split("`")[1]
        for line in text.splitlines()
        if line.startswith("| `") and line.split("|")[2].strip() in ("network", "file")
    ]
    assert sorted(rows) == STEPS.names


@pytest.mark.parametrize(
    "name", ["prune+int8", "structured+distil+int8", "structured+int8+zst", "prune+qat+int8", "mixed", "cluster+zst"]
)
def test_recipes_of_the_documentation_are_recipes(name):
    assert str(CompressionRecipe.of(name)) == name


def test_what_steps_leave_open_is_stated_in_those_that_have_it():
    steps = [{"name": "structured", "params": {"epochs": 2}}, "distil", "int8"]
    recipe = CompressionRecipe.of({"steps": steps}).stating(epochs=5, teachers=("t.onnx",), learning_rate=None)
    assert [step.params for step in recipe.steps] == [{"epochs": 2}, {"epochs": 5, "teachers": ("t.onnx",)}, {}]


def test_what_violates_a_policy_is_never_compressed_to(trained_run, tmp_path):
    steps = [{"name": "fp16", "params": {"enforce": False}}]
    with pytest.raises(RunError, match="only measured"):
        compress(trained_run, CompressionRecipe.of({"steps": steps}), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_leaking_teacher_is_refused_before_the_first_step(trained_run, tmp_path, monkeypatch):
    teacher = RunPredictor(trained_run)
    seen = teacher.origin.train | IdSet.of(trained_run.split.test.ids.tolist())
    teacher.__dict__["origin"] = replace(teacher.origin, train=seen)
    monkeypatch.setattr(network_steps, "open_model", lambda _: teacher)
    steps = ["structured", {"name": "distil", "params": {"teachers": ("t.onnx",)}}]
    with pytest.raises(LeakError, match="test images, or their lesions, were seen"):
        compress(trained_run, CompressionRecipe.of({"steps": steps}), tmp_path / "out")
    assert not (tmp_path / "out").exists()


class Killed(BaseException):
    """As a signal: nothing catches it."""


STRUCTURED = {"name": "structured", "params": {"epochs": 1}}
DISTIL = {"name": "distil", "params": {"epochs": 1, "views": 1}}


MAIN = ("run/network.safetensors", "/model.onnx", "/model.onnx.zst")
"""What a step writes last but for its measurement."""


@pytest.mark.parametrize(
    ("steps", "at"),
    [
        pytest.param([DISTIL, "fp16", "zst"], MAIN, id="once in each step"),
        pytest.param([STRUCTURED, DISTIL, "fp16", "zst"], "", id="at every write", marks=pytest.mark.slow),
    ],
)
def test_killed_in_any_real_step_it_ends_in_the_same_file(steps, at, trained_run, tmp_path, monkeypatch):
    """One folder, killed again and again, each time a little later, against one that was left alone."""
    recipe = CompressionRecipe.of({"steps": steps, "gate": GATE | {"replicates": 100}})
    whole = compress(trained_run, recipe, tmp_path / "whole")
    assert whole.complete and whole.file.name == "model.onnx.zst"
    precise = Bundle(whole.folder / whole.record.steps[-2].file).metadata
    assert precise.parent_sha256 == whole.record.steps[-3].sha256
    out, kills, replace = tmp_path / "killed", [], Path.replace

    def dying(self, target):
        name = Path(target).relative_to(out).as_posix() if Path(target).is_relative_to(out) else ""
        if name and f"/{name}".endswith(at) and name not in kills:
            kills.append(name)
            raise Killed
        return replace(self, target)

    done = None
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", dying)
        while done is None:
            try:
                done = compress(trained_run, recipe, out)
            except Killed:
                assert not list(out.glob("model*"))
    assert {name.split("/")[1] for name in kills if "/" in name} == {place.name for place in (out / "steps").iterdir()}
    assert kills[-1] == "model.onnx.zst"
    assert done.file.read_bytes() == whole.file.read_bytes()
