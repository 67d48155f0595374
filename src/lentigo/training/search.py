"""Search for hyper-parameters: many trainings on one split, judged by their validation part alone.

The objective is the validation loss of the epoch that a training keeps: a proper score, and steadier than balanced
accuracy, which a handful of images of the rarest diagnosis decide. The folder of a search:

search.json, search.md    trials, the best one, and how much each parameter matters
space.json, recipe.json   what was chosen from, and what was not searched, for `lentigo search` to do it again
best.json                 the best recipe, for `lentigo train --recipe`
history.svg, importance.svg
trials/000, 001, ...      runs; those of lost trials keep recipe.json and their logs alone
journal.log               Optuna's storage, from which an interrupted search goes on
"""

import json
import math
import os
import shutil
import sys
from pathlib import Path
from typing import Literal, get_args

import optuna
import pandas as pd
import pytorch_lightning as pl
from filelock import FileLock, Timeout
from optuna.samplers import BaseSampler, GridSampler, NSGAIISampler, TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from lentigo import data
from lentigo.atomic import entries
from lentigo.errors import RunError
from lentigo.training.devices import Device
from lentigo.training.fit import train
from lentigo.training.loop import SCORE, DivergedError
from lentigo.training.recipe import Recipe
from lentigo.training.search_report import Search, write_search
from lentigo.training.space import Space, apply_parameters, check_space, grid_of, plain_space, suggest

__all__ = ["Sampler", "search", "search_from"]

Sampler = Literal["tpe", "grid", "genetic"]
POPULATION = 8
"""Trials in a generation of the genetic sampler: searches here are short."""
STARTUP = 5
"""Trials that train to their end before any is pruned."""
_DONE = (TrialState.COMPLETE, TrialState.PRUNED)


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
) -> Search:
    """Try hyper-parameters and keep the run with the lowest validation loss; the test part is not touched.

    A trial that after a quarter of its epochs is worse than the median of the earlier ones at the same epoch is
    pruned. An interrupted search resumes, within a trial from its last epoch, and reaches the same result;
    called with more trials, a finished search continues. Repeated parameters are not trained again.

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

    Raises:
        RunError: the folder holds something else or another search, another process is searching there, a value
            doesn't fit, or no trial finished.
    """
    recipe = recipe or Recipe()
    folder = Path(out)
    if sampler not in get_args(Sampler):
        raise RunError(f"Unknown sampler {sampler!r}.", f"Known: {', '.join(get_args(Sampler))}.")
    if trials < 1:
        raise RunError(f"A search can't have {trials} trials.", "It needs one or more.")
    check_space(space, model, recipe)
    _check_folder(folder, resume)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / "lock", timeout=0):
            study = _open(folder, _describe(model, split, space, sampler, recipe, seed))
            _go_on(
                study, _Trainer(model, split, space, recipe, folder / "trials", device), sampler, space, trials, seed
            )
            return write_search(study, folder, split, recipe)
    except Timeout:
        raise RunError(
            f"{folder}: another process is searching here.", "Wait until it finishes, or choose another folder."
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
) -> Search:
    """Read a data set, split it and search on it: `data.read`, `data.split` and `search` in one call.

    Raises:
        DataError: the data can't be read or split.
        RunError: as `search`.
    """
    split = data.split(data.read(root, labels=labels, outside=outside), protocol, fold=fold)
    try:
        return search(
            model, split, space, out=out, sampler=sampler, trials=trials, recipe=recipe, seed=seed, device=device
        )
    except KeyboardInterrupt as stop:
        print(f"{stop} Re-run the same command to resume.".strip(), file=sys.stderr)
        raise


def _go_on(
    study: optuna.Study,
    objective: "_Trainer",
    sampler: Sampler,
    space: Space,
    trials: int,
    seed: int,
) -> None:
    """Run the trials that are missing, an interrupted one first."""
    if sampler == "grid":
        trials = min(trials, math.prod(len(values) for values in grid_of(space).values()))
    while sum(trial.state in _DONE for trial in study.trials) < trials:
        running = [trial for trial in study.trials if trial.state == TrialState.RUNNING]
        number = running[0].number if running else len(study.trials)
        study.sampler = _make_sampler(sampler, space, seed, number)
        trial = optuna.Trial(study, running[0]._trial_id) if running else study.ask()
        try:
            study.tell(trial, objective(trial))
        except optuna.TrialPruned:
            study.tell(trial, state=TrialState.PRUNED)
        _tidy(study, objective.folder)
        done = study.trials[number]
        score = "pruned" if done.state == TrialState.PRUNED else f"{SCORE} {done.value:.4f}"
        print(f"Trial {number + 1} of {trials}: {score}", file=sys.stderr)


