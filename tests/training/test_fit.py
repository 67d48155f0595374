"""Training: repeatable, resumable to the same result, and careful with folders."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import pytorch_lightning as pl
import torch
from safetensors.torch import load_file, save_file

from lentigo import data, models, training
from lentigo.data import normalise
from lentigo.data.splits import freeze
from lentigo.errors import DataError, RunError
from lentigo.normalisation import IMAGENET
from lentigo.training.learner import Learner

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
    give_up = time.monotonic() + 600
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


class _Stop(pl.Callback):
    """Ctrl-C in the middle of an epoch."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.current_epoch == self.epoch:
            raise KeyboardInterrupt


def test_a_run_that_started_from_weights_resumes_without_them(whole, split, tmp_path):
    recipe = training.Recipe(size=16, epochs=2, batch_size=32)
    unbroken = training.train("compact", split, recipe, out=tmp_path / "unbroken", weights=whole.path)
    with pytest.raises(KeyboardInterrupt):
        training.train("compact", split, recipe, out=tmp_path / "run", weights=whole.path, callbacks=(_Stop(1),))
    resumed = training.train("compact", split, out=tmp_path / "run", resume=True)
    assert_same(unbroken, resumed)
    assert resumed.start == unbroken.start
    assert training.train("compact", split, out=tmp_path / "run", resume=True).finished


def test_before_the_first_epoch_has_ended_the_weights_are_named_again(whole, split, tmp_path):
    recipe = training.Recipe(size=16, epochs=1, batch_size=32)
    with pytest.raises(KeyboardInterrupt):
        training.train("compact", split, recipe, out=tmp_path / "run", weights=whole.path, callbacks=(_Stop(0),))
    with pytest.raises(RunError, match=f"{whole.path.name}.*--weights"):
        training.train("compact", split, out=tmp_path / "run", resume=True)
    assert training.train("compact", split, out=tmp_path / "run", resume=True, weights=whole.path).finished


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
        with pytest.raises(RunError, match="this folder is not empty"):
            training.train("compact", split, RECIPE, out=tmp_path)
        with pytest.raises(RunError, match="no lentigo run"):
            training.train("compact", split, RECIPE, out=tmp_path, resume=True)

    def test_a_file_is_refused(self, split, tmp_path):
        (tmp_path / "file").write_text("mine")
        with pytest.raises(RunError, match="this is a file"):
            training.train("compact", split, RECIPE, out=tmp_path / "file")

    def test_another_recipe_does_not_resume(self, whole, split):
        with pytest.raises(RunError, match="epochs: 4 recorded, 9 requested"):
            training.train("compact", split, training.Recipe(size=16, epochs=9), out=whole.path, resume=True)

    def test_what_is_no_run_is_not_loaded(self, tmp_path):
        with pytest.raises(RunError, match="not a lentigo run"):
            training.load_run(tmp_path)

    def test_an_unfinished_run_has_no_network(self, whole, tmp_path):
        (tmp_path / "recipe.json").write_text((whole.path / "recipe.json").read_text())
        with pytest.raises(RunError, match="not finished"):
            training.load_run(tmp_path).network()


def test_a_training_that_diverges_is_no_finished_run(split, tmp_path, monkeypatch):
    loss = Learner.loss
    monkeypatch.setattr(Learner, "loss", lambda self, *a: loss(self, *a) * float("nan"))
    with pytest.raises(RunError, match="diverged"):
        training.train("compact", split, RECIPE, out=tmp_path / "run")
    assert not training.load_run(tmp_path / "run").finished


def test_batches_too_small_for_batch_norms_are_named(split, tmp_path):
    recipe = training.Recipe(size=28, epochs=1, batch_size=1)
    with pytest.raises(RunError, match="Raise batch_size"):
        training.train("compressed_cnn", split, recipe, out=tmp_path / "run")


def test_a_network_of_one_size_takes_no_other(split, tmp_path):
    with pytest.raises(RunError, match="28x28"):
        training.train("compressed_cnn", split, RECIPE, out=tmp_path / "run")


def test_options_of_the_builder_are_kept_with_the_run(split, tmp_path):
    recipe = training.Recipe(size=100, epochs=1, batch_size=64)
    run = training.train("explainable_cnn", split, recipe, out=tmp_path / "run", options={"filters": (2, 2)})
    again = training.load_run(run.path)
    assert again.options == {"filters": [2, 2]}
    assert again.logits_of(split.validation)[1].shape == (len(split.validation), 7)


