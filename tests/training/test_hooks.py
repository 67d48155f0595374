"""Losses, augmentations and callbacks by name: used by a training, resumed, and open to others."""

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional as F

from lentigo import data, training
from lentigo.data import augment
from lentigo.training import hooks
from lentigo.training.inputs import PixelInput
from lentigo.training.learner import Learner
from lentigo.training.named import Named
from lentigo.training.optimizers import _cosine

FULL = training.Recipe(
    size=16,
    epochs=3,
    batch_size=16,
    accumulate=2,
    gradient_clip=1.0,
    schedule="cosine",
    warmup_epochs=1,
    loss="focal",
    ema=0.9,
    augmentations=[{"name": "AddHair", "probability": 0.3}, "MixUp", "CutMix"],
)


@pytest.fixture(scope="module")
def split(synthetic_records):
    return data.split(synthetic_records)


@pytest.fixture
def plugins(monkeypatch):
    """Registries of this test alone."""
    for registry in (hooks.LOSSES, hooks.CALLBACKS):
        monkeypatch.setattr(registry, "_makers", dict(registry._makers))


def weights(run):
    return load_file(run.path / "network.safetensors")


def interrupt(monkeypatch, epoch):
    """Ctrl-C in the second step of an epoch."""
    step = Learner.training_step

    def stopped(self, batch, index):
        if self.current_epoch == epoch and index == 1:
            raise KeyboardInterrupt
        return step(self, batch, index)

    monkeypatch.setattr(Learner, "training_step", stopped)


def test_everything_at_once_resumes_to_the_same_result(split, tmp_path, monkeypatch):
    whole = training.train("compact", split, FULL, out=tmp_path / "whole")
    with monkeypatch.context() as patch:
        interrupt(patch, 2)
        with pytest.raises(KeyboardInterrupt, match="interrupted in epoch 3"):
            training.train("compact", split, FULL, out=tmp_path / "cut")
    resumed = training.train("compact", split, out=tmp_path / "cut", resume=True)
    assert resumed.recipe == FULL
    for name, value in weights(whole).items():
        assert torch.equal(value, weights(resumed)[name]), name
    pd.testing.assert_frame_equal(*(pd.read_csv(run.path / "log" / "metrics.csv") for run in (whole, resumed)))


def test_the_moving_average_is_what_is_validated_and_kept(split, tmp_path):
    found = []
    for name, decay in (("plain", 0.0), ("averaged", 0.9)):
        recipe = training.Recipe(size=16, epochs=1, batch_size=32, ema=decay)
        found.append(training.train("compact", split, recipe, out=tmp_path / name))
    plain, averaged = (pd.read_csv(run.path / "log" / "metrics.csv").iloc[0] for run in found)
    assert plain["train_loss"] == averaged["train_loss"]  # the weights that train are the same
    assert plain["val_loss"] != averaged["val_loss"]
    assert not torch.equal(weights(found[0])["classifier.weight"], weights(found[1])["classifier.weight"])
    state = torch.load(found[1].path / "checkpoints" / "whole" / "last.ckpt", weights_only=True)
    assert torch.equal(state["state_dict"]["network.classifier.weight"], weights(found[1])["classifier.weight"])
    assert torch.equal(
        state["current_model_state"]["network.classifier.weight"], weights(found[0])["classifier.weight"]
    )


