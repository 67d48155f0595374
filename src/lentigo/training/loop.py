"""Lightning's loop with what every training here needs: the best epoch, a checkpoint an epoch, a log that resumes."""

import logging
import os
import pickle
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint, TQDMProgressBar
from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.plugins.environments import TorchElasticEnvironment
from pytorch_lightning.strategies import DDPStrategy, Strategy
from torch.utils.data import BatchSampler, DataLoader

from lentigo.errors import RunError
from lentigo.training.devices import Device, find_device
from lentigo.training.history import History, Lines, settled
from lentigo.training.hooks import CALLBACKS, Hook
from lentigo.training.learner import Learner
from lentigo.training.precision import strided_depthwise_in_float32
from lentigo.training.processes import World, world
from lentigo.training.recipe import Recipe
from lentigo.training.shares import check_shares_of_batches

__all__ = ["SCORE", "DivergedError", "fit"]

SCORE = "val_loss"
"""What the best epoch is chosen by, on the validation part: a proper score, and steadier than balanced accuracy,
which a handful of images of the rarest diagnosis decide."""


class DivergedError(RunError):
    """A training whose weights have become NaN or infinite."""


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
    device: Device = "auto",
) -> None:
    """Train a learner, or go on from its last checkpoint, and leave it with the weights that the recipe keeps.

    Args:
        learner: what trains.
        train, validation: batches.
        recipe: how.
        folder: of the run; this stage's checkpoints are in checkpoints/STAGE, its rows in log/.
        epochs: most of them.
        stage: name of this part of the training.
        extra: callbacks besides the recipe's.
        device: where.

    Raises:
        RunError: no such device, a checkpoint that holds more than tensors and plain values, a network that can't be
            compiled, or memory that is full.
        DivergedError: the kept weights are not finite.
        KeyboardInterrupt: Ctrl-C; it says in which epoch.
    """
    place = folder / "checkpoints" / stage
    named = [CALLBACKS.make(callback) for callback in recipe.all_callbacks]
    patient = any(isinstance(hook, Hook) and not hook.settled for hook in named)
    keepers = _keepers(recipe, place, patient)
    shared = world()
    check_shares_of_batches(recipe, shared.size, _batch_of(train), len(validation.dataset))  # type: ignore[arg-type]
    show = os.isatty(2) and shared.writes
    callbacks: list[pl.Callback] = [
        *named,
        *extra,
        (_SettledStopping if patient else EarlyStopping)(SCORE, mode="min", patience=recipe.patience),
        History(folder / "log", stage, patient),
        TQDMProgressBar(leave=False)
        if show
        else Lines("/".join(folder.parts[-2:]) + (f", {stage}" if stage != "whole" else "")),
        *keepers,  # after the others, so that what they know of this epoch is in the checkpoint
    ]
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    trainer = pl.Trainer(
        default_root_dir=folder,
        max_epochs=epochs,
        accelerator=find_device(device).type,
        devices=shared.local_size,
        num_nodes=shared.size // shared.local_size,
        strategy=_strategy(shared),
        use_distributed_sampler=False,  # each process takes its rows of whole batches
        benchmark=find_device(device).type == "cuda",  # batches are all of one size
        precision="bf16-mixed" if recipe.precision == "bfloat16" else "32-true",
        accumulate_grad_batches=recipe.accumulate,
        gradient_clip_val=recipe.gradient_clip or None,
        callbacks=callbacks,
        logger=TensorBoardLogger(folder / "log", name="", version=""),
        enable_progress_bar=show,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=max(1, len(train)),  # nothing is logged in between
    )
    if recipe.compile:
        learner.network.compile()
    learner.train()  # Lightning leaves the mode as it is; frozen batch norms stay in inference mode
    checkpoint = _checked(place / "last.ckpt")
    depthwise = strided_depthwise_in_float32(learner.network, recipe, torch.device(trainer.strategy.root_device))
    with _quiet(), _interruptible(trainer, folder), _explained(recipe), depthwise:
        trainer.fit(learner, train, validation, ckpt_path=checkpoint, weights_only=True)
    kept = keepers[0].best_model_path
    state = torch.load(kept, map_location="cpu", weights_only=True)["state_dict"]
    if not all(value.isfinite().all() for value in state.values()):
        raise DivergedError(
            f"{folder}: the training diverged.", "Lower learning_rate, or set gradient_clip, for a new run."
        )
    learner.load_state_dict(state)
    for hook in callbacks:
        if isinstance(hook, Hook):
            hook.on_kept(learner)


