"""The real steps, one after the other, end in the same file wherever they were killed."""

from pathlib import Path

import pytest

from lentigo.compression import CompressionRecipe, compress
from lentigo.compression.steps import STEPS
from lentigo.errors import RunError
from lentigo.runtime import Bundle

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


def test_what_violates_a_policy_is_never_compressed_to(trained_run, tmp_path):
    steps = [{"name": "fp16", "params": {"enforce": False}}]
    with pytest.raises(RunError, match="only measured"):
        compress(trained_run, CompressionRecipe.of({"steps": steps}), tmp_path / "out")
    assert not (tmp_path / "out").exists()


class Killed(BaseException):
    """As a signal: nothing catches it."""


@pytest.mark.slow
def test_killed_in_any_real_step_it_ends_in_the_same_file(trained_run, tmp_path, monkeypatch):
    steps = [
        {"name": "structured", "params": {"epochs": 1}},
        {"name": "distil", "params": {"epochs": 1, "views": 1}},
        {"name": "fp16"},
        {"name": "zst"},
    ]
    recipe = CompressionRecipe.of({"steps": steps, "gate": GATE | {"replicates": 100}})
    whole = compress(trained_run, recipe, tmp_path / "whole")
    assert whole.complete and whole.file.name == "model.onnx.zst"
    network = Bundle(whole.folder / whole.record.steps[2].file).metadata
    assert network.parent_sha256 == whole.record.steps[1].sha256
    replace = Path.replace
    for marker in ("1-structured/run/network", "2-distil/soft_labels", "2-distil/model", "3-fp16/model", "4-zst"):
        out = tmp_path / marker.replace("/", "-")

        def dying(self, target, marker=marker):
            if marker in str(target):
                raise Killed
            return replace(self, target)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", dying)
            with pytest.raises(Killed):
                compress(trained_run, recipe, out)
        assert not list(out.glob("model*"))
        assert compress(trained_run, recipe, out).file.read_bytes() == whole.file.read_bytes()
