"""What a training leaves and says while it runs: a row an epoch in its log, and a line now and then."""

import sys
import time
from pathlib import Path

import pandas as pd
import pytorch_lightning as pl

from lentigo.atomic import write_text
from lentigo.errors import RunError, reason
from lentigo.training.hooks import Hook
from lentigo.training.processes import world

__all__ = ["History", "Lines", "duration", "kept_epoch", "settled"]

PAUSE = 30.0
"""Seconds between two lines, at least."""


class History(pl.Callback):
    """Writes a row an epoch; it is part of the checkpoint, so a resumed run's files are whole.

    log/metrics.csv holds the scores, which a second run repeats; log/seconds.csv the time, which it doesn't. Rows of
    earlier stages stay, and epochs count on from them.
    """

    def __init__(self, folder: Path, stage: str, patient: bool = False) -> None:
        self.folder, self.stage, self.patient = folder, stage, patient
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
        may_be_kept = {"settled": int(settled(trainer))} if self.patient else {}
        self.rows.append({"epoch": trainer.current_epoch, "learning_rate": rate, **scores, **may_be_kept})
        self.seconds.append(time.perf_counter() - self._start)
        self._write("metrics.csv", pd.DataFrame(self.rows))
        self._write("seconds.csv", pd.DataFrame({"epoch": range(len(self.seconds)), "seconds": self.seconds}))

    def _write(self, name: str, rows: pd.DataFrame) -> None:
        if not world().writes:
            return
        rows.insert(0, "stage", self.stage)
        path = self.folder / name
        if path.exists():
            before = _logged(path, "stage")
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


def settled(trainer: pl.Trainer) -> bool:
    """Whether all hooks are done with changing the network, so that an epoch that ends now may be kept."""
    return all(hook.settled for hook in trainer.callbacks if isinstance(hook, Hook))  # type: ignore[attr-defined]


class Lines(pl.Callback):
    """Says on standard error how far a training is, where no terminal shows a bar: seldom, and at its first epoch."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._start = self._said = 0.0
        self._first = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock; a resumed training starts in a later epoch."""
        self._start, self._first = time.monotonic(), trainer.current_epoch

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Report epoch, losses and an upper bound of the time left."""
        now, done = time.monotonic(), trainer.current_epoch + 1
        epochs = trainer.max_epochs or done
        if self._said and now - self._said < PAUSE and done < epochs:
            return
        self._said = now
        left = (now - self._start) / (done - self._first) * (epochs - done)
        scores = {name: float(value) for name, value in trainer.callback_metrics.items()}
        print(
            f"{self.name}: epoch {done} of {epochs}, training loss {scores['train_loss']:.3f}, "
            f"validation loss {scores['val_loss']:.3f}, {duration(left)} left at most",
            file=sys.stderr,
        )


def duration(seconds: float) -> str:
    """'48 s', '12 min' or '3.4 h'."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def kept_epoch(folder: Path, keep: str) -> tuple[pd.Series, int, float]:
    """Of a finished run: the row of its log that was kept, how many epochs there are, and their seconds.

    Args:
        folder: of the run.
        keep: 'best' for the lowest validation loss of the last stage, or 'last'.
    """
    rows, seconds = (
        _logged(folder / "log" / "metrics.csv", "val_loss"),
        _logged(folder / "log" / "seconds.csv", "seconds"),
    )
    stage = rows[rows["stage"] == rows["stage"].iloc[-1]]
    if "settled" in stage:  # while a network is pruned, none of its epochs is kept
        stage = stage[stage["settled"] == 1]
    row = stage.loc[stage["val_loss"].idxmin()] if keep == "best" else stage.iloc[-1]
    return row, len(rows), float(seconds["seconds"].sum())


def _logged(path: Path, column: str) -> pd.DataFrame:
    """The rows of a log, which has at least one, with its stage and this column."""
    try:
        rows = pd.read_csv(path)
        if rows.empty or not {"stage", column} <= set(rows.columns):
            raise ValueError(f"no rows with stage and {column}")
    except (OSError, ValueError) as error:
        raise RunError(
            f"{path}: not the log of a training ({reason(error)}).", "Restore that file, or train again elsewhere."
        ) from None
    return rows