class TestResume:
    def test_without_a_recipe_the_recorded_one_is_taken(self, whole, split, capsys):
        assert training.train("compact", split, out=whole.path, resume=True).recipe == RECIPE
        assert "nothing to resume" in capsys.readouterr().err

    def test_every_difference_is_named_in_one_line(self, whole, split, synthetic_records):
        asked = training.Recipe(epochs=60, seed=3)
        with pytest.raises(
            RunError, match=r"epochs: 4 recorded, 60 requested; seed: 0 recorded, 3 requested\."
        ) as caught:
            training.train("compact", split, asked, out=whole.path, resume=True)
        assert "\n" not in caught.value.message
        with pytest.raises(RunError, match="fold: 0 recorded, 1 requested"):
            training.train("compact", data.split(synthetic_records, fold=1), out=whole.path, resume=True)
        with pytest.raises(RunError, match=r"options: none recorded, \{'dropout': 0.2\} requested"):
            training.train("compact", split, out=whole.path, resume=True, options={"dropout": 0.2})

    def test_a_split_that_lacks_images_by_now_is_named_with_the_way_out(self, whole, split, tmp_path):
        cut = tmp_path / "cut"
        shutil.copytree(whole.path, cut)
        (cut / "network.safetensors").unlink()
        manifest = split.manifest.drop(index=[0, 5]).reset_index(drop=True)
        rest = split.records.take(manifest["image_id"])
        left = freeze(rest, manifest, split.protocol, split.leaky, split.fold, split.folds, split.seed)
        gone = min(split.manifest["image_id"].iloc[[0, 5]])
        with pytest.raises(RunError, match=rf"images that the split now lacks \(2, such as {gone}\)") as caught:
            training.train("compact", left, out=cut, resume=True)
        assert f"Train again in another folder: --split {cut / 'split.csv'}" in caught.value.hint

    def test_nothing_to_resume_is_said(self, split, tmp_path):
        with pytest.raises(RunError, match="nothing to resume"):
            training.train("compact", split, RECIPE, out=tmp_path / "new", resume=True)

    def test_a_checkpoint_with_objects_is_refused_and_not_run(self, whole, split, tmp_path):
        cut, flag = tmp_path / "cut", tmp_path / "flag"
        shutil.copytree(whole.path, cut)
        (cut / "network.safetensors").unlink()

        class Evil:
            def __reduce__(self):
                return (Path.touch, (flag,))

        torch.save({"state_dict": {}, "callbacks": Evil()}, cut / "checkpoints" / "whole" / "last.ckpt")
        with pytest.raises(RunError, match=r"last\.ckpt"):
            training.train("compact", split, RECIPE, out=cut, resume=True)
        assert not flag.exists()
        (cut / "checkpoints" / "whole" / "last.ckpt").write_bytes(b"PK\x03\x04 damaged")
        with pytest.raises(RunError, match=r"last\.ckpt"):
            training.train("compact", split, RECIPE, out=cut, resume=True)

    def test_an_exit_is_not_an_interruption(self, split, tmp_path):
        class Exits(pl.Callback):
            def on_train_epoch_start(self, *rest):
                raise SystemExit(7)

        with pytest.raises(SystemExit) as stop:
            training.train("compact", split, RECIPE, out=tmp_path / "run", callbacks=(Exits(),))
        assert stop.value.code == 7


class TestMoved:
    def test_a_run_takes_another_place_for_its_images(self, whole, synthetic_root, tmp_path):
        there, images = tmp_path / "there", tmp_path / "images"
        shutil.copytree(whole.path, there)
        text = (there / "recipe.json").read_text().replace(str(synthetic_root), "/gone/lesions")
        (there / "recipe.json").write_text(text)
        with pytest.raises(RunError, match=r"/gone/lesions.*--data"):
            _ = training.load_run(there).split
        images.symlink_to(synthetic_root)
        moved = training.load_run(there, data=images)
        expected, found = (run.logits_of(run.split.test)[1] for run in (whole, moved))
        assert np.array_equal(expected, found)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("mean", [0.5, 0.5]),
            ("std", ["a", 1, 1]),
            ("std", [0.0, 0.2, 0.2]),
            ("prior", [2.0] * 7),
            ("prior", [0.5] * 7),
            ("model", 3),
            ("licence", None),
        ],
    )
    def test_a_damaged_description_names_file_and_entry(self, whole, tmp_path, name, value):
        values = json.loads((whole.path / "recipe.json").read_text())
        (tmp_path / "recipe.json").write_text(json.dumps(values | {name: value}))
        with pytest.raises(RunError, match=rf"recipe\.json: {name}"):
            training.load_run(tmp_path)

    def test_the_split_of_another_run_is_refused(self, whole, synthetic_records, tmp_path):
        """It would take training images for unseen ones."""
        shutil.copytree(whole.path, tmp_path / "run")
        data.split(synthetic_records, fold=1).save(tmp_path / "run" / "split.csv")
        with pytest.raises(DataError, match=r"split\.csv: this is another split than the recorded one"):
            _ = training.load_run(tmp_path / "run").split

    def test_a_damaged_recipe_names_the_file(self, whole, tmp_path):
        values = json.loads((whole.path / "recipe.json").read_text())
        (tmp_path / "recipe.json").write_text(json.dumps(values | {"recipe": values["recipe"] | {"size": "64"}}))
        with pytest.raises(RunError, match=r"recipe\.json: .*size is '64'"):
            training.load_run(tmp_path)


