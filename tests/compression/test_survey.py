"""The survey states what it trains, and repeats nothing: neither what was measured nor what was refused."""

from lentigo.compression.survey import NotMade, survey
from lentigo.errors import BundleError


def test_what_was_refused_is_read_and_not_tried_again(trained_run, bundle_path, tmp_path, monkeypatch):
    tried = []

    def refuse(recipe, parent, folder):
        tried.append(recipe)
        raise BundleError(f"{folder}.partial: it differs.", "Nothing was written.")

    monkeypatch.setattr("lentigo.compression.survey.exported", lambda run, place, name: bundle_path)
    monkeypatch.setattr("lentigo.compression.survey.run_steps", refuse)
    for _ in range(2):
        found = survey(trained_run, tmp_path, techniques=["structured, distilled"], epochs=3, teachers=["t.onnx"])
        assert [(type(one), one.reason) for one in found] == [(NotMade, "it differs.")]
    (recipe,) = tried
    structured, distil = (step.params for step in recipe.steps)
    assert structured == {"epochs": 3}
    assert distil == {"epochs": 3, "teachers": ("t.onnx",)}
    assert list(survey(trained_run, tmp_path, techniques=["fp16"], measure=False)) == []
    assert len(tried) == 1
    list(survey(trained_run, tmp_path, techniques=["structured, distilled"], epochs=4, teachers=["t.onnx"]))
    assert len(tried) == 2  # more epochs may do what fewer could not