@pytest.mark.parametrize("name", augment.names())
def test_every_augmentation_can_be_named(name):
    recipe = training.Recipe(size=32, augmentations=[{"name": name, "probability": 1.0 if name in MIXING else 0.9}])
    still = recipe.replaced(rotation=0, zoom=(1, 1), shift=0, mirror=False, brightness=0, contrast=0, channel_jitter=0)
    assert still.augments
    assert not still.moves
    pixels = torch.randint(256, (8, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    targets = F.one_hot(torch.arange(8) % 7, 7).float()
    inputs = PixelInput(still, torch.zeros(3), torch.ones(3))
    views, mixed = inputs.views(pixels, targets, torch.Generator().manual_seed(2))
    again, _ = inputs.views(pixels, targets, torch.Generator().manual_seed(2))
    assert torch.equal(views, again)
    assert not torch.equal(views, pixels.float() / 255)
    assert torch.equal(mixed, targets) == (name not in MIXING)
    assert torch.allclose(mixed.sum(1), torch.ones(8))


MIXING = ("MixUp", "CutMix")


def test_the_order_of_augmentations_and_their_probability_hold():
    always = training.Recipe(augmentations=[{"name": "Brightness", "params": {"spread": 0.5}, "probability": 0.5}])
    inputs = PixelInput(
        always.replaced(rotation=0, zoom=(1, 1), shift=0, mirror=False, brightness=0, contrast=0, channel_jitter=0),
        torch.zeros(3),
        torch.ones(3),
    )
    pixels = torch.full((200, 3, 8, 8), 100, dtype=torch.uint8)
    views, _ = inputs.views(pixels, torch.ones(200, 1), torch.Generator().manual_seed(0))
    changed = (views != pixels.float() / 255).flatten(1).any(1).float().mean()
    assert 0.35 < changed < 0.65


def test_focal_loss_is_cross_entropy_at_gamma_zero_and_counts_clear_images_less():
    logits, targets = torch.randn(6, 3), torch.eye(3).repeat(2, 1) * 0.9 + 0.1 / 3
    named = {gamma: Named(name="focal", params={"gamma": gamma}) for gamma in (0.0, 2.0)}
    plain = F.cross_entropy(logits, targets, reduction="none")
    assert torch.allclose(hooks.LOSSES.make(named[0.0])(logits, targets, None), plain, atol=1e-6)
    p = logits.softmax(1)
    expected = -(targets * (1 - p) ** 2 * p.log()).sum(1)
    assert torch.allclose(hooks.LOSSES.make(named[2.0])(logits, targets, None), expected, atol=1e-5)


def test_a_loss_and_a_callback_of_another_package_see_the_batch(split, tmp_path, plugins):
    """What distillation needs: which images, and how to make the same views again."""
    seen, kept = [], []

    @training.register_loss
    def imitation(weight: float = 0.5):
        def loss(logits, targets, context):
            seen.append(context)
            return weight * F.cross_entropy(logits, targets, reduction="none")

        return loss

    @training.register_callback
    class Pruning(training.Hook):
        """Zeros half of the last layer after each step."""

        def __init__(self, share: float = 0.5):
            super().__init__()
            self.share = share

        def on_train_batch_end(self, trainer, learner, *rest):
            assert learner.context is seen[-1]
            layer = learner.network.classifier.weight.data
            layer[:, : int(layer.shape[1] * self.share)] = 0

        def on_kept(self, learner):
            kept.append(learner)

    recipe = training.Recipe(
        size=16,
        epochs=1,
        batch_size=32,
        loss={"name": "imitation", "params": {"weight": 0.1}},
        callbacks=["Pruning"],
    )
    run = training.train("compact", split, recipe, out=tmp_path / "run")
    zeros = weights(run)["classifier.weight"][:, :96]
    assert torch.equal(zeros, torch.zeros_like(zeros))
    assert len(kept) == 1
    context = seen[1]
    assert (context.epoch, context.step) == (0, 1)
    assert set(context.image_ids) <= set(split.train.ids)
    assert np.array_equal(split.train.take(context.image_ids).labels, context.labels.numpy())
    pixels = data.load_pixels(split.records, 16)
    squares = torch.from_numpy(np.array(pixels.of(split.train.take(context.image_ids)))).permute(0, 3, 1, 2)
    inputs = PixelInput(recipe, torch.tensor(run.mean), torch.tensor(run.std))
    views, _ = inputs.views(squares, context.targets, torch.Generator().manual_seed(context.seed))
    assert torch.equal(views, context.views)


def test_two_parts_can_not_share_a_name(plugins):
    def ema(decay: float = 0.5):
        return None

    with pytest.raises(ValueError, match="ema"):
        training.register_callback(ema)


def test_cosine_rises_and_falls_to_zero():
    rates = [_cosine(10, 110, step) for step in range(111)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == rates[10] == 1
    assert rates[60] == pytest.approx(0.5)
    assert rates[110] == pytest.approx(0)
    assert np.all(np.diff(rates[10:]) < 0)


def test_workers_change_nothing(split, tmp_path):
    runs = []
    for workers in (0, 1):
        recipe = training.Recipe(size=16, epochs=2, batch_size=32, workers=workers)
        runs.append(weights(training.train("compact", split, recipe, out=tmp_path / str(workers))))
    assert all(torch.equal(value, runs[1][name]) for name, value in runs[0].items())


def test_compile_compiles_the_network(split, tmp_path, monkeypatch):
    compiled = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self: compiled.append(type(self).__name__))
    recipe = training.Recipe(size=16, epochs=1, batch_size=32, compile=True)
    training.train("compact", split, recipe, out=tmp_path / "run")
    assert compiled == ["Compact"]


@pytest.mark.slow
def test_one_graph_is_compiled_and_validation_needs_none(split, tmp_path, monkeypatch):
    """Validation has another mode and other sizes of batches: each would be compiled anew."""
    graphs, compile_it = [], torch.nn.Module.compile

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    monkeypatch.setattr(torch.nn.Module, "compile", lambda self: compile_it(self, backend=backend))
    recipe = training.Recipe(size=16, epochs=2, batch_size=32, ema=0.9, compile=True)
    run = training.train("compact", split, recipe, out=tmp_path / "run")
    assert run.finished
    assert len(graphs) == 1
