"""What a search found: search.json, search.md, best.json and two pictures."""

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState

from lentigo import data
from lentigo.atomic import write_text
from lentigo.errors import RunError
from lentigo.render.markdown import table
from lentigo.render.plots import BLUE, RED, canvas, drawing, save
from lentigo.training.loop import SCORE
from lentigo.training.recipe import Recipe
from lentigo.training.run import environment
from lentigo.training.space import apply_parameters
from lentigo.training.trials import DONE, LOST_WITH, is_lost, slots

__all__ = ["Search", "Trial", "read_log", "write_search"]

_GREY = "#8a929c"
ENOUGH = 5
"""Finished trainings with different parameters below which nothing is reported for importance."""


@dataclass(frozen=True)
class Trial:
    """One choice of parameters.

    Attributes:
        number: from 0.
        state: 'finished' or 'pruned'.
        parameters: what was chosen.
        loss: the validation loss of the epoch that was kept; if pruned, the lowest so far, None where it diverged.
        balanced_accuracy: of the validation part, at the epoch with that loss.
        epochs: that it trained.
        seconds: that they took.
        run: name of its folder.
        repeats: whether another trial had the same parameters, whose run this is.
        place: machine and folder where it was trained; empty in older searches.
    """

    number: int
    state: str
    parameters: dict[str, object]
    loss: float | None
    balanced_accuracy: float | None
    epochs: int
    seconds: float
    run: str
    repeats: bool
    place: str = ""


@dataclass(frozen=True)
class Search:
    """A finished search.

    Attributes:
        path: its folder.
        trials: all of them, in order.
        best: the one with the lowest validation loss.
        importance: share of the loss's variance that each parameter explains (fANOVA, Hutter et al., ICML 2014);
            empty with fewer than five different finished trials.
        lost: numbers of the trials that were given up, because several workers died of them.
    """

    path: Path
    trials: tuple[Trial, ...]
    best: Trial
    importance: dict[str, float]
    lost: tuple[int, ...] = ()

    @property
    def run(self) -> Path:
        """Folder of the best trial's run: here, or, where another worker trained it, in that worker's folder."""
        here = self.path / "trials" / self.best.run
        return here if here.exists() or not self.best.place else Path(self.best.place.partition(":")[2])


def write_search(study: optuna.Study, folder: Path, split: data.Split, recipe: Recipe) -> Search:
    """Write what is known.

    Raises:
        RunError: no trial finished.
    """
    pairs = sorted(zip(slots(study.trials), study.trials, strict=True), key=lambda pair: pair[0])
    trials = tuple(_trial(trial, slot, folder) for slot, trial in pairs if trial.state in DONE)
    finished = [trial for trial in trials if trial.state == "finished" and trial.loss is not None]
    lost = tuple(slot for slot, trial in pairs if is_lost(trial))
    if not finished:
        raise RunError(f"{folder}: no trial finished.", "Search lower learning rates, in another folder.")
    best = min(finished, key=lambda trial: (trial.loss, trial.number))
    found = Search(folder, trials, best, _importance(study), lost)
    about = {k: v for k, v in study.user_attrs["description"].items() if k != "recipe"}
    about |= {"split": str(split), "protocol": split.protocol, "fold": split.fold, "leaky": split.leaky}
    about["objective"] = f"{SCORE}, lowest is best"
    values = {
        **about,
        "recipe": recipe.to_dict(),
        "environment": environment(),
        "best": dataclasses.asdict(found.best),
        "importance": found.importance,
        "lost": list(lost),
        "trials": [dataclasses.asdict(trial) for trial in trials],
    }
    best_recipe, options = apply_parameters(found.best.parameters, recipe)
    write_text(folder / "search.json", json.dumps(values, indent=2) + "\n")
    write_text(folder / "space.json", json.dumps(about["space"], indent=2) + "\n")
    write_text(folder / "recipe.json", json.dumps(recipe.to_dict(), indent=2) + "\n")
    write_text(folder / "best.json", json.dumps(best_recipe.to_dict(), indent=2) + "\n")
    write_text(folder / "search.md", _markdown(found, about, values["environment"], options))
    _save(folder / "history.svg", lambda axes: _draw_history(axes, trials))
    if found.importance:
        _save(folder / "importance.svg", lambda axes: _draw_importance(axes, found.importance))
    return found


def read_log(run: Path, value: float | None) -> dict[str, Any]:
    """What a run's log says of its training, kept with the trial: the run may be on another machine.

    Args:
        run: its folder.
        value: the validation loss of the epoch that was kept; None where the trial was pruned.
    """
    log = run / "log"
    history = pd.read_csv(log / "metrics.csv") if (log / "metrics.csv").exists() else pd.DataFrame({SCORE: []})
    lowest = history[SCORE].min() if value is None else value
    known = math.isfinite(lowest)
    row = history[SCORE].sub(lowest).abs().idxmin() if known else None
    return {
        "loss": float(lowest) if known else None,
        "balanced_accuracy": float(history["val_balanced_accuracy"][row]) if known else None,
        "epochs": len(history),
        "seconds": round(float(pd.read_csv(log / "seconds.csv")["seconds"].sum()), 3) if len(history) else 0.0,
    }


def _trial(trial: FrozenTrial, slot: int, folder: Path) -> Trial:
    run = trial.user_attrs["run"]
    value = trial.value if trial.state == TrialState.COMPLETE else None
    log = trial.user_attrs.get("log") or read_log(folder / "trials" / run, value)  # older searches have files alone
    return Trial(
        number=slot,
        state="finished" if trial.state == TrialState.COMPLETE else "pruned",
        parameters={name: json.loads(v) if isinstance(v, str) else v for name, v in trial.params.items()},
        run=run,
        place=trial.user_attrs.get("place", ""),
        repeats=run != f"{slot:03d}",
        **log,
    )


