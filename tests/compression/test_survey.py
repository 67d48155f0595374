"""The survey states what it trains, and repeats nothing: neither what was measured nor what was refused."""

import shutil
from dataclasses import replace

import pytest

from lentigo.compression.survey import NotMade, survey
from lentigo.errors import BundleError, RunError


def test_what_was_refused_is_read_and_not_tried_again(trained_run, bundle_path, tmp_path, monkeypatch):
    tried = []

    def refuse(recipe, parent, folder):
        tried.append(recipe)
        raise BundleError(f"{folder}.partial: it differs.", "Nothing was written.")

    monkeypatch.setattr("lentigo.compression.survey.exported", lambda run, place, name: bundle_path)
    monkeypatch.setattr("lentigo.compression.survey.run_steps", refuse)
    for _ in range(2):
        found = survey(
            trained_run, tmp_path, techniques=["structured, distilled"], epochs=3, teachers=[str(bundle_path)]
        )
        assert [(type(one), one.reason) for one in found] == [(NotMade, "it differs.")]
    (recipe,) = tried
    structured, distil = (step.params for step in recipe.steps)
    assert structured == {"epochs": 3}
    assert distil == {"epochs": 3, "teachers": (str(bundle_path),)}
    assert list(survey(trained_run, tmp_path, techniques=["fp16"], measure=False)) == []
    assert len(tried) == 1
    list(survey(trained_run, tmp_path, techniques=["structured, distilled"], epochs=4, teachers=[str(bundle_path)]))
    assert len(tried) == 2  # more epochs may do what fewer could not


def test_figures_of_another_run_are_refused_and_of_another_teacher_not_read(
    trained_run, bundle_path, tmp_path, monkeypatch
):
    tried = []

    def refuse(recipe, parent, folder):
        tried.append(recipe)
        raise BundleError("x.partial: it differs.", "Nothing was written.")

    monkeypatch.setattr("lentigo.compression.survey.exported", lambda run, place, name: bundle_path)
    monkeypatch.setattr("lentigo.compression.survey.run_steps", refuse)

    def found(measure=False, run=trained_run, **options):
        return list(survey(run, tmp_path, techniques=["distilled"], measure=measure, **options))

    (one,) = found(measure=True, teachers=[str(bundle_path)])
    assert [teacher.name for teacher in one.teachers] == ["tiny"]
    assert found(measure=True, teachers=[str(bundle_path)]) == [one] and len(tried) == 1
    assert found() == [one]  # a page is made of what there is
    assert found(measure=True)[0].teachers == ()  # the run itself as teacher had not been tried
    assert [found(measure=True, name=name, epochs=7)[0].network for name in (None, "small")] == ["compact"] * 2
    assert found(measure=True, name="small", epochs=8)[0].network == "small"
    other = shutil.copytree(trained_run.path, tmp_path / "other", ignore=shutil.ignore_patterns("checkpoints", "log"))
    (other / "network.safetensors").write_bytes(b"other weights")
    with pytest.raises(RunError, match="its figures of distilled are of another run"):
        found(run=replace(trained_run, path=other), teachers=[str(bundle_path)])
