"""Search for hyper-parameters: many trainings on one split, judged by their validation part alone.

The objective is the validation loss of the epoch that a training keeps: a proper score, and steadier than balanced
accuracy, which a handful of images of the rarest diagnosis decide. The folder of a search:

search.json, search.md    trials, the best one, and how much each parameter matters
space.json, recipe.json   what was chosen from, and what was not searched, for `lentigo search` to do it again
best.json                 the best recipe, for `lentigo train --recipe`
history.svg, importance.svg
trials/000, 001, ...      runs; those of lost trials keep recipe.json and their logs alone
journal.log               Optuna's storage, from which an interrupted search goes on
storage.json              in its place, where several workers share one: what it is called, and the study in it
"""

import math
import os
import shutil
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

import optuna
import pandas as pd
import pytorch_lightning as pl
from filelock import FileLock, Timeout
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from lentigo import data
from lentigo.data.seeds import check_seed
from lentigo.errors import RunError
from lentigo.training.devices import Device, find_device
from lentigo.training.fit import train
from lentigo.training.loop import SCORE, DivergedError
from lentigo.training.recipe import Recipe
from lentigo.training.samplers import Sampler, SlotSampler
from lentigo.training.search_identity import check_folder, describe, mark, refuse_other
from lentigo.training.search_report import Search, read_log, write_search
from lentigo.training.space import Space, apply_parameters, check_space, grid_size, suggest
from lentigo.training.storage import lock_of, named, open_storage, reached
from lentigo.training.trials import DONE, POLL, Trials, slots

__all__ = ["Sampler", "search", "search_from"]

STUDY = "search"
"""Name of a search that nobody named."""
STARTUP = 5
"""Trials that train to their end before any is pruned."""


def search(
    model: str,
    split: data.Split,
    space: Space,
    *,
    out: str | os.PathLike[str],
    sampler: Sampler = "tpe",
    trials: int = 20,
    recipe: Recipe | None = None,
    seed: int = 0,
    resume: bool = True,
    device: Device = "auto",
    storage: str | os.PathLike[str] | None = None,
    study: str = STUDY,
) -> Search:
    """Try hyper-parameters and keep the run with the lowest validation loss; the test part is not touched.

    A trial that after a quarter of its epochs is worse than the median of the earlier ones at the same epoch is
    pruned. An interrupted search resumes, within a trial from its last epoch, and reaches the same result;
    called with more trials, a finished search continues. Repeated parameters are not trained again.

    With a storage, workers on one machine or several share the trials: each calls this with the same arguments but for
    `out`, which may be the same too. A killed worker's trial is taken over, from its last epoch where its run is in
    reach, and given up when several workers have died of it; an interrupted one is free at once. Each worker ends when
    all trials are done, and writes what all of them found. What TPE and the genetic sampler choose, and what is pruned,
    then depends on what was finished first; a grid's trainings do not.

    Args:
        model: name of the network.
        split: the split; training and validation part are used.
        space: what to choose.
        out: folder of the search.
        sampler: 'tpe' (Bergstra et al., NeurIPS 2011), 'grid' (every combination, in random order), or 'genetic'
            (NSGA-II, Deb et al., 2002, which with one objective is an elitist genetic algorithm).
        trials: how many; a grid stops when it is through.
        recipe: what is not searched; without it the defaults.
        seed: of the choices; the seed of the trainings is the recipe's.
        resume: go on with a search in the folder, if it is the same one.
        device: 'auto', 'cpu', 'cuda' or 'mps'.
        storage: a journal file or the URL of a database that workers share, as in `storage.open_storage`; without it
            the search is in `out` alone, and no other process may search there.
        study: name of the search in a shared storage.

    Raises:
        RunError: the folder holds something else or another search, another process is searching there, the storage
            can't be opened, fails, or holds another search of that name, a value doesn't fit, or no trial finished.
    """
    recipe = recipe or Recipe()
    folder = Path(out)
    description = describe(model, split, space, sampler, recipe, seed)
    if sampler not in get_args(Sampler):
        raise RunError(f"Unknown sampler {sampler!r}.", f"Known: {', '.join(get_args(Sampler))}.")
    if trials < 1:
        raise RunError(f"A search can't have {trials} trials.", "It needs one or more.")
    check_seed(seed)
    check_space(space, model, recipe)
    find_device(device)
    if storage is None and study != STUDY:
        raise RunError(f"The study {study!r} names a search in a shared storage.", "Add --storage, or omit --study.")
    if sampler == "grid":
        trials = min(trials, grid_size(space))
    check_folder(folder, resume, shared=storage is not None)
    shared = storage is not None
    kept = open_storage(storage) if storage is not None else None  # before anything is written
    folder.mkdir(parents=True, exist_ok=True)
    trainer = _Trainer(model, split, space, recipe, folder / "trials", device)
    alone = FileLock(folder / "lock", timeout=-1 if shared else 0)
    try:
        if kept is not None and storage is not None:
            mark(folder, named(storage), study)
            with reached(storage):
                opened = _open(kept, study, f"{named(storage)}, study {study!r}", description)
                queue = Trials(opened, trials, alone=False, lock=lock_of(storage))
                _go_on(opened, trainer, SlotSampler(sampler, space, seed, shared=True), queue)
                with alone:  # several workers may write into one folder
                    return write_search(opened, folder, split, recipe)
        with alone:
            opened = _open(open_storage(folder / "journal.log"), STUDY, str(folder), description)
            _go_on(opened, trainer, SlotSampler(sampler, space, seed), Trials(opened, trials, alone=True))
            return write_search(opened, folder, split, recipe)
    except Timeout:
        raise RunError(
            f"{folder}: another process is searching here.",
            "Wait until it finishes, choose another folder, or let several share a storage: --storage FILE_OR_URL.",
        ) from None


