"""A finished run's network trains further, resumes, and ends in the same weights."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from lentigo import data, training
from lentigo.errors import RunError
from lentigo.training.finetune import Changed, gentler
from lentigo.training.history import kept_epoch
from lentigo.training.learner import Learner

SHORT = training.Recipe(size=32, epochs=2, batch_size=32, learning_rate=1e-3, ema=0.9)


def weights(run):
    return load_file(run.path / "network.safetensors")


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def test_it_starts_from_the_parent_and_remembers_it(trained_run, tmp_path):
    still = training.Recipe(size=32, epochs=1, batch_size=32, learning_rate=1e-12, weight_decay=0.0)
    run = training.fine_tune(trained_run, still, out=tmp_path / "run")
    before, after = weights(trained_run), weights(run)
    trained = [k for k in before if k.endswith("weight")]
    assert all(torch.allclose(before[k], after[k], atol=1e-6) for k in trained)
    assert run.parent_sha256 == trained_run.network_sha256
    assert run.start["source"] == trained_run.path.name
    assert (run.mean, run.std, run.prior) == (trained_run.mean, trained_run.std, trained_run.prior)
    assert training.load_run(run.path).split.hash == trained_run.split.hash


def test_without_a_recipe_it_is_gentler_than_the_parent():
    recipe = training.Recipe(epochs=60, schedule="cosine", warmup_epochs=20, frozen_base=True)
    gentle = gentler(recipe)
    assert (gentle.epochs, gentle.learning_rate, gentle.warmup_epochs) == (15, recipe.learning_rate / 10, 0)
    assert not gentle.frozen_base
    assert gentler(training.Recipe(epochs=1)).epochs == 1
    pruned = training.Recipe(callbacks=["magnitude_pruning", "ema"])
    assert [callback.name for callback in gentler(pruned).callbacks] == ["keep_zeros", "ema"]


def test_killed_and_repeated_it_ends_in_the_same_weights(trained_run, tmp_path, monkeypatch):
    made = []

    def change(recipe):
        made.append(recipe)
        network = trained_run.trained_network()
        network.classifier.weight.data[0] += len(made)  # a change that the second time would be another
        return Changed(network, trained_run.options, {"reached": 1})

    whole = training.fine_tune(trained_run, SHORT, out=tmp_path / "whole", change=change)
    made.clear()
    step = Learner.training_step

    def stopped(self, batch, index):
        if self.current_epoch == 1 and index == 1:
            raise KeyboardInterrupt
        return step(self, batch, index)

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "training_step", stopped)
        with pytest.raises(KeyboardInterrupt):
            training.fine_tune(trained_run, SHORT, out=tmp_path / "cut", change=change)
    assert not training.load_run(tmp_path / "cut").finished
    resumed = training.fine_tune(trained_run, SHORT, out=tmp_path / "cut", change=change)
    assert len(made) == 1
    assert same(weights(resumed), weights(whole))
    assert resumed.start == whole.start
    finished = (resumed.path / "network.safetensors").stat().st_mtime_ns
    again = training.fine_tune(trained_run, SHORT, out=tmp_path / "cut", change=change)
    assert same(weights(again), weights(whole))
    assert (again.path / "network.safetensors").stat().st_mtime_ns == finished


def test_a_folder_of_something_else_is_left_alone(trained_run, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match="not empty"):
        training.fine_tune(trained_run, SHORT, out=tmp_path)
    with pytest.raises(RunError, match="is a file"):
        training.fine_tune(trained_run, SHORT, out=tmp_path / "notes.txt")
    with pytest.raises(RunError, match="another parent"):
        training.fine_tune(trained_run, SHORT, out=trained_run.path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_another_recipe_or_step_is_not_resumed(trained_run, tmp_path):
    once = SHORT.replaced(epochs=1, ema=0.0)
    training.fine_tune(trained_run, once, out=tmp_path / "run", step={"pruning": 1})
    with pytest.raises(RunError, match="another recipe"):
        training.fine_tune(trained_run, SHORT, out=tmp_path / "run", step={"pruning": 1})
    with pytest.raises(RunError, match="another pruning"):
        training.fine_tune(trained_run, once, out=tmp_path / "run", step={"pruning": 2})
    with pytest.raises(RunError, match="Repeat the command"):
        training.train("compact", trained_run.split, out=tmp_path / "run", resume=True)


@pytest.mark.parametrize(
    "changes", [{"target": "malignancy"}, {"target": "malignancy", "loss": "binary_cross_entropy"}], ids=str
)
def test_a_recipe_that_learns_something_else(trained_run, tmp_path, changes):
    with pytest.raises(RunError, match="diagnosis with 7 outputs"):
        training.fine_tune(trained_run, SHORT.replaced(**changes), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_weights_that_are_not_the_run_s(trained_run, tmp_path):
    once = training.fine_tune(trained_run, SHORT.replaced(epochs=1, ema=0.0), out=tmp_path / "run")
    (once.path / "network.safetensors").write_bytes(b"damaged")
    with pytest.raises(RunError, match=r"network\.safetensors: not the weights"):
        once.network()


@pytest.mark.parametrize("fault", ["absent", "cut", "other"])
def test_what_it_started_from_is_not_guessed_when_it_resumes(trained_run, tmp_path, fault, monkeypatch):
    out = tmp_path / "run"
    monkeypatch.setattr("lentigo.training.finetune.fit_run", lambda network, run, *rest: run)  # stopped at once
    training.fine_tune(trained_run, SHORT, out=out)
    assert not training.fine_tune(trained_run, SHORT, out=out).finished
    start, whole = out / "start.safetensors", (out / "start.safetensors").read_bytes()
    if fault == "absent":
        start.unlink()
    else:
        start.write_bytes(whole[:-9] if fault == "cut" else whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(RunError, match=r"start\.safetensors: (not )?the weights that it started from"):
        training.fine_tune(trained_run, SHORT, out=out)


def test_it_records_the_split_as_it_is_read_now(trained_run, synthetic_records, tmp_path, monkeypatch):
    """Reading may have learned to leave out images of the parent's split."""
    monkeypatch.setattr("lentigo.training.finetune.fit_run", lambda network, run, *rest: run)
    parent = replace(trained_run)
    parent.__dict__["split"] = data.split(synthetic_records, fold=1)
    assert training.fine_tune(parent, SHORT, out=tmp_path / "run").split_sha256 == parent.split.hash


@pytest.mark.parametrize("text", ["", "stage,epoch\n", "nonsense\n1\n"])
def test_a_log_that_is_none_is_named(tmp_path, text):
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "metrics.csv").write_text(text)
    with pytest.raises(RunError, match=r"metrics\.csv: not the log of a training"):
        kept_epoch(tmp_path, "best")
