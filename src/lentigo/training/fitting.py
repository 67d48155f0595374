"""Fit a network as its run says, into the run's folder."""

import pytorch_lightning as pl
import torch

from lentigo import data, models
from lentigo.errors import RunError
from lentigo.models.transfer import Transfer
from lentigo.training.batches import PixelDataset, epoch_positions, optimizer_steps, train_loader, validation_loader
from lentigo.training.devices import Device, find_device
from lentigo.training.hooks import CALLBACKS, Hook
from lentigo.training.inputs import PixelInput
from lentigo.training.learner import Learner
from lentigo.training.loop import fit
from lentigo.training.processes import wait_for_all, world
from lentigo.training.recipe import Recipe
from lentigo.training.run import Run
from lentigo.training.soft_labels import SoftLabels
from lentigo.training.stages import fit_in_stages
from lentigo.training.students import find_store
from lentigo.training.views import ReplayedInput

__all__ = ["check_model", "fit_run"]


def check_model(model: str, recipe: Recipe) -> None:
    """See that a network takes the recipe's images.

    Raises:
        RunError: it takes another size only, or the recipe wants a normalisation that isn't known.
    """
    known = models.entry(model)
    if not known.any_size and known.size != recipe.size:
        raise RunError(
            f"{model} takes only images of {known.size}x{known.size} pixels, not {recipe.size}.",
            f"Set size to {known.size}.",
        )
    if recipe.normalisation == "network" and known.normalisation is None:
        raise RunError(f"{model} has no normalisation of its own.", "Set normalisation to training, or to auto.")


def fit_run(
    network: torch.nn.Module,
    run: Run,
    split: data.Split,
    pixels: data.Pixels,
    callbacks: tuple[pl.Callback, ...] = (),
    device: Device = "auto",
) -> Run:
    """Train a network as its run says, or go on from the run's checkpoint, and save all of it in the run's folder."""
    steps = optimizer_steps(run.recipe, epoch_positions(run.recipe, split, pixels.readable(split.train).ids))
    for callback in map(CALLBACKS.make, run.recipe.all_callbacks):
        if isinstance(callback, Hook):
            callback.check(run.recipe, steps)
    store = find_store(run.recipe)
    if store is not None:
        store.rows(pixels.readable(split.train).ids)  # refuses images without soft labels
    wait_for_all()  # all have seen the folder as it was
    if world().writes:
        run.save_description()  # first: what it is of can be resumed, and nothing else
        split.save(run.path / "split.csv")
    if isinstance(network, Transfer) and run.recipe.frozen_base:
        fit_in_stages(network, run, split, pixels, callbacks, device)
    else:
        _fit_whole(network, run, split, pixels, callbacks, device, store)
    if world().writes:
        run.save_network(network)
    wait_for_all()
    return run


def _fit_whole(
    network: torch.nn.Module,
    run: Run,
    split: data.Split,
    pixels: data.Pixels,
    callbacks: tuple[pl.Callback, ...],
    device: Device,
    store: SoftLabels | None,
) -> None:
    """Everything trains, from augmented pixels: views of its own, or those of a store."""
    recipe = run.recipe
    colours = torch.tensor(run.mean), torch.tensor(run.std)
    train, validation = (pixels.readable(split.part(part)) for part in ("train", "validation"))
    if store is None:
        inputs, squares = PixelInput(recipe, *colours), pixels.of(train)
    else:
        inputs = ReplayedInput(recipe, *colours, store, train.ids)
        squares = data.load_pixels(split.records, store.description.size).of(train)
    learner = Learner(network, inputs, recipe, **run.class_shares(train))
    place = find_device(device)
    train_set = PixelDataset(squares, run.labels(train), place)
    fit(
        learner,
        train_loader(train_set, recipe, epoch_positions(recipe, split, train.ids)),
        validation_loader(PixelDataset(pixels.of(validation), run.labels(validation), place), recipe.batch_size * 4),
        recipe,
        run.path,
        epochs=recipe.epochs,
        extra=callbacks,
        device=device,
    )
