"""Lightning's loop with what every training here needs: the best epoch, a checkpoint an epoch, a log that resumes."""

import logging
import os
import signal
import time
import warnings
from pathlib import Path

import pandas as pd
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint, TQDMProgressBar
from pytorch_lightning.loggers import TensorBoardLogger
from torch.utils.data import DataLoader

from lentigo.atomic import write_text
from lentigo.errors import RunError
from lentigo.training.learner import Learner
from lentigo.training.recipe import Recipe

__all__ = ["SCORE", "fit"]

SCORE = "val_loss"
"""What the best epoch is chosen by, on the validation part: a proper score, and steadier than balanced accuracy,
which a handful of images of the rarest diagnosis decide."""


def fit(
    learner: Learner,
    train: DataLoader,
    validation: DataLoader,
    recipe: Recipe,
    folder: Path,
    *,
    epochs: int,
    stage: str = "whole",
    extra: tuple[pl.Callback, ...] = (),
) -> None:
    """Train a learner, or go on from its last checkpoint, and leave it with the weights that the recipe keeps.

    Args:
        learner: what trains.
        train, validation: batches.
        recipe: how.
        folder: of the run; this stage's checkpoints are in checkpoints/STAGE, its rows in log/.
        epochs: most of them.
        stage: name of this part of the training.
        extra: callbacks besides.

    Raises:
        RunError: interrupted with Ctrl-C.
    """
    place = folder / "checkpoints" / stage
    best = ModelCheckpoint(place, "best", monitor=SCORE, mode="min", enable_version_counter=False)
    # After every epoch, better or not; the callback's own `save_last` follows the best.
    last = ModelCheckpoint(place, "last", save_top_k=1, enable_version_counter=False)
    callbacks: list[pl.Callback] = [
        *extra,
        EarlyStopping(SCORE, mode="min", patience=recipe.patience),
        History(folder / "log", stage),
        best,
        last,  # after the others, so that what they know of this epoch is in the checkpoint
    ]
    show = os.isatty(2)
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    trainer = pl.Trainer(
        max_epochs=epochs,
        accelerator="auto",
        devices=1,
        precision="bf16-mixed" if recipe.precision == "bfloat16" else "32-true",
        callbacks=callbacks + ([TQDMProgressBar(leave=False)] if show else []),
        logger=TensorBoardLogger(folder / "log", name="", version=""),
        enable_progress_bar=show,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=max(1, len(train)),  # nothing is logged in between
    )
    checkpoint = place / "last.ckpt"
    learner.train()  # Lightning leaves the mode as it is; frozen batch norms stay in inference mode
    on_interrupt = signal.getsignal(signal.SIGINT)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")  # batches are gathered in memory
        warnings.filterwarnings("ignore", message=".*exists and is not empty.*")  # that is what resuming means
        warnings.filterwarnings("ignore", message=".*LeafSpec.*")  # Lightning's own use of torch
        warnings.filterwarnings("ignore", message=".*in eval mode at the start.*")  # batch norms of a frozen base
        try:
            trainer.fit(learner, train, validation, ckpt_path=checkpoint if checkpoint.exists() else None)
        except SystemExit:  # Lightning's answer to Ctrl-C
            signal.signal(signal.SIGINT, on_interrupt)
            raise RunError(f"{folder}: interrupted in epoch {trainer.current_epoch}.", "Go on with --resume.") from None
    kept = best.best_model_path if recipe.keep == "best" else last.best_model_path
    learner.load_state_dict(torch.load(kept, weights_only=True)["state_dict"])


class History(pl.Callback):
    """Writes a row an epoch; it is part of the checkpoint, so a resumed run's files are whole.

    log/metrics.csv holds the scores, which a second run repeats; log/seconds.csv the time, which it doesn't. Rows of
    earlier stages stay, and epochs count on from them.
    """

    def __init__(self, folder: Path, stage: str) -> None:
        self.folder, self.stage = folder, stage
        self.rows: list[dict[str, object]] = []
        self.seconds: list[float] = []
        self._start = 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self._start = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Add this epoch's scores. Lightning calls it after the validation of the epoch."""
        scores = {name: float(value) for name, value in trainer.callback_metrics.items()}
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        self.rows.append({"epoch": trainer.current_epoch, "learning_rate": rate, **scores})
        self.seconds.append(time.perf_counter() - self._start)
        self._write("metrics.csv", pd.DataFrame(self.rows))
        self._write("seconds.csv", pd.DataFrame({"epoch": range(len(self.seconds)), "seconds": self.seconds}))

    def _write(self, name: str, rows: pd.DataFrame) -> None:
        rows.insert(0, "stage", self.stage)
        path = self.folder / name
        if path.exists():
            before = pd.read_csv(path)
            before = before[before["stage"] != self.stage]
            if len(before):
                rows["epoch"] += int(before["epoch"].max()) + 1
                rows = pd.concat([before, rows], ignore_index=True)
        write_text(path, rows.to_csv(index=False))

    def state_dict(self) -> dict:
        """For the checkpoint."""
        return {"rows": self.rows, "seconds": self.seconds}

    def load_state_dict(self, state_dict: dict) -> None:
        """From the checkpoint."""
        self.rows, self.seconds = list(state_dict["rows"]), list(state_dict["seconds"])
