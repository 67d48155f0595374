"""lentigo compress: one call, its exit codes, and errors in one line."""

from types import SimpleNamespace

import pytest

from lentigo import compression


@pytest.fixture
def made(monkeypatch):
    """Compression answers at once; what it was asked is kept."""
    asked = {}

    def compress(run, recipe, out):
        asked.update(run=run, recipe=recipe, out=out)
        return SimpleNamespace(summary=lambda: "Ships: model.onnx", complete=asked.get("complete", True))

    monkeypatch.setattr(compression, "compress", compress)
    return asked


def test_it_passes_on_what_was_typed_and_prints_the_summary(run, made, trained_run, tmp_path):
    code, out, err = run("compress", trained_run.path, "--recipe", "prune+int8", "--out", tmp_path / "small")
    assert (code, out, err) == (0, "Ships: model.onnx\n", "")
    assert made["run"].path == trained_run.path
    assert (made["recipe"], made["out"]) == ("prune+int8", tmp_path / "small")


def test_a_step_that_does_not_ship_shows_in_the_exit_code(run, made, trained_run, tmp_path):
    made["complete"] = False
    assert run("compress", trained_run.path, "--recipe", "int8", "--out", tmp_path / "small")[0] == 3


@pytest.mark.parametrize("recipe", ["", "no-such-step", "absent.json", "+"])
def test_a_wrong_recipe_is_one_line_with_the_next_step(run, trained_run, tmp_path, recipe):
    code, out, err = run("compress", trained_run.path, "--recipe", recipe, "--out", tmp_path / "small")
    assert code == 1 and not out and err.startswith("Error: ") and "Traceback" not in err
    assert not (tmp_path / "small").exists()


def test_what_is_no_run_is_named(run, tmp_path):
    code, _, err = run("compress", tmp_path, "--recipe", "int8", "--out", tmp_path / "small")
    assert code == 1 and "not a lentigo run" in err