def search_from(
    root: str | os.PathLike[str],
    model: str,
    space: Space,
    *,
    out: str | os.PathLike[str],
    protocol: str = "grouped",
    fold: int = 0,
    sampler: Sampler = "tpe",
    trials: int = 20,
    recipe: Recipe | None = None,
    seed: int = 0,
    device: Device = "auto",
    labels: data.Labels = None,
    outside: bool = False,
    storage: str | os.PathLike[str] | None = None,
    study: str = STUDY,
) -> Search:
    """Read a data set, split it and search on it: `data.read`, `data.split` and `search` in one call.

    Raises:
        DataError: the data can't be read or split.
        RunError: as `search`.
    """
    split = data.split(data.read(root, labels=labels, outside=outside), protocol, fold=fold)
    try:
        given = {"sampler": sampler, "trials": trials, "recipe": recipe, "seed": seed, "device": device}
        return search(model, split, space, out=out, storage=storage, study=study, **given)  # type: ignore[arg-type]
    except KeyboardInterrupt as stop:
        print(f"{stop} Re-run the same command to resume.".strip(), file=sys.stderr)
        raise


def _go_on(study: optuna.Study, objective: "_Trainer", sampler: SlotSampler, trials: Trials) -> None:
    """Train one trial after another, interrupted ones first, until all are done."""
    study.sampler = sampler
    while (trial := trials.take()) is not None:
        try:
            with trials.alive(trial):
                value, state = objective(trial, trials), TrialState.COMPLETE
        except optuna.TrialPruned:
            value, state = None, TrialState.PRUNED
        except BaseException as stop:
            trials.free(trial, died=not isinstance(stop, KeyboardInterrupt))
            raise
        slot = slots(study.get_trials(deepcopy=False))[trial.number]
        try:
            trial.set_user_attr("log", read_log(objective.folder / trial.user_attrs["run"], value))
            study.tell(trial, value, state=state)
        except (ValueError, UpdateFinishedTrialError):
            print(f"Trial {slot} was taken over by another worker.", file=sys.stderr)
            continue
        _tidy(study, objective.folder)
        score = "pruned" if value is None else f"{SCORE} {value:.4f}"
        print(f"Trial {slot} of 0 to {trials.wanted - 1}: {score}", file=sys.stderr)


