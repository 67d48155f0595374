"""Training: repeatable, resumable to the same result, and careful with folders."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from lentigo import data, training
from lentigo.errors import DataError, RunError

RECIPE = training.Recipe(size=16, epochs=4, batch_size=32)


@pytest.fixture(scope="module")
def split(synthetic_records):
    return data.split(synthetic_records)


@pytest.fixture(scope="module")
def whole(split, tmp_path_factory):
    """An uninterrupted run."""
    return training.train("compact", split, RECIPE, out=tmp_path_factory.mktemp("whole") / "run")


def weights(run):
    return load_file(run.path / "network.safetensors")


def assert_same(a, b):
    first, second = weights(a), weights(b)
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
    history = [pd.read_csv(run.path / "log" / "metrics.csv") for run in (a, b)]
    pd.testing.assert_frame_equal(*history)


def test_a_run_explains_itself(whole, split):
    assert {p.name for p in whole.path.iterdir()} >= {"recipe.json", "split.csv", "log", "network.safetensors"}
    again = training.load_run(whole.path)
    assert again.recipe == RECIPE
    assert again.split.hash == split.hash
    assert again.prior == pytest.approx(pd.Series(split.train.counts()).div(len(split.train)).tolist())
    history = pd.read_csv(whole.path / "log" / "metrics.csv")
    assert list(history["epoch"]) == [0, 1, 2, 3]
    assert {"train_loss", "val_loss", "val_balanced_accuracy", "val_macro_auc", "learning_rate"} <= set(history)
    assert list((whole.path / "log").glob("events.*"))


def test_the_same_seed_gives_the_same_run(whole, split, tmp_path):
    assert_same(whole, training.train("compact", split, RECIPE, out=tmp_path / "run"))


def test_another_seed_gives_another_run(whole, split, tmp_path):
    other = training.Recipe(**{**RECIPE.to_dict(), "seed": 1})
    first, second = weights(whole), weights(training.train("compact", split, other, out=tmp_path / "run"))
    assert any(not torch.equal(first[name], second[name]) for name in first)


def test_a_killed_run_resumes_to_the_same_result(whole, synthetic_root, tmp_path):
    """SIGKILL in the middle of an epoch, as a power cut would."""
    out = tmp_path / "run"
    command = f"""
import time
from lentigo import data, training
from lentigo.training.learner import Learner
step = Learner.training_step
def slow(self, batch, index):
    if self.current_epoch == 2:
        time.sleep(60)
    return step(self, batch, index)
Learner.training_step = slow
training.train("compact", data.split(data.read({str(synthetic_root)!r})),
               training.Recipe(size=16, epochs=4, batch_size=32), out={str(out)!r})
"""
    process = subprocess.Popen([sys.executable, "-c", command], stderr=subprocess.DEVNULL)
    history = out / "log" / "metrics.csv"
    give_up = time.monotonic() + 120
    while not (history.exists() and len(history.read_text().splitlines()) == 3 and (out / "checkpoints").exists()):
        assert process.poll() is None, "the training ended before it could be killed"
        assert time.monotonic() < give_up, "the training made no progress"
        time.sleep(0.2)
    time.sleep(1)  # into the third epoch
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not training.load_run(out).finished
    resumed = training.train("compact", data.split(data.read(synthetic_root)), RECIPE, out=out, resume=True)
    assert_same(whole, resumed)


def test_resuming_a_finished_run_changes_nothing(whole, split):
    before = (whole.path / "network.safetensors").stat().st_mtime_ns
    training.train("compact", split, RECIPE, out=whole.path, resume=True)
    assert (whole.path / "network.safetensors").stat().st_mtime_ns == before


def test_early_stopping_ends_a_run_that_gets_no_better(split, tmp_path):
    recipe = training.Recipe(size=16, epochs=40, batch_size=32, patience=1, learning_rate=1e-9)
    run = training.train("compact", split, recipe, out=tmp_path / "run")
    assert len(pd.read_csv(run.path / "log" / "metrics.csv")) < 40
    assert run.finished


def test_unreadable_images_are_left_out_or_stop_a_strict_run(synthetic_root, tmp_path, capsys):
    root = tmp_path / "lesions"
    (root / "images").mkdir(parents=True)
    for path in synthetic_root.rglob("*.*"):
        if path.is_file():
            (root / path.relative_to(synthetic_root)).write_bytes(path.read_bytes())
    split = data.split(data.read(root))
    victim = Path(split.train.table["path"][0])
    victim.write_bytes(victim.read_bytes()[:500])
    recipe = training.Recipe(size=16, epochs=1, batch_size=32)
    with pytest.raises(DataError, match=victim.stem):
        training.train("compact", split, recipe, out=tmp_path / "strict", strict=True)
    run = training.train("compact", split, recipe, out=tmp_path / "run")
    assert run.finished
    assert victim.name in capsys.readouterr().err


class TestFolders:
    def test_one_that_holds_something_is_not_overwritten(self, split, tmp_path):
        (tmp_path / "precious.txt").write_text("mine")
        with pytest.raises(RunError, match="something in this folder"):
            training.train("compact", split, RECIPE, out=tmp_path)
        with pytest.raises(RunError, match="no run of lentigo"):
            training.train("compact", split, RECIPE, out=tmp_path, resume=True)

    def test_a_file_is_refused(self, split, tmp_path):
        (tmp_path / "file").write_text("mine")
        with pytest.raises(RunError, match="this is a file"):
            training.train("compact", split, RECIPE, out=tmp_path / "file")

    def test_another_recipe_does_not_resume(self, whole, split):
        with pytest.raises(RunError, match="recipe"):
            training.train("compact", split, training.Recipe(size=16, epochs=9), out=whole.path, resume=True)

    def test_what_is_no_run_is_not_loaded(self, tmp_path):
        with pytest.raises(RunError, match="not a run"):
            training.load_run(tmp_path)

    def test_an_unfinished_run_has_no_network(self, whole, tmp_path):
        (tmp_path / "recipe.json").write_text((whole.path / "recipe.json").read_text())
        with pytest.raises(RunError, match="not finished"):
            training.load_run(tmp_path).network()


def test_a_network_of_one_size_takes_no_other(split, tmp_path):
    with pytest.raises(RunError, match="28x28"):
        training.train("compressed_cnn", split, RECIPE, out=tmp_path / "run")


def test_options_of_the_builder_are_kept_with_the_run(split, tmp_path):
    recipe = training.Recipe(size=100, epochs=1, batch_size=64)
    run = training.train("explainable_cnn", split, recipe, out=tmp_path / "run", options={"filters": (2, 2)})
    again = training.load_run(run.path)
    assert again.options == {"filters": [2, 2]}
    assert again.logits_of(split.validation)[1].shape == (len(split.validation), 7)