class _Trainer:
    """The objective: trains with what a trial chooses and gives the validation loss."""

    def __init__(
        self, model: str, split: data.Split, space: Space, recipe: Recipe, folder: Path, device: Device
    ) -> None:
        self.model, self.split, self.space, self.recipe = model, split, space, recipe
        self.folder, self.device = folder, device

    def __call__(self, trial: optuna.Trial) -> float:
        recipe, options = apply_parameters(suggest(trial, self.space), self.recipe)
        earlier = [t for t in trial.study.trials if t.state in _DONE and t.params == trial.params]
        run = self.folder / (earlier[0].user_attrs["run"] if earlier else f"{trial.number:03d}")
        trial.set_user_attr("run", run.name)
        if not earlier:
            if run.exists() and not (run / "recipe.json").exists():  # interrupted before its first step
                shutil.rmtree(run)
            settings: dict = {"options": options, "callbacks": (_GiveUp(trial),), "device": self.device}
            try:
                train(self.model, self.split, recipe, out=run, resume=run.exists(), **settings)
            except DivergedError as error:
                raise optuna.TrialPruned from error
        elif earlier[0].state == TrialState.PRUNED:
            raise optuna.TrialPruned
        return _score(run, recipe)


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


def _make_sampler(name: Sampler, space: Space, seed: int, number: int) -> BaseSampler:
    """Drawn from (seed, number of the trial) alone, so that a resumed search repeats an uninterrupted one."""
    own = seed * 1_000_003 + number
    if name == "grid":
        return _Grid(grid_of(space), seed)  # its order must stay
    return TPESampler(seed=own) if name == "tpe" else NSGAIISampler(population_size=POPULATION, seed=own)


class _Grid(GridSampler):
    """A grid that is counted here."""

    def after_trial(self, *args: object) -> None:
        """Optuna's would stop a loop that isn't there."""


def _open(folder: Path, description: dict[str, object]) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(folder / "journal.log"))),
        study_name="search",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP, n_warmup_steps=description["warm_up"]),  # type: ignore[arg-type]
    )
    before = study.user_attrs.get("description")
    if before is None:
        study.set_user_attr("description", description)
    else:
        begun = Recipe.from_dict(before["recipe"], recorded=True)  # older searches recorded older names
        before["recipe"] = json.loads(json.dumps(begun.to_dict()))
        for name, now in description.items():
            if before[name] != now:
                raise RunError(f"{folder}: {name}: {before[name]} recorded, {now} requested.", "Choose another folder.")
    return study


def _describe(
    model: str, split: data.Split, space: Space, sampler: Sampler, recipe: Recipe, seed: int
) -> dict[str, object]:
    """What must stay the same when a search goes on."""
    return {
        "model": model,
        "split_sha256": split.hash,
        "sampler": sampler,
        "seed": seed,
        "space": plain_space(space),
        "recipe": json.loads(json.dumps(recipe.to_dict())),
        "warm_up": recipe.epochs // 4,
    }


def _check_folder(folder: Path, resume: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder}: this is a file.", "Name a folder for the search.")
    if entries(folder):
        if not (folder / "journal.log").exists():
            raise RunError(f"{folder}: this folder contains other files, but no search.", "Choose another.")
        if not resume:
            raise RunError(f"{folder}: there is a search in this folder.", "Choose another, or resume it.")


def _tidy(study: optuna.Study, folder: Path) -> None:
    """Leave the best run what it takes to evaluate it, and the others their description and logs."""
    finished = [trial for trial in study.trials if trial.state in _DONE]
    complete = [trial for trial in finished if trial.state == TrialState.COMPLETE]
    best = study.best_trial.user_attrs["run"] if complete else None
    for run in {trial.user_attrs["run"] for trial in finished}:
        shutil.rmtree(folder / run / "checkpoints", ignore_errors=True)
        if run != best:
            for path in (p for p in (folder / run).rglob("*") if p.is_file()):
                if (path.name != "recipe.json" and path.suffix != ".csv") or path.name == "split.csv":
                    path.unlink()
