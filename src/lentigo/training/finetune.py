"""Train a finished run's network further: on its own split, with any recipe, changed or as it is."""

import hashlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytorch_lightning as pl
from safetensors.torch import load, save
from torch import Tensor, nn

from lentigo import data, models
from lentigo.atomic import entries, make_folder, write_bytes
from lentigo.errors import RunError, reason
from lentigo.training.devices import Device, find_device
from lentigo.training.fitting import check_model, fit_run
from lentigo.training.loading import load_run
from lentigo.training.named import Named
from lentigo.training.recipe import Recipe
from lentigo.training.run import Run, environment
from lentigo.training.students import check_student, find_store, with_store

__all__ = ["Changed", "fine_tune", "gentler"]

START = "start.safetensors"
"""The weights that a fine-tuning starts from, in its own folder, so that it resumes without its parent."""


@dataclass(frozen=True)
class Changed:
    """A network that was made from a run's, to be trained further.

    Attributes:
        network: with weights.
        options: of the builder that makes it.
        record: plain values for the run's `start`: what was done, and what came of it.
    """

    network: nn.Module
    options: Mapping[str, object]
    record: Mapping[str, object] = field(default_factory=dict)


def gentler(recipe: Recipe) -> Recipe:
    """A recipe for weights that are nearly right: a quarter of the epochs at a tenth of the rate, all weights train.

    Weights that magnitude pruning has set to zero stay zero.
    """
    pruned = [Named(name="keep_zeros") if c.name == "magnitude_pruning" else c for c in recipe.callbacks]
    return recipe.replaced(
        callbacks=pruned,
        epochs=max(1, round(recipe.epochs / 4)),
        warmup_epochs=0,
        learning_rate=recipe.learning_rate / 10,
        frozen_base=False,
        unfrozen_blocks=0,
        finetune_epochs=0,
    )


def fine_tune(
    parent: Run,
    recipe: Recipe | None = None,
    *,
    out: str | os.PathLike[str],
    change: Callable[[Recipe], Changed] | None = None,
    step: Mapping[str, object] | None = None,
    callbacks: tuple[pl.Callback, ...] = (),
    device: Device = "auto",
) -> Run:
    """Train a run's network further on the run's split, in a folder of its own.

    Killed and called again with the same arguments it resumes, and ends with the same weights. The normalisation stays
    the parent's, whatever the recipe says of it.

    Args:
        parent: a finished run.
        recipe: how to train; its callbacks may prune or quantize. Without it `gentler` than the parent's.
        out: folder of the new run: new, empty, or of the same fine-tuning, interrupted or finished.
        change: makes another network of the parent's first, such as a pruned one; it is called once, and its result
            kept. Without it the network stays as it is.
        step: plain values that say what `change` does; a folder with others isn't resumed.
        callbacks: of Lightning, besides the recipe's.
        device: 'auto', 'cpu', 'cuda' or 'mps'.

    Raises:
        RunError: the parent has not finished, the recipe doesn't fit it, or the folder holds something else.
        DataError: no image of the training or validation part can be read.
    """
    find_device(device)
    folder, recipe = Path(out), with_store(recipe or gentler(parent.recipe))
    _check(parent, recipe)
    begun = _plain({"parent_sha256": parent.network_sha256, **(step or {})})
    run = _recorded(folder, begun, recipe)
    if run and run.finished:
        return run
    pl.seed_everything(recipe.seed, verbose=False)
    if run is None:
        changed = change(recipe) if change else Changed(parent.trained_network(), parent.options)
        run, network = _begin(parent, recipe, folder, begun, changed), changed.network
    else:
        network = models.build(run.model, num_classes=recipe.outputs(run.label_set), **run.options)
        network.load_state_dict(_weights(run))
    network.requires_grad_(True)
    pixels = data.load_pixels(parent.split.records, recipe.size)
    for problem in pixels.problems:
        print(problem, file=sys.stderr)
    try:
        return fit_run(network, run, parent.split, pixels, callbacks, device)
    except KeyboardInterrupt as stop:
        if str(stop):
            print(f"{stop} Repeat the command to continue from the last finished epoch.", file=sys.stderr)
        raise


def _check(parent: Run, recipe: Recipe) -> None:
    """What the parent learned and what the recipe has it learn must be one."""
    check_model(parent.model, recipe)
    if not parent.finished:
        raise RunError(f"{parent.path}: this training has not finished.", "Resume with lentigo train --resume.")
    kinds = [(r.target, r.outputs(parent.label_set)) for r in (parent.recipe, recipe)]
    if kinds[0] != kinds[1]:
        had, has = (f"{target} with {outputs} output{'s' * (outputs != 1)}" for target, outputs in kinds)
        raise RunError(f"{parent.path} learned {had}; the recipe has {has}.", "Use the run's own target and loss.")
    store = find_store(recipe)
    if store is not None:
        check_student(store, recipe, parent.split)


def _recorded(folder: Path, begun: Mapping[str, object], recipe: Recipe) -> Run | None:
    """The same fine-tuning in this folder; None where a new one can begin."""
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder}: this is a file.", "Name a folder for the run.")
    if (folder / "recipe.json").is_file():
        run = load_run(folder)
        other = [name for name, value in begun.items() if run.start.get(name) != value]
        if other or _plain(run.recipe.to_dict()) != _plain(recipe.to_dict()):
            what = "another recipe" if not other else f"another {other[0].removesuffix('_sha256')}"
            raise RunError(f"{folder}: this folder holds a run with {what}.", "Name another folder.")
        return run
    if entries(folder) - {START}:
        raise RunError(f"{folder}: this folder is not empty.", "Name a new or empty folder.")
    return None


def _weights(run: Run) -> dict[str, Tensor]:
    """What an interrupted fine-tuning started from."""
    file, hint = run.path / START, "Restore that file, or start again in another folder."
    try:
        content = file.read_bytes()
    except OSError as error:
        raise RunError(f"{file}: the weights that it started from can't be read ({reason(error)}).", hint) from None
    if hashlib.sha256(content).hexdigest() != run.start.get("sha256"):
        raise RunError(f"{file}: not the weights that it started from (another hash is recorded).", hint)
    return load(content)


def _begin(parent: Run, recipe: Recipe, folder: Path, begun: Mapping[str, object], changed: Changed) -> Run:
    """Write what the fine-tuning starts from, and describe it."""
    weights = {key: value.contiguous().cpu() for key, value in changed.network.state_dict().items()}
    content = save(weights)
    make_folder(folder)
    write_bytes(folder / START, content)
    record = {
        "source": parent.path.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "tensors": len(weights),
        "fresh": [],
        "left_out": 0,
    }
    start = {**begun, **record, **changed.record, "parent_start": dict(parent.start)}
    run = replace(
        parent,
        path=folder,
        recipe=recipe,
        options=_plain(changed.options),
        split_sha256=parent.split.hash,  # by now without what reading has learned to leave out
        start=_plain(start),
        soft_labels=_taught(parent, recipe),
        environment=environment(),
    )
    run.save_description()
    return run


def _taught(parent: Run, recipe: Recipe) -> Mapping[str, object]:
    """Who taught it, and all that the teachers have seen, those of the parent too."""
    store = find_store(recipe)
    if store is None:
        return parent.soft_labels
    return store.provenance() | {"seen": (parent.taught | store.seen).encode()}


def _plain(values: Mapping[str, object]) -> dict:
    """As they come back from JSON."""
    return json.loads(json.dumps(dict(values)))
