"""Training by several processes: the same result as by one, also when they are killed and others go on."""

import multiprocessing
import os
import signal
import sys

import pandas as pd
import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from lentigo import data, training
from lentigo.errors import RunError
from lentigo.training import processes
from lentigo.training.batches import PixelDataset, validation_loader
from lentigo.training.inputs import PixelInput
from lentigo.training.processes import World
from lentigo.training.shares import WholeBatch, check_shares_of_batches

TOLERANCE = 1e-3
"""Largest relative difference of a score after three epochs: sums are added up in another order."""
RECIPE = training.Recipe(
    size=16, epochs=3, batch_size=32, ema=0.9, balance="class_weights", augmentations=("MixUp",), patience=9
)


@pytest.fixture(scope="module")
def split(synthetic_records):
    return data.split(synthetic_records)


@pytest.fixture(scope="module")
def alone(split, tmp_path_factory):
    """What one process makes of it: batch norms, dropout, mixed images and averaged weights."""
    return training.train("compact", split, RECIPE, out=tmp_path_factory.mktemp("alone") / "run")


class Kill(pl.Callback):
    """Kills processes, by their rank, at the start of the second epoch."""

    def __init__(self, *ranks):
        self.ranks = ranks

    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch == 1 and processes.world().rank in self.ranks:
            os.kill(os.getpid(), signal.SIGKILL)


class Interrupt(Kill):
    """What Python makes of Ctrl-C; the signal itself is ignored in whatever runs in the background of a shell."""

    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch == 1 and processes.world().rank in self.ranks:
            raise KeyboardInterrupt


def scores(run):
    return pd.read_csv(run.path / "log" / "metrics.csv").set_index("epoch").drop(columns="stage")


def assert_same(run, other):
    pd.testing.assert_frame_equal(scores(run), scores(other), rtol=TOLERANCE, atol=TOLERANCE)
    weights, others = (_all_weights(r) for r in (run, other))
    assert (weights - others).norm() < 0.01 * others.norm()


def _all_weights(run):
    values = run.trained_network().state_dict().values()
    return torch.cat([value.flatten() for value in values if value.is_floating_point()])


def test_only_the_first_process_speaks_also_where_others_joined_them(monkeypatch, capsys):
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(processes.distributed, "is_initialized", lambda: True)
    with processes.together("cpu", None, None) as found:
        print("epoch 1", file=sys.stderr)
    assert found.rank == 1
    assert capsys.readouterr().err == ""


def test_two_processes_one_killed_and_one_that_goes_on_train_the_same_network(split, alone, tmp_path):
    out = tmp_path / "run"
    with pytest.raises(RunError, match=r"Process 2 of 2 was killed \(signal 9\).*--resume"):
        training.train("compact", split, RECIPE, out=out, devices=2, callbacks=(Kill(1),))
    first = pd.read_csv(out / "log" / "metrics.csv")
    assert len(first) == 1  # what the two have done
    assert_same(training.train("compact", split, out=out, resume=True), alone)


@pytest.mark.slow
def test_all_killed_and_as_many_that_go_on(split, alone, tmp_path):
    out = tmp_path / "run"
    with pytest.raises(RunError, match="was killed"):
        training.train("compact", split, RECIPE, out=out, devices=2, callbacks=(Kill(0, 1),))
    assert_same(training.train("compact", split, out=out, resume=True, devices=2), alone)


@pytest.mark.slow
def test_ctrl_c_in_the_first_ends_all(split, tmp_path):
    out = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt, match="interrupted in epoch 2"):
        training.train("compact", split, RECIPE, out=out, devices=2, callbacks=(Interrupt(0),))
    assert len(pd.read_csv(out / "log" / "metrics.csv")) == 1
    assert not multiprocessing.active_children()