def _keepers(recipe: Recipe, place: Path, patient: bool) -> list[ModelCheckpoint]:
    """What writes checkpoints: the first those that the recipe keeps, the last those to go on from."""
    # After every epoch, better or not; the callback's own `save_last` follows the best.
    last = ModelCheckpoint(place, "last", save_top_k=1, enable_version_counter=False)
    if recipe.keep == "last":
        return [last]
    kind = _SettledBest if patient else ModelCheckpoint
    return [kind(place, "best", monitor=SCORE, mode="min", enable_version_counter=False), last]


def _batch_of(train: DataLoader) -> int:
    """Images of a whole batch."""
    batches = train.batch_sampler
    return batches.batch_size if isinstance(batches, BatchSampler) else 1


def _strategy(shared: World) -> Strategy | str:
    """Alone, or with the processes that have met."""
    if shared.size == 1:
        return "auto"
    # Buffers are the same everywhere: batch norms see the whole batch.
    return DDPStrategy(cluster_environment=TorchElasticEnvironment(), forward_sync_buffers=False)


class _SettledBest(ModelCheckpoint):
    """The best of the epochs that may be kept."""

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if settled(trainer):
            super().on_validation_end(trainer, pl_module)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if settled(trainer):
            super().on_train_epoch_end(trainer, pl_module)


class _SettledStopping(EarlyStopping):
    """Waits for the first epoch that may be kept."""

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if settled(trainer):
            super().on_validation_end(trainer, pl_module)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if settled(trainer):
            super().on_train_epoch_end(trainer, pl_module)


def _checked(checkpoint: Path) -> Path | None:
    """The checkpoint to resume from, if there is one and it holds nothing that could run."""
    if not checkpoint.exists():
        return None
    try:
        torch.load(checkpoint, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise RunError(
            f"{checkpoint}: not a lentigo checkpoint ({reason}).",
            "It is damaged, or contains objects that are not loaded for safety. Delete it to train this stage again.",
        ) from None
    return checkpoint


@contextmanager
def _quiet() -> Iterator[None]:
    """Without warnings of what is as it should be."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")  # batches are gathered in memory
        warnings.filterwarnings("ignore", message=".*exists and is not empty.*")  # that is what resuming means
        warnings.filterwarnings("ignore", message=".*LeafSpec.*")  # Lightning's own use of torch
        warnings.filterwarnings("ignore", message=".*in eval mode at the start.*")  # batch norms of a frozen base
        warnings.filterwarnings("ignore", message=".*sync_dist=True.*")  # what is logged is summed over processes
        # A class that the validation part lacks: means leave it out.
        warnings.filterwarnings("ignore", message="No (positive|negative) samples in targets")
        yield


@contextmanager
def _interruptible(trainer: pl.Trainer, folder: Path) -> Iterator[None]:
    """Ctrl-C as Python has it: Lightning turns it into an exit and leaves the signal off."""
    on_interrupt = signal.getsignal(signal.SIGINT)
    try:
        yield
    except (SystemExit, KeyboardInterrupt) as stop:
        cause = stop if isinstance(stop, KeyboardInterrupt) else stop.__context__
        if not isinstance(cause, KeyboardInterrupt):
            raise  # a request to exit
        if isinstance(stop, SystemExit):
            signal.signal(signal.SIGINT, on_interrupt)
        raise KeyboardInterrupt(f"{folder}: interrupted in epoch {trainer.current_epoch + 1}.") from None


@contextmanager
def _explained(recipe: Recipe) -> Iterator[None]:
    """What torch says of memory, batches and compilers, as errors with a next step."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        hint = "Lower batch_size and raise accumulate by the same factor: the effective batch size stays the same."
        raise RunError("The device's memory is full.", hint) from error
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        if "more than 1 value per channel" in reason:
            raise RunError("Batch normalisation needs at least two images per batch.", "Raise batch_size.") from error
        if "Expected to have finished reduction" in reason:
            hint = "Train it with one device, or without the parts that don't train."
            raise RunError("Several processes can't train weights that the loss does not depend on.", hint) from error
        if recipe.compile and type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
            raise RunError(f"torch can't compile this network here ({reason}).", "Set compile to false.") from error
        raise