class _Trainer:
    """The objective: trains with what a trial chooses and gives the validation loss."""

    def __init__(
        self, model: str, split: data.Split, space: Space, recipe: Recipe, folder: Path, device: Device
    ) -> None:
        self.model, self.split, self.space, self.recipe = model, split, space, recipe
        self.folder, self.device = folder, device

    def __call__(self, trial: optuna.Trial, trials: Trials) -> float:
        recipe, options = apply_parameters(suggest(trial, self.space), self.recipe)
        while trials.same_running(trial):  # its result is this one's, too
            time.sleep(POLL)
        others = trial.study.get_trials(deepcopy=False)
        earlier = [t for t in others if t.state in DONE and t.params == trial.params]
        if earlier:
            return _again(trial, earlier[0])
        run = self.folder / f"{slots(others)[trial.number]:03d}"
        trial.set_user_attr("run", run.name)
        trial.set_user_attr("place", f"{socket.gethostname()}:{run.absolute()}")
        if run.exists() and not (run / "recipe.json").exists():  # interrupted before its first step
            shutil.rmtree(run)
        settings: dict = {"options": options, "callbacks": (_GiveUp(trial),), "device": self.device}
        try:
            train(self.model, self.split, recipe, out=run, resume=run.exists(), **settings)
        except DivergedError as error:
            raise optuna.TrialPruned from error
        return _score(run, recipe)


def _again(trial: optuna.Trial, earlier: FrozenTrial) -> float:
    """The result of an earlier trial with the same parameters, whose run may be on another machine."""
    for name in ("run", "place", "log"):
        if name in earlier.user_attrs:
            trial.set_user_attr(name, earlier.user_attrs[name])
    if earlier.state == TrialState.PRUNED or earlier.value is None:
        raise optuna.TrialPruned
    return earlier.value


class _GiveUp(pl.Callback):
    """Tells the search each epoch's validation loss, and ends a training that the search holds to be hopeless."""

    def __init__(self, trial: optuna.Trial) -> None:
        self.trial = trial

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Before the next epoch, so that the last one is in the log."""
        if self.trial.should_prune():
            raise optuna.TrialPruned

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A resumed trial repeats an epoch that was reported already."""
        known = self.trial.study.trials[self.trial.number].intermediate_values
        if trainer.current_epoch not in known:
            self.trial.report(float(trainer.callback_metrics[SCORE]), trainer.current_epoch)


def _score(run: Path, recipe: Recipe) -> float:
    """Validation loss of the epoch that the training kept."""
    history = pd.read_csv(run / "log" / "metrics.csv")
    losses = history[history["stage"] == history["stage"].iloc[-1]][SCORE]
    score = float(losses.min() if recipe.keep == "best" else losses.iloc[-1])
    if not math.isfinite(score):
        raise optuna.TrialPruned  # it diverged
    return score


def _open(storage: optuna.storages.BaseStorage, name: str, place: str, description: dict[str, Any]) -> optuna.Study:
    """The study of that name, new or with what it has.

    Raises:
        RunError: it is another search.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=storage,
        study_name=name,
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP, n_warmup_steps=description["warm_up"]),
    )
    before = study.user_attrs.get("description")
    if before is None:
        if study.get_trials(deepcopy=False):
            raise RunError(f"{place}: this study is not a search of lentigo.", "Name another: --study NAME.")
        study.set_user_attr("description", description)
        return study
    refuse_other(place, before, description)
    return study


def _tidy(study: optuna.Study, folder: Path) -> None:
    """Leave the best run what it takes to evaluate it, and the others their description and logs."""
    finished = [trial for trial in study.trials if trial.state in DONE]
    complete = [trial for trial in finished if trial.state == TrialState.COMPLETE]
    best = study.best_trial.user_attrs["run"] if complete else None
    for run in {trial.user_attrs["run"] for trial in finished}:
        shutil.rmtree(folder / run / "checkpoints", ignore_errors=True)
        if run != best:
            for path in (p for p in (folder / run).rglob("*") if p.is_file()):
                if (path.name != "recipe.json" and path.suffix != ".csv") or path.name == "split.csv":
                    with suppress(FileNotFoundError):  # another worker tidies as well
                        path.unlink()
