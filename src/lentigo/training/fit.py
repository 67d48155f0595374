"""Train a network on a split, in a folder that explains itself, so that an interrupted run can go on."""

import logging
import os
import signal
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint, TQDMProgressBar
from pytorch_lightning.loggers import TensorBoardLogger

from lentigo import data, models, taxonomy
from lentigo.data import normalise
from lentigo.errors import RunError
from lentigo.training.batches import PixelDataset, train_loader, validation_loader
from lentigo.training.learner import Learner
from lentigo.training.recipe import Recipe
from lentigo.training.run import Run, environment, load_run, write_text

__all__ = ["SCORE", "train", "train_from"]

SCORE = "val_loss"
"""What the best epoch is chosen by, on the validation part: a proper score, and steadier than balanced accuracy,
which a handful of images of the rarest diagnosis decide."""


def train(
    model: str,
    split: data.Split,
    recipe: Recipe | None = None,
    *,
    out: str | os.PathLike[str],
    resume: bool = False,
    strict: bool = False,
) -> Run:
    """Train a network of the registry on the training part of a split.

    Early stopping and the choice of the best epoch see the validation part; the test part is not touched. Interrupted
    runs go on from the end of their last epoch and reach the same result.

    Args:
        model: name of the network.
        split: the split.
        recipe: how to train; without it the defaults.
        out: folder of the run, new or, if `resume`, of an interrupted run.
        resume: go on with an interrupted run of the same network, split and recipe.
        strict: stop at an unreadable image instead of leaving it out.

    Raises:
        RunError: the folder holds something else, or the run to resume differs.
        DataError: no image of the training or validation part can be read.
    """
    recipe = recipe or Recipe()
    folder = Path(out)
    _check_folder(folder, resume)
    pixels = data.load_pixels(split.records, recipe.size, strict=strict)
    for problem in pixels.problems:
        print(problem, file=sys.stderr)
    parts = {name: pixels.readable(split.part(name)) for name in ("train", "validation")}
    images = pixels.of(parts["train"])
    run = _describe(model, split, recipe, folder, images, parts["train"].labels)
    if (folder / "recipe.json").exists():
        _check_same(load_run(folder), run)
        if run.finished:
            return run
    folder.mkdir(parents=True, exist_ok=True)
    split.save(folder / "split.csv")
    run.save_description()

    pl.seed_everything(recipe.seed, verbose=False)
    learner = Learner(models.build(model), recipe, *map(torch.tensor, (run.mean, run.std, run.prior)))
    trainer, best = _trainer(recipe, folder)
    last = folder / "checkpoints" / "last.ckpt"
    train_set = PixelDataset(images, parts["train"].labels)
    validation_set = PixelDataset(pixels.of(parts["validation"]), parts["validation"].labels)
    on_interrupt = signal.getsignal(signal.SIGINT)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")  # batches are gathered in memory
        warnings.filterwarnings("ignore", message=".*exists and is not empty.*")  # that is what resuming means
        warnings.filterwarnings("ignore", message=".*LeafSpec.*")  # Lightning's own use of torch
        try:
            trainer.fit(
                learner,
                train_loader(train_set, recipe.batch_size, recipe.seed),
                validation_loader(validation_set, recipe.batch_size * 4),
                ckpt_path=last if last.exists() else None,
            )
        except SystemExit:  # Lightning's answer to Ctrl-C
            signal.signal(signal.SIGINT, on_interrupt)
            raise RunError(f"{folder}: interrupted in epoch {trainer.current_epoch}.", "Go on with --resume.") from None
    learner.load_state_dict(torch.load(best.best_model_path, weights_only=True)["state_dict"])
    run.save_network(learner.network)
    return run


def train_from(
    root: str | os.PathLike[str],
    model: str,
    recipe: Recipe | None = None,
    *,
    out: str | os.PathLike[str],
    protocol: str = "grouped",
    fold: int = 0,
    resume: bool = False,
    strict: bool = False,
) -> Run:
    """Read a data set, part it and train on it: `data.read`, `data.split` and `train` in one call.

    Raises:
        DataError: the data can't be read or parted; if `strict`, any problem in them.
        RunError: as `train`.
    """
    records = data.read(root, strict=strict)
    if records.problems:
        print(f"{len(records.problems)} problems in {root}: {records.problem_counts()}", file=sys.stderr)
    return train(model, data.split(records, protocol, fold=fold), recipe, out=out, resume=resume, strict=strict)


class History(pl.Callback):
    """Writes log/metrics.csv, a row an epoch; it is part of the checkpoint, so a resumed run's file is whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, float]] = []

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Add this epoch's scores. Lightning calls it after the validation of the epoch."""
        scores = {name: float(value) for name, value in trainer.callback_metrics.items()}
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        self.rows.append({"epoch": trainer.current_epoch, "learning_rate": rate, **scores})
        write_text(self.path, pd.DataFrame(self.rows).to_csv(index=False))

    def state_dict(self) -> dict:
        """For the checkpoint."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict) -> None:
        """From the checkpoint."""
        self.rows = list(state_dict["rows"])


def _check_folder(folder: Path, resume: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder}: this is a file.", "Name a folder for the run.")
    if folder.exists() and any(folder.iterdir()):
        if not resume:
            raise RunError(f"{folder}: there is something in this folder.", "Name another, or go on with --resume.")
        if not (folder / "recipe.json").exists():
            raise RunError(f"{folder}: no run of lentigo to resume.", "Name the folder of an interrupted run.")


def _describe(
    model: str, split: data.Split, recipe: Recipe, folder: Path, images: np.ndarray, labels: np.ndarray
) -> Run:
    colours = normalise.measure(images)
    counts = np.bincount(labels, minlength=len(taxonomy.CLASSES))
    return Run(
        path=folder,
        model=model,
        recipe=recipe,
        source=split.records.name,
        root=str(Path(split.records.root).absolute()),
        licence=split.records.licence,
        citation=split.records.citation,
        split_sha256=split.hash,
        mean=colours.mean,
        std=colours.std,
        prior=tuple((counts / counts.sum()).tolist()),
        environment=environment(),
    )


def _check_same(old: Run, new: Run) -> None:
    """A resumed run must be the one that was interrupted."""
    for name in ("model", "recipe", "split_sha256"):
        before, now = getattr(old, name), getattr(new, name)
        if before != now:
            raise RunError(f"{old.path}: it was begun with {name} {before}, not {now}.", "Start another run for that.")


def _trainer(recipe: Recipe, folder: Path) -> tuple[pl.Trainer, ModelCheckpoint]:
    place = folder / "checkpoints"
    best = ModelCheckpoint(place, "best", monitor=SCORE, mode="min", enable_version_counter=False)
    # After every epoch, better or not; the callback's own `save_last` follows the best.
    last = ModelCheckpoint(place, "last", save_top_k=1, enable_version_counter=False)
    callbacks: list[pl.Callback] = [
        EarlyStopping(SCORE, mode="min", patience=recipe.patience),
        History(folder / "log" / "metrics.csv"),
        best,
        last,  # after the others, so that what they know of this epoch is in the checkpoint
    ]
    show = os.isatty(2)
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    trainer = pl.Trainer(
        max_epochs=recipe.epochs,
        accelerator="auto",
        devices=1,
        callbacks=callbacks + ([TQDMProgressBar(leave=False)] if show else []),
        logger=TensorBoardLogger(folder / "log", name="", version=""),
        enable_progress_bar=show,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=1,
    )
    return trainer, best