def _importance(study: optuna.Study) -> dict[str, float]:
    complete = [trial for trial in study.trials if trial.state == TrialState.COMPLETE]
    different = {trial.user_attrs["run"] for trial in complete}
    if len(different) < ENOUGH or len({trial.value for trial in complete}) == 1:
        return {}
    shares = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0))
    return {name: round(share, 4) for name, share in shares.items()}


def _markdown(found: Search, about: dict[str, Any], where: object, options: dict[str, object]) -> str:
    best = found.best
    pruned = sum(trial.state == "pruned" for trial in found.trials)
    repeats = sum(trial.repeats for trial in found.trials)
    option = "".join(f" --option '{name}={json.dumps(value)}'" for name, value in options.items())
    names = list(best.parameters)
    lines = [
        f"# Hyper-parameter search for {about['model']}",
        "",
        f"```\n{_command(about, len(found.trials))}\n```",
        "",
        f"{len(found.trials)} trials by the {about['sampler']} sampler, seed {about['seed']}; {pruned} pruned "
        f"early, {repeats} with the parameters of an earlier trial, not trained again. Split: {about['split']}.",
        "",
        *_lost_lines(found.lost),
        "Each trial is scored by the loss on the validation part; the test part was not touched. The "
        "best of many trials is "
        "selected partly by chance: its validation figures are optimistic.",
        "",
        f"## Best: trial {best.number}, validation loss {best.loss:.4f}",
        "",
        *(f"- {name}: {_text(value)}" for name, value in best.parameters.items()),
        "",
        f"Its run is {_where(found)}. To repeat it: `lentigo train {about['model']} --recipe best.json"
        f"{option} --data ROOT --out DIR`.",
        "",
        "## Parameter importance",
        "",
        *_importance_lines(found.importance),
        "",
        "## Trials",
        "",
        table(
            ("trial", *names, "state", "epochs", "seconds", "validation loss", "balanced accuracy", "run"),
            [_row(trial, names) for trial in found.trials],
        ),
        "",
        "![Validation loss of each trial, and the lowest so far](history.svg)",
        "",
        f"Made with {', '.join(f'{k} {v}' for k, v in where.items())}.",  # type: ignore[attr-defined]
    ]
    return "\n".join(lines) + "\n"


def _where(found: Search) -> str:
    """Which folder the best run is in, for a page beside the trials of this worker."""
    best = found.best
    return (
        f"in trials/{best.run}" if found.run.parent == found.path / "trials" else f"with another worker, {best.place}"
    )


def _lost_lines(lost: tuple[int, ...]) -> list[str]:
    if not lost:
        return []
    names = ", ".join(map(str, lost))
    return [f"Without a result, because {LOST_WITH} workers died one after another while they trained it: {names}.", ""]


def _command(about: Mapping[str, Any], trials: int) -> str:
    """What to type, in the folder of the search, to do it again elsewhere."""
    words = (
        f"lentigo search {about['model']} --data ROOT --out DIR --sampler {about['sampler']} --trials {trials} "
        f"--seed {about['seed']} --protocol {about['protocol']} --fold {about['fold']}"
    )
    return f"{words} --space space.json --recipe recipe.json"


def _importance_lines(importance: dict[str, float]) -> list[str]:
    if not importance:
        return [f"Fewer than {ENOUGH} different trials finished: too few for importances."]
    shares = table(("parameter", "share"), [(name, f"{share:.2f}") for name, share in importance.items()], right=(1,))
    said = "Share of the variance of the validation loss over the finished trials (fANOVA):"
    picture = "![Share of the variance that each parameter explains](importance.svg)"
    return [said, "", shares, "", picture]


def _row(trial: Trial, names: list[str]) -> tuple[object, ...]:
    score = [f"{v:.4f}" if v is not None else "diverged" for v in (trial.loss, trial.balanced_accuracy)]
    run = f"as {trial.run}" if trial.repeats else trial.run
    chosen = (_text(trial.parameters[name]) for name in names)
    return (trial.number, *chosen, trial.state, trial.epochs, f"{trial.seconds:.1f}", *score, run)


def _text(value: object) -> str:
    return (
        f"{value:.3g}"
        if isinstance(value, float)
        else ", ".join(map(str, value))
        if isinstance(value, list)
        else str(value)
    )


def _draw_history(axes: Axes, trials: tuple[Trial, ...]) -> None:
    """Each trial's loss, and the lowest of the finished ones so far."""
    for state, colour, marker in (("finished", BLUE, "o"), ("pruned", _GREY, "x")):
        chosen = [(t.number, t.loss) for t in trials if t.state == state and t.loss is not None]
        if chosen:
            numbers, losses = zip(*chosen, strict=True)
            axes.plot(numbers, losses, marker, color=colour, label=state)
    scores = np.array([t.loss if t.state == "finished" else np.inf for t in trials], dtype=float)
    lowest = np.minimum.accumulate(scores)
    lowest[~np.isfinite(lowest)] = np.nan
    axes.step([t.number for t in trials], lowest, where="post", color=RED, label="lowest so far")
    axes.set(xlabel="trial", ylabel="validation loss")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()


def _draw_importance(axes: Axes, importance: dict[str, float]) -> None:
    names = list(importance)[::-1]
    bars = axes.barh(names, [importance[name] for name in names], color=BLUE)
    axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.set(xlabel="share of the variance of the validation loss", xlim=(0, 1.15 * max(importance.values())))


def _save(path: Path, draw: Callable[[Axes], None]) -> None:
    with drawing(9):
        figure, axes = canvas(5.6, 3.2)
        draw(axes[0, 0])
        save(figure, path)