class TestDevices:
    def test_wrong_and_absent_ones_are_named(self, whole, split, tmp_path, monkeypatch):
        with pytest.raises(RunError, match="Did you mean 'cuda'"):
            training.load_run(whole.path, device="cude")
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
        with pytest.raises(RunError, match="no mps device"):
            training.train("compact", split, RECIPE, out=tmp_path / "run", device="mps")
        assert not (tmp_path / "run").exists()

    def test_the_device_is_no_part_of_the_record(self, whole, split, tmp_path):
        run = training.train("compact", split, RECIPE, out=tmp_path / "run", device="cpu")
        assert "device" not in json.loads((run.path / "recipe.json").read_text())
        assert_same(whole, run)


class TestNormalisation:
    NAME = "timm/test_resnet"  # its weights were trained with mean and deviation 0.5

    @pytest.fixture
    def file(self, tmp_path):
        path = tmp_path / "base.safetensors"
        state = models.build(self.NAME).features.body.state_dict()
        save_file({name: value.clone() for name, value in state.items()}, path)
        return path

    def described(self, split, tmp_path, normalisation, weights):
        recipe = training.Recipe(size=32, epochs=1, batch_size=64, normalisation=normalisation)
        return training.train(self.NAME, split, recipe, out=tmp_path / "run", weights=weights)

    def test_trained_weights_get_their_own(self, split, file, tmp_path):
        run = self.described(split, tmp_path, "auto", file)
        assert run.mean == run.std == (0.5, 0.5, 0.5)
        assert training.load_run(run.path).mean == (0.5, 0.5, 0.5)

    def test_random_weights_get_the_training_part_s(self, split, tmp_path):
        run = self.described(split, tmp_path, "auto", None)
        pixels = data.load_pixels(split.records, 32)
        assert run.mean == normalise.measure(pixels.of(split.train)).mean

    def test_a_choice_holds(self, split, file, tmp_path):
        assert self.described(split, tmp_path / "a", "imagenet", file).mean == IMAGENET.mean
        assert self.described(split, tmp_path / "b", "network", None).mean == (0.5, 0.5, 0.5)

    def test_a_network_without_one_is_refused(self, split, tmp_path):
        recipe = training.Recipe(size=16, normalisation="network")
        with pytest.raises(RunError, match="no normalisation of its own"):
            training.train("compact", split, recipe, out=tmp_path / "run")


def test_a_saved_split_is_trained_on(synthetic_root, synthetic_records, tmp_path):
    saved = data.split(synthetic_records, fold=1, folds=4)
    saved.save(tmp_path / "split.csv")
    recipe = training.Recipe(size=16, epochs=1, batch_size=64)
    run = training.train_from(synthetic_root, "compact", recipe, out=tmp_path / "a", split=tmp_path / "split.csv")
    assert run.split_sha256 == saved.hash
    with pytest.raises(RunError, match="own fold"):
        training.train_from(synthetic_root, "compact", out=tmp_path / "b", split=tmp_path / "split.csv", fold=2)
    made = training.train_from(synthetic_root, "compact", recipe, out=tmp_path / "c", fold=1, folds=4)
    assert made.split_sha256 == saved.hash


def test_files_have_the_user_s_permissions(whole):
    mask = os.umask(0)
    os.umask(mask)
    for path in (p for p in whole.path.rglob("*") if p.is_file()):
        assert path.stat().st_mode & 0o777 == 0o666 & ~mask, path


def test_a_run_on_a_table_of_images_elsewhere_reads_it_again(synthetic_records, tmp_path):
    few = synthetic_records.table.groupby("dx").head(12)
    table = few[["image_id", "lesion_id", "dx"]].assign(path=[str(synthetic_records.root / p) for p in few["path"]])
    (tmp_path / "tables").mkdir()
    table.to_csv(file := tmp_path / "tables" / "lesions.csv", index=False)
    recipe = training.Recipe(size=16, epochs=1)
    with pytest.raises(DataError, match="outside"):
        training.train_from(file, "compact", recipe, out=tmp_path / "run")
    made = training.train_from(file, "compact", recipe, out=tmp_path / "run", outside=True)
    again = training.load_run(made.path)
    assert len(again.records) == len(table)
    assert again.split.hash == made.split_sha256