class TestShares:
    """What each process computes is its share of what one would."""

    @pytest.mark.parametrize("shape", [(12, 5), (12, 3, 4, 4)])
    @pytest.mark.parametrize("layer", [nn.Dropout(0.5), nn.Dropout2d(0.5)])
    @pytest.mark.parametrize("channels_last", [False, True])
    def test_dropout(self, shape, layer, channels_last):
        if isinstance(layer, nn.Dropout2d) and len(shape) == 2:
            pytest.skip("of channels")
        whole = torch.rand(shape) + 1
        if channels_last and whole.ndim == 4:
            whole = whole.to(memory_format=torch.channels_last)
        torch.manual_seed(3)
        expected = layer(whole)
        for size in (2, 3):
            parts = []
            for rank in range(size):
                rows = World(rank, size).part(12)
                torch.manual_seed(3)
                with WholeBatch(World(rank, size), rows, 12):
                    parts.append(layer(whole[rows]))
            assert torch.equal(torch.cat(parts), expected)

    def test_dropped_paths(self):
        from torchvision.ops import StochasticDepth

        layer, whole = StochasticDepth(0.5, "row"), torch.ones(12, 2, 1, 1)
        torch.manual_seed(3)
        expected = layer(whole)
        parts = []
        for rank in range(2):
            torch.manual_seed(3)
            with WholeBatch(World(rank, 2), World(rank, 2).part(12), 12):
                parts.append(layer(whole[:6]))
        assert torch.equal(torch.cat(parts), expected)
        assert 0 < expected.count_nonzero() < expected.numel()

    @pytest.mark.parametrize("augmentations", [(), ("CutMix",), ("GaussianBlur", "MixUp", "GaussianBlur")])
    def test_views_and_targets(self, augmentations):
        recipe = training.Recipe(augmentations=augmentations)
        inputs = PixelInput(recipe, torch.zeros(3), torch.ones(3))
        pixels, targets = torch.randint(0, 256, (8, 3, 16, 16), dtype=torch.uint8), torch.rand(8, 7)
        whole = inputs.views(pixels, targets, torch.Generator().manual_seed(1))
        parts = [inputs.views(pixels, targets, torch.Generator().manual_seed(1), World(r, 4).part(8)) for r in range(4)]
        for expected, found in zip(whole, zip(*parts, strict=True), strict=True):
            torch.testing.assert_close(torch.cat(found), expected, rtol=0, atol=1e-6)

    @pytest.mark.parametrize("size", [1, 2, 3, 7])
    def test_each_validation_image_is_in_one_share(self, monkeypatch, size):
        dataset = PixelDataset(torch.zeros(20, 2, 2, 3, dtype=torch.uint8).numpy(), torch.zeros(20).long().numpy())
        seen = []
        for rank in range(size):
            monkeypatch.setattr("lentigo.training.batches.world", lambda rank=rank: World(rank, size))
            seen += [int(i) for _, _, positions in validation_loader(dataset, 3) for i in positions]
        assert sorted(seen) == list(range(20))


class TestRefused:
    def test_more_devices_than_there_are(self, split, tmp_path):
        with pytest.raises(RunError, match=r"5000 devices requested; this machine has \d+ CPU cores"):
            training.train("compact", split, out=tmp_path / "r", device="cpu", devices=5000)
        with pytest.raises(RunError, match="0 devices"):
            training.train("compact", split, out=tmp_path / "r", device="cpu", devices=0)
        assert not (tmp_path / "r").exists()

    def test_nodes_that_do_not_know_one_another(self, split, tmp_path, monkeypatch):
        monkeypatch.setenv("MASTER_ADDR", "first")
        with pytest.raises(RunError, match="NODE_RANK, MASTER_PORT is not set"):
            training.train("compact", split, out=tmp_path / "r", device="cpu", nodes=2)
        monkeypatch.setenv("MASTER_PORT", "29500")
        monkeypatch.setenv("NODE_RANK", "2")
        with pytest.raises(RunError, match="'2' for 2 nodes"):
            training.train("compact", split, out=tmp_path / "r", device="cpu", nodes=2)

    @pytest.mark.parametrize(
        ("recipe", "batch", "validation", "said"),
        [
            (training.Recipe(), 33, 9, "33 images can't be divided by 2 processes.*such as 32"),
            (training.Recipe(), 1, 9, "such as 2"),
            (training.Recipe(), 32, 1, "1 validation images are too few"),
            (training.Recipe(compile=True), 32, 9, "compiled"),
            (training.Recipe(callbacks=("quantization_aware",)), 32, 9, "quantization_aware"),
        ],
    )
    def test_what_can_not_be_shared(self, recipe, batch, validation, said):
        check_shares_of_batches(recipe, 1, batch, validation)
        with pytest.raises(RunError, match=said):
            check_shares_of_batches(recipe, 2, batch, validation)

    def test_what_was_started_otherwise(self, split, tmp_path, monkeypatch):
        started = {"RANK": 0, "WORLD_SIZE": 2, "LOCAL_RANK": 0, "LOCAL_WORLD_SIZE": 2}
        for name, value in started.items():
            monkeypatch.setenv(name, str(value))
        with pytest.raises(RunError, match="4 devices requested, 2 started"):
            training.train("compact", split, out=tmp_path / "r", device="cpu", devices=4)
        monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
        monkeypatch.setenv("MASTER_PORT", "nothing")
        with pytest.raises(RunError, match=r"can't meet at 127\.0\.0\.1:nothing"):
            training.train("compact", split, out=tmp_path / "r", device="cpu")

    def test_a_port_in_use(self, split, tmp_path, monkeypatch):
        import socket

        with socket.create_server(("127.0.0.1", 0)) as server:
            values = {"RANK": 0, "WORLD_SIZE": 2, "LOCAL_RANK": 0, "LOCAL_WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1"}
            for name, value in (values | {"MASTER_PORT": server.getsockname()[1]}).items():
                monkeypatch.setenv(name, str(value))
            with pytest.raises(RunError, match=r"can't meet at 127.*(?i:in use).*MASTER_PORT"):
                training.train("compact", split, out=tmp_path / "r", device="cpu")
