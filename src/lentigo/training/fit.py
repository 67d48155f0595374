"""Train a network on a split, in a folder that explains itself, so that an interrupted run can go on."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch

from lentigo import data, models
from lentigo.data import normalise
from lentigo.errors import RunError
from lentigo.models.transfer import Transfer
from lentigo.normalisation import IMAGENET, UNIT
from lentigo.training.batches import PixelDataset, epoch_positions, train_loader, validation_loader
from lentigo.training.learner import Learner, PixelInput
from lentigo.training.loop import fit
from lentigo.training.recipe import Recipe
from lentigo.training.run import Run, environment, load_run
from lentigo.training.stages import fit_in_stages

__all__ = ["train", "train_from"]


def train(
    model: str,
    split: data.Split,
    recipe: Recipe | None = None,
    *,
    out: str | os.PathLike[str],
    options: Mapping[str, object] | None = None,
    pretrained: bool = False,
    weights: str | os.PathLike[str] | None = None,
    resume: bool = False,
    strict: bool = False,
    callbacks: tuple[pl.Callback, ...] = (),
) -> Run:
    """Train a network of the registry on the training part of a split.

    Early stopping and the choice of the best epoch see the validation part; the test part is not touched. Interrupted
    runs go on from the end of their last epoch and reach the same result.

    Args:
        model: name of the network.
        split: the split.
        recipe: how to train; without it the defaults.
        out: folder of the run, new or, if `resume`, of an interrupted run.
        options: of the network's builder.
        pretrained: start from the ImageNet weights of the library that the backbone comes from.
        weights: start from a safetensors file in the key names of that library instead.
        resume: resume an interrupted run of the same network, split and recipe.
        strict: stop at an unreadable image instead of leaving it out.
        callbacks: of Lightning, such as one that prunes a hopeless trial.

    Raises:
        RunError: the folder holds something else, the run to resume differs, the network can't be built, doesn't fit
            the recipe, or its weights can't be loaded.
        DataError: no image of the training or validation part can be read.
    """
    recipe = recipe or Recipe()
    folder = Path(out)
    _check_folder(folder, resume)
    _check_size(model, recipe)
    pl.seed_everything(recipe.seed, verbose=False)
    network = models.build(model, num_classes=recipe.outputs(split.records.label_set), **(options or {}))
    if recipe.frozen_base and not isinstance(network, Transfer):
        raise RunError(f"{model} has no base that could be frozen.", "Set frozen_base to false.")
    file = Path(weights) if weights else None
    start = _plain(asdict(models.load_weights(network, file))) if pretrained or file else {}
    pixels = data.load_pixels(split.records, recipe.size, strict=strict)
    for problem in pixels.problems:
        print(problem, file=sys.stderr)
    run = _describe(model, _plain(dict(options or {})), start, split, recipe, folder, pixels)
    if (folder / "recipe.json").exists():
        _check_same(load_run(folder), run)
        if run.finished:
            return run
    folder.mkdir(parents=True, exist_ok=True)
    split.save(folder / "split.csv")
    run.save_description()
    if isinstance(network, Transfer) and recipe.frozen_base:
        fit_in_stages(network, run, split, pixels, callbacks)
    else:
        _fit_whole(network, run, split, pixels, callbacks)
    run.save_network(network)
    return run


def train_from(
    root: str | os.PathLike[str],
    model: str,
    recipe: Recipe | None = None,
    *,
    out: str | os.PathLike[str],
    protocol: str = "grouped",
    fold: int = 0,
    options: Mapping[str, object] | None = None,
    pretrained: bool = False,
    weights: str | os.PathLike[str] | None = None,
    resume: bool = False,
    strict: bool = False,
) -> Run:
    """Read a data set, split it and train on it: `data.read`, `data.split` and `train` in one call.

    Raises:
        DataError: the data can't be read or split; if `strict`, any problem in them.
        RunError: as `train`.
    """
    records = data.read(root, strict=strict)
    split = data.split(records, protocol, fold=fold)
    start = {"options": options, "pretrained": pretrained, "weights": weights}
    return train(model, split, recipe, out=out, resume=resume, strict=strict, **start)  # type: ignore[arg-type]


def _fit_whole(
    network: torch.nn.Module, run: Run, split: data.Split, pixels: data.Pixels, callbacks: tuple[pl.Callback, ...]
) -> None:
    """Everything trains, from augmented pixels."""
    recipe = run.recipe
    inputs = PixelInput(recipe, torch.tensor(run.mean), torch.tensor(run.std))
    learner = Learner(network, inputs, recipe, torch.tensor(run.class_prior))
    train, validation = (pixels.readable(split.part(part)) for part in ("train", "validation"))
    train_set = PixelDataset(pixels.of(train), run.labels(train))
    fit(
        learner,
        train_loader(train_set, recipe.batch_size, recipe.seed, epoch_positions(recipe, split, train.ids)),
        validation_loader(PixelDataset(pixels.of(validation), run.labels(validation)), recipe.batch_size * 4),
        recipe,
        run.path,
        epochs=recipe.epochs,
        extra=callbacks,
    )


def _plain(values: dict) -> dict:
    """As they come back from JSON."""
    return json.loads(json.dumps(values))


def _check_folder(folder: Path, resume: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder}: this is a file.", "Name a folder for the run.")
    if folder.exists() and any(folder.iterdir()):
        if not resume:
            raise RunError(f"{folder}: there is something in this folder.", "Name another, or resume with --resume.")
        if not (folder / "recipe.json").exists():
            raise RunError(f"{folder}: no run of lentigo to resume.", "Name the folder of an interrupted run.")


def _check_size(model: str, recipe: Recipe) -> None:
    known = models.entry(model)
    if not known.any_size and known.size != recipe.size:
        raise RunError(
            f"{model} takes images of {known.size}x{known.size} pixels and no others, not {recipe.size}.",
            f"Set size to {known.size}.",
        )


def _describe(
    model: str,
    options: dict[str, object],
    start: dict[str, object],
    split: data.Split,
    recipe: Recipe,
    folder: Path,
    pixels: data.Pixels,
) -> Run:
    train = pixels.readable(split.train)
    counts = np.bincount(train.labels, minlength=len(train.label_set))
    mean, std = {
        "unit": (UNIT.mean, UNIT.std),
        "imagenet": (IMAGENET.mean, IMAGENET.std),
    }.get(recipe.normalisation) or _colours(pixels, train)
    return Run(
        path=folder,
        model=model,
        options=options,
        start=start,
        recipe=recipe,
        source=split.records.name,
        root=str(Path(split.records.root).absolute()),
        licence=split.records.licence,
        citation=split.records.citation,
        split_sha256=split.hash,
        mean=mean,
        std=std,
        label_set=train.label_set,
        prior=tuple((counts / counts.sum()).tolist()),
        environment=environment(),
    )


def _colours(pixels: data.Pixels, train: data.Records) -> tuple[tuple[float, ...], tuple[float, ...]]:
    measured = normalise.measure(pixels.of(train))
    return measured.mean, measured.std


def _check_same(old: Run, new: Run) -> None:
    """A resumed run must be the one that was interrupted."""
    for name in ("model", "options", "start", "recipe", "split_sha256", "label_set"):
        before, now = getattr(old, name), getattr(new, name)
        if before != now:
            raise RunError(f"{old.path}: it was begun with {name} {before}, not {now}.", "Start another run for that.")
