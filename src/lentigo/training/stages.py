"""Transfer learning in two stages: the head on a frozen base, then the base's last blocks with it at a lower rate.

What is frozen is computed once and kept (`features`), so that both stages train on cached features. Where the weights
lack the end of a base, that end starts fresh and trains from the first stage on: a frozen random layer would teach
the head nothing.
"""

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from lentigo import data
from lentigo.atomic import write_text
from lentigo.models.transfer import Transfer
from lentigo.training.batches import FeatureDataset, epoch_positions, train_loader, validation_loader
from lentigo.training.cached_features import cache_features
from lentigo.training.devices import Device
from lentigo.training.inputs import FeatureInput
from lentigo.training.learner import Learner
from lentigo.training.loop import fit
from lentigo.training.processes import world
from lentigo.training.run import Run

__all__ = ["fit_in_stages"]


def fit_in_stages(
    network: Transfer,
    run: Run,
    split: data.Split,
    pixels: data.Pixels,
    callbacks: tuple[pl.Callback, ...] = (),
    device: Device = "auto",
) -> None:
    """Train the head, then the last blocks if the recipe says so.

    Args:
        network: with trained weights, or random ones.
        run: says how, and where.
        split: the split.
        pixels: of all its images.
        callbacks: of Lightning, for the first stage.
        device: where.
    """
    recipe = run.recipe
    _fit_stage("head", network, run, split, pixels, recipe.epochs, recipe.learning_rate, device, callbacks)
    if recipe.unfrozen_blocks:
        _fit_stage("tail", network, run, split, pixels, recipe.finetune_epochs, recipe.finetune_learning_rate, device)


def _fit_stage(
    stage: str,
    network: Transfer,
    run: Run,
    split: data.Split,
    pixels: data.Pixels,
    epochs: int,
    rate: float,
    device: Device,
    callbacks: tuple[pl.Callback, ...] = (),
) -> None:
    recipe = run.recipe
    network.freeze(run.unfrozen(stage, network))
    parts = [pixels.readable(split.part(part)) for part in ("train", "validation")]
    needed = split.records.take([*parts[0].ids, *parts[1].ids])
    kept = cache_features(network, recipe, torch.tensor(run.mean), torch.tensor(run.std), pixels, needed, device)
    train, validation = (FeatureDataset(kept.array, pixels.rows(part), run.labels(part)) for part in parts)
    learner = Learner(_Trainable(network), FeatureInput(), recipe, rate=rate, **run.class_shares(parts[0]))
    fit(
        learner,
        train_loader(train, recipe, epoch_positions(recipe, split, parts[0].ids)),
        validation_loader(validation, recipe.batch_size * 4),
        recipe,
        run.path,
        epochs=epochs,
        stage=stage,
        extra=callbacks,
        device=device,
    )
    seconds = f"{kept.seconds_an_image * len(needed):.3f}\n"
    if world().writes:
        write_text(run.path / "log" / f"features_{stage}.seconds", seconds)


class _Trainable(nn.Module):
    """The part of a network behind what is kept."""

    def __init__(self, network: Transfer) -> None:
        super().__init__()
        self.whole = network

    def forward(self, kept: Tensor) -> Tensor:
        """Logits."""
        return self.whole.trainable_part(kept)
