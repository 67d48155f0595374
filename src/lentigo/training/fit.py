"""Train a network on a split, in a folder that explains itself, so that an interrupted run can go on."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from lentigo import data, models
from lentigo.arguments import checked
from lentigo.data import normalise
from lentigo.data.protocols import FOLDS
from lentigo.errors import DataError, RunError
from lentigo.models.transfer import Transfer
from lentigo.normalisation import IMAGENET, UNIT, Normalisation
from lentigo.training.devices import Device, find_device
from lentigo.training.fitting import check_model, fit_run
from lentigo.training.loading import load_run
from lentigo.training.processes import launch, started_outside, together
from lentigo.training.recipe import Recipe
from lentigo.training.resume import check_same, recorded_recipe, recorded_run
from lentigo.training.run import Run, environment
from lentigo.training.soft_labels import SoftLabels
from lentigo.training.sources import check_mixing, check_shares, describe_sources, main_prior
from lentigo.training.starting import Start, find_parent, recorded_start, start
from lentigo.training.students import check_student, find_store, with_store

__all__ = ["train", "train_from"]

_ONE = {(None, None), (1, None), (None, 1), (1, 1)}
"""Devices and nodes that are one process."""
_SPLIT = {"protocol": "grouped", "fold": 0, "folds": FOLDS}


@checked
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
    device: Device = "auto",
    devices: int | None = None,
    nodes: int | None = None,
) -> Run:
    """Train a network of the registry on the training part of a split.

    Early stopping and the choice of the best epoch see the validation part; the test part is not touched. Interrupted
    runs resume from the end of their last epoch and reach the same result.

    Args:
        model: name of the network.
        split: the split.
        recipe: how to train; without it the defaults. If `resume`, the recorded recipe is taken, and what is set here
            must be as it was.
        out: folder of the run, new or, if `resume`, of an interrupted run.
        options: of the network's builder; without them, if `resume`, the recorded ones, or those of the run to start
            from.
        pretrained: start from the ImageNet weights of the library that the backbone comes from.
        weights: start from a safetensors file in the key names of that library instead, or from a finished run of the
            same network, or of the same with more blocks; its output layer is left out then, and where it learned
            other classes. To resume, neither is needed once an epoch has ended.
        resume: resume an interrupted run of the same network, split and recipe.
        strict: stop at an unreadable image instead of leaving it out.
        callbacks: of Lightning, besides the recipe's, such as one that prunes a hopeless trial.
        device: 'auto', 'cpu', 'cuda' or 'mps'.
        devices: how many processes train together on this machine, each on a device of its own (or a share of the
            cores), by Lightning's DDP. Each batch is divided between them: `batch_size` is of all together, batch
            norms and random masks are those of the whole batch, and the result is that of one process up to the order
            of sums. An interrupted run may be resumed by another number. Without it, one, or those that torchrun
            started.
        nodes: on how many machines this was started; see `processes.launch`.

    Raises:
        RunError: the folder holds something else, there is nothing to resume, the run to resume differs, the network
            can't be built, doesn't fit the recipe, or its weights can't be loaded, or there is no such device; or the
            recipe mixes images of several data sets, or has shares of others. Of several devices: there are fewer, the
            batch can't be divided by them, the processes can't meet, or one was killed.
        LeakError: the run to start from has seen what this one is tested on, or learned what it is tuned on.
        DataError: no image of the training or validation part can be read.
        KeyboardInterrupt: Ctrl-C; what is done so far can be resumed.
    """
    given: dict[str, Any] = {
        "model": model,
        "split": split,
        "recipe": recipe,
        "out": Path(out),
        "options": options,
        "pretrained": pretrained,
        "weights": weights,
        "resume": resume,
        "strict": strict,
        "callbacks": callbacks,
        "device": device,
    }
    find_device(device)
    if (devices, nodes) not in _ONE and not started_outside():
        here, machines = (1 if count is None else count for count in (devices, nodes))
        launch(train, given | {"devices": here, "nodes": machines}, device, here, machines)
        return load_run(out)
    with together(device, devices, nodes):
        return _train(**given)


def _train(
    model: str,
    split: data.Split,
    recipe: Recipe | None,
    out: Path,
    options: Mapping[str, object] | None,
    pretrained: bool,
    weights: str | os.PathLike[str] | None,
    resume: bool,
    strict: bool,
    callbacks: tuple[pl.Callback, ...],
    device: Device,
) -> Run:
    """What each process does."""
    folder = out
    old = recorded_run(folder, resume)
    recipe = with_store(recorded_recipe(old, recipe and with_store(recipe)))
    store = find_store(recipe)
    if store is not None:
        check_student(store, recipe, split)
    file = Path(weights) if weights else None
    if options is None and (known := old or find_parent(file)) and known.model == model:
        options = known.options
    options = dict(options or {})
    if old:
        check_same(old, {"model": model, "options": _plain(options)}, split)
    if old and old.parent_sha256:
        raise RunError(
            f"{folder}: this run was fine-tuned from another one.", "Repeat the command that began it to resume it."
        )
    check_model(model, recipe)
    check_shares(recipe.source_shares, split.records)
    check_mixing(recipe, split.records)
    pl.seed_everything(recipe.seed, verbose=False)
    network = models.build(model, num_classes=recipe.outputs(split.records.label_set), **options)
    if recipe.frozen_base and not isinstance(network, Transfer):
        raise RunError(f"{model} has no pretrained base to freeze.", "Set frozen_base to false.")
    if old and old.start and file is None and not pretrained:
        begun = recorded_start(old)
    else:
        begun = start(network, model, options, recipe, split, weights=file, pretrained=pretrained)
    if old:
        check_same(old, {"start": _plain(dict(begun.record))}, split)
        if old.finished:
            print(f"{folder}: this training has finished; there is nothing to resume.", file=sys.stderr)
            return old
    pixels = data.load_pixels(split.records, recipe.size, strict=strict)
    for problem in pixels.problems:
        print(problem, file=sys.stderr)
    run = _describe(model, _plain(options), begun, split, recipe, folder, pixels, store)
    return fit_run(network, run, split, pixels, callbacks, device)


@checked
def train_from(
    root: data.Root | None,
    model: str,
    recipe: Recipe | None = None,
    *,
    out: str | os.PathLike[str],
    protocol: str | None = None,
    fold: int | None = None,
    folds: int | None = None,
    split: str | os.PathLike[str] | None = None,
    options: Mapping[str, object] | None = None,
    pretrained: bool = False,
    weights: str | os.PathLike[str] | None = None,
    resume: bool = False,
    strict: bool = False,
    device: Device = "auto",
    devices: int | None = None,
    nodes: int | None = None,
    labels: data.Labels | Sequence[data.Labels] = None,
    mapping: data.LabelMap | Sequence[data.LabelMap] = None,
    outside: bool = False,
) -> Run:
    """Read a data set, or several as one, split it and train on it: `data.read`, `data.split` and `train` in one call.

    Args:
        root: the data set, or several, of which the first is split and the others only add to its training part; None
            for those that the run to resume was begun with.
        model: name of the network.
        recipe: how to train.
        out: folder of the run.
        protocol: The split protocol; 'grouped' without it, or, if `resume`, as recorded.
        fold: which fold is the test part, 0 without it.
        folds: of how many, 5 without it.
        split: a saved split to take instead, such as `lentigo data split` writes.
        options: as in `train`.
        pretrained: as in `train`.
        weights: as in `train`.
        resume: as in `train`.
        strict: as in `train`.
        device: as in `train`.
        devices: as in `train`.
        nodes: as in `train`.
        labels: the diagnoses that the data set distinguishes, as in `data.read`; if `resume`, as recorded.
        mapping: from the labels of further data sets to those of the first, as in `data.read`.
        outside: whether a table may name images outside its own folder; if `resume`, or as recorded.

    Raises:
        DataError: the data can't be read or split, or the saved split is not of these images; if `strict`, any problem
            in them.
        RunError: as `train`; or a saved split is named together with a protocol or fold.
    """
    asked = {"protocol": protocol, "fold": fold, "folds": folds}
    given = {name: value for name, value in asked.items() if value is not None}
    if split is not None and given:
        raise RunError(
            f"{split}: a saved split has its own {' and '.join(given)}.",
            "Name either the split or how to make one.",
        )
    old = recorded_run(Path(out), resume)  # before a large data set is read for nothing
    if root is not None:
        alone = isinstance(root, str | os.PathLike) or len(root) == 1
        known = old.label_set if old and labels is None and alone else labels
        allowed = outside or (old is not None and old.outside)
        records = data.read(root, labels=known, mapping=mapping, strict=strict, outside=allowed)
    elif old is not None:
        records = old.records
    else:
        raise DataError("There is no data set to train on.", "Name its folder: --data FOLDER.")
    if old and not given and split is None:
        split = old.path / "split.csv"
    made = data.load_split(Path(split), records) if split else data.split(records, **_SPLIT | given)  # type: ignore[arg-type]
    how: dict[str, Any] = {"options": options, "pretrained": pretrained, "weights": weights, "strict": strict}
    how |= {"resume": resume, "device": device, "devices": devices, "nodes": nodes}
    try:
        return train(model, made, recipe, out=out, **how)
    except KeyboardInterrupt as stop:
        if str(stop):
            print(f"{stop} Re-run with --resume to continue from the last finished epoch.", file=sys.stderr)
        raise


def _plain(values: dict) -> dict:
    """As they come back from JSON."""
    return json.loads(json.dumps(values))


def _describe(
    model: str,
    options: dict[str, object],
    begun: Start,
    split: data.Split,
    recipe: Recipe,
    folder: Path,
    pixels: data.Pixels,
    store: SoftLabels | None,
) -> Run:
    train = pixels.readable(split.train)
    colours = _normalisation(recipe, model, begun) or normalise.measure(pixels.of(train))
    return Run(
        path=folder,
        model=model,
        options=options,
        start=_plain(dict(begun.record)),
        recipe=recipe,
        source=split.records.name,
        root=str(Path(split.records.root).absolute()),
        licence=split.records.licence,
        citation=split.records.citation,
        split_sha256=split.hash,
        mean=colours.mean,
        std=colours.std,
        label_set=train.label_set,
        outside=split.records.outside,
        sources=describe_sources(train, recipe.source_shares, recipe.seed),
        prior=main_prior(train),
        environment=environment(),
        soft_labels=store.provenance() if store else {},
    )


def _normalisation(recipe: Recipe, model: str, begun: Start) -> Normalisation | None:
    """What the recipe names; None where the training part must be measured."""
    own = models.entry(model).normalisation
    learned = begun.colours or (own if begun.record else None)
    named = {"unit": UNIT, "imagenet": IMAGENET, "network": own, "auto": learned}
    return named.get(recipe.normalisation)
