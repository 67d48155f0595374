"""A compression judges each step, ships only what passed, and ends in the same file whenever it was killed."""

import json
import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from lentigo import compression, evaluation, export
from lentigo.compression import CompressionRecipe, Step, compress
from lentigo.compression.steps import STEPS
from lentigo.errors import BundleError, LeakError, OutputError, RunError
from lentigo.export.refit import write
from lentigo.runtime import Bundle

GATE = {"balanced_accuracy": None, "melanoma_sensitivity": None, "auc": None, "ece": None, "disagreement": 0.6}
"""A dozen validation lesions can show no more than that most top classes stay."""


def rewritten(before: Path, out: Path, name: str, factor: float = 1.0) -> Path:
    """A bundle under another name, its last weights multiplied."""
    model = onnx.load(before)
    last = [i for i in model.graph.initializer if i.dims[:1] == [7] and len(i.dims) > 1][-1]
    last.CopyFrom(numpy_helper.from_array((numpy_helper.to_array(last) * factor).astype(np.float32), last.name))
    write(model, Bundle(before).metadata.model_copy(update={"name": name}), out)
    return out


@pytest.fixture(autouse=True)
def toy_steps(monkeypatch, trained_run):
    """`rename` changes nothing but the name, `spoil` turns the last weights around, `again` returns the same run."""

    def rename(to: str = "renamed") -> Step:
        return Step("file", lambda before, parent, out: rewritten(before.bundle, out, to))

    def spoil() -> Step:
        return Step("file", lambda before, parent, out: rewritten(before.bundle, out, "spoiled", -1.0), precision=True)

    def again() -> Step:
        return Step("network", lambda before, parent, folder: before.run)

    def refuse() -> Step:
        def make(before, parent, out):
            raise BundleError(f"{out}.partial: the bundle differs from its network.", "Calibrate again.")

        return Step("file", make)

    monkeypatch.setattr(STEPS, "_makers", {"rename": rename, "spoil": spoil, "again": again, "refuse": refuse})


@pytest.fixture(scope="module", autouse=True)
def one_export(request, bundle_path):
    """Exports copy the bundle of the session: what an export does is tested elsewhere."""
    with pytest.MonkeyPatch.context() as patch:

        def copied(run, out, *, name=None, **_):
            rewritten(bundle_path, Path(out), name)
            return Bundle(out)

        patch.setattr(export, "bundle", copied)
        yield


def recipe(*steps) -> CompressionRecipe:
    return CompressionRecipe.of({"steps": list(steps), "gate": GATE | {"replicates": 100}})


def test_what_passes_ships_with_its_record(trained_run, tmp_path):
    done = compress(trained_run, recipe("again", "rename"), tmp_path / "out")
    assert done.complete and done.file == tmp_path / "out" / "model.onnx"
    assert Bundle(done.file).name == "renamed"
    record = compression.CompressionRecord.from_json((done.folder / "record.json").read_text())
    assert record == done.record and record.shipped == ("again", "rename")
    assert [step.name for step in record.steps] == ["parent", "again", "rename"]
    assert record.sha256 == record.steps[2].sha256 == Bundle(done.file).sha256
    assert all(step.latency_ms > 0 and step.size["file"] > 0 for step in record.steps)
    page = (done.folder / "record.md").read_text()
    assert "rename: pass" in page and "Balanced accuracy" in page


def test_a_step_that_fails_is_reported_and_the_next_starts_from_the_last_that_passed(trained_run, tmp_path):
    done = compress(trained_run, recipe("spoil", "rename"), tmp_path / "out")
    assert not done.complete and done.record.shipped == ("rename",)
    probabilities = [
        Bundle(done.folder / step.file).predict(np.zeros((1, 40, 40, 3), np.uint8)) for step in done.record.steps
    ]
    assert np.array_equal(probabilities[0].probabilities, probabilities[2].probabilities)
    assert not np.allclose(probabilities[0].probabilities, probabilities[1].probabilities)
    assert "Not shipped: spoil: fail" in done.summary() and "disagreement" in done.summary()


def test_a_step_that_its_own_check_refuses_is_reported_and_left_out(trained_run, tmp_path):
    done = compress(trained_run, recipe("refuse", "rename"), tmp_path / "out")
    assert not done.complete and done.record.shipped == ("rename",)
    assert "Not shipped: refuse: refused; the bundle differs from its network." in done.summary()
    assert compress(trained_run, recipe("refuse", "rename"), tmp_path / "out").record == done.record
    assert "refused" in (done.folder / "record.md").read_text()


def test_where_nothing_passes_no_file_appears_and_the_record_says_why(trained_run, tmp_path):
    with pytest.raises(RunError, match=r"no step passed the gate[\s\S]*spoil: fail"):
        compress(trained_run, recipe("spoil"), tmp_path / "out")
    assert not list((tmp_path / "out").glob("model*"))
    assert json.loads((tmp_path / "out" / "record.json").read_text())["file"] == ""


def test_undecided_does_not_ship(trained_run, tmp_path):
    strict = CompressionRecipe.of({"steps": ["rename"], "gate": GATE | {"disagreement": 0.0, "replicates": 100}})
    with pytest.raises(RunError, match="rename: undecided"):
        compress(trained_run, strict, tmp_path / "out")
    assert not list((tmp_path / "out").glob("model*"))


class Killed(BaseException):
    """As a signal: nothing catches it."""


def test_killed_at_any_write_and_started_again_it_ends_in_the_same_file(trained_run, tmp_path, monkeypatch):
    monkeypatch.setattr("lentigo.compression.figures.measure", lambda table, **_: evaluation.measure(table))
    steps = recipe("spoil", "rename")
    whole = compress(trained_run, steps, tmp_path / "whole")
    replace, count = os.replace, 0

    def dying(self, target):
        nonlocal count
        count -= 1
        if count == 0:
            raise Killed
        replace(self, target)

    kills = 0
    while True:
        out = tmp_path / f"killed-{kills}"
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", dying)
            count = kills + 1
            try:
                compress(trained_run, steps, out)
            except Killed:
                assert not (out / "model.onnx").exists()
            else:
                break
        again = compress(trained_run, steps, out)
        assert again.file.read_bytes() == whole.file.read_bytes()
        assert [s.sha256 for s in again.record.steps] == [s.sha256 for s in whole.record.steps]
        kills += 2
    assert kills >= 6  # there is more than one write a step


def test_a_finished_compression_is_read_and_not_run_again(trained_run, tmp_path, monkeypatch):
    done = compress(trained_run, recipe("rename"), tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in done.folder.rglob("*.onnx")}
    monkeypatch.setattr("lentigo.compression.figures.predict_part_of", None)
    assert compress(trained_run, recipe("rename"), tmp_path / "out").record == done.record
    assert {path: path.stat().st_mtime_ns for path in done.folder.rglob("*.onnx")} == before


def test_a_folder_serves_one_compression(trained_run, tmp_path):
    done = compress(trained_run, recipe("rename"), tmp_path / "out")
    kept = done.file.read_bytes()
    with pytest.raises(RunError, match="another compression"):
        compress(trained_run, recipe("again"), tmp_path / "out")
    assert done.file.read_bytes() == kept


def test_a_folder_with_other_files_is_refused_and_kept(trained_run, tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(OutputError, match=r"holiday\.jpg"):
        compress(trained_run, recipe("rename"), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


def test_a_step_that_was_tampered_with_is_refused_and_what_shipped_stays(trained_run, tmp_path):
    done = compress(trained_run, recipe("rename"), tmp_path / "out")
    kept, step = done.file.read_bytes(), done.folder / done.record.steps[1].file
    for content in (kept[:-7], kept[:2000] + bytes([kept[2000] ^ 1]) + kept[2001:], b""):
        step.write_bytes(content)
        with pytest.raises(BundleError, match="rename"):
            compress(trained_run, recipe("rename"), tmp_path / "out")
        assert done.file.read_bytes() == kept
    rewritten(done.folder / done.record.steps[0].file, step, "another bundle")  # valid, but not what was measured
    with pytest.raises(BundleError, match="changed since it was measured"):
        compress(trained_run, recipe("rename"), tmp_path / "out")
    assert done.file.read_bytes() == kept


def test_what_a_step_would_refuse_is_refused_before_the_first_one(trained_run, tmp_path, monkeypatch):
    def picky() -> Step:
        def check(run):
            raise LeakError("A teacher has seen test images.", "Take another.")

        return Step("file", lambda before, parent, out: rewritten(before.bundle, out, "picky"), check=check)

    monkeypatch.setitem(STEPS._makers, "picky", picky)
    with pytest.raises(LeakError, match="seen test images"):
        compress(trained_run, recipe("again", "picky"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_unfinished_run_is_refused_before_anything_is_written(trained_run, tmp_path):
    from dataclasses import replace

    with pytest.raises(RunError, match="not finished"):
        compress(replace(trained_run, path=tmp_path / "run"), recipe("rename"), tmp_path / "out")
    assert not (tmp_path / "out").exists()
