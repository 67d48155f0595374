"""The papers' figures that hold no image, drawn again from measured data: curves, confusions, ROC, class counts, costs.

Each shows every protocol that was run, side by side, so that none is seen without the honest one.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import MaxNLocator
from sklearn.metrics import roc_curve

from lentigo.evaluation import Predictions
from lentigo.render.plots import BLUE, DASHES, INK, LINE, PALETTE, RED, canvas, drawing, save
from lentigo.studies.outcome import Finished, Outcome, native_predictions
from lentigo.studies.study import Study
from lentigo.training import load_run

__all__ = ["draw_figures"]

LETTERS = 11.5
"""Points."""


def draw_figures(study: Study, finished: Sequence[Finished], folder: Path) -> dict[str, Path]:
    """Draw the figures of a study into a folder, as SVG; their titles and files.

    Curves, confusions and ROC curves are drawn for every system that the paper has such a figure of.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn: dict[str, Path] = {}
    makers: dict[str, Callable[[Axes, Finished], None]] = {
        "accuracy_curve": lambda axes, one: _history(axes, one, "accuracy"),
        "loss_curve": lambda axes, one: _history(axes, one, "loss"),
        "confusion_matrix": lambda axes, one: _confusion(axes, one.outcome),
        "roc": _roc,
    }
    with drawing(LETTERS):
        for figure in study.figures:
            if figure.shows == "class_distribution":
                title = f"Figure {figure.name}: images of each class in the parts of each split"
                drawn[title] = save(_classes(finished), folder / f"figure-{figure.name}-classes.svg")
            own = [f for f in finished if f.outcome.system == figure.system]
            if figure.shows not in makers or not own:
                continue
            first = {f.outcome.protocol: f for f in reversed(own)}  # of several folds the first
            title = f"Figure {figure.name}: {figure.shows.replace('_', ' ')} of {figure.system}"
            drawing_of, (panels,) = canvas(4.4 * len(first), 3.9, 1, len(first))
            for axes, (protocol, one) in zip(panels, reversed(first.items()), strict=True):
                makers[figure.shows](axes, one)
                axes.set_title(protocol, fontsize="medium")
            drawn[title] = save(drawing_of, folder / f"figure-{figure.name}-{figure.shows.replace('_', '-')}.svg")
        drawn["Training and inference time of every system"] = save(_costs(finished), folder / "costs.svg")
    return drawn


def _history(axes: Axes, one: Finished, kind: str) -> None:
    history = pd.read_csv(one.folder / "run" / "log" / "metrics.csv")
    epochs = history["epoch"] + 1
    for number, (part, name) in enumerate((("train", "training"), ("val", "validation"))):
        values = history[f"{part}_{kind}"]
        axes.plot(epochs, values, color=PALETTE[number], linestyle=DASHES[number], marker="o", ms=3, label=name)
    axes.set(xlabel="epoch", ylabel=kind)
    if kind == "accuracy":
        axes.set_ylim(0, 1)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(color=LINE, lw=0.5)
    axes.legend()


def _confusion(axes: Axes, outcome: Outcome) -> None:
    task = outcome.native.views["equal_prevalence"][outcome.task]
    counts = np.array(task.confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            colour = "white" if shares[row, column] > 0.55 else INK
            axes.text(column, row, f"{count:,}", ha="center", va="center", color=colour, fontsize=9)
    ticks = range(len(task.classes))
    axes.set_xticks(ticks, task.classes, rotation=45)
    axes.set_yticks(ticks, task.classes)
    axes.set(xlabel="predicted diagnosis", ylabel="true diagnosis")


def _roc(axes: Axes, one: Finished) -> None:
    run = load_run(one.folder / "run")
    predictions = native_predictions(Predictions.load(one.folder / "test.parquet"), run)
    labels = predictions.labels
    for number, name in enumerate(predictions.label_set.classes):
        if 0 < (labels == number).sum() < len(labels):
            false, true, _ = roc_curve(labels == number, predictions.probabilities[:, number])
            area = one.outcome.native.get(f"auc.{name}").value
            axes.plot(false, true, color=PALETTE[number], linestyle=DASHES[number], label=f"{name} {area:.3f}", lw=1.4)
    axes.plot([0, 1], [0, 1], color=LINE, lw=1)
    axes.set(xlabel="false alarms", ylabel="found")
    axes.legend(fontsize="small", title="area", loc="lower right")


def _classes(finished: Sequence[Finished]) -> Drawing:
    """Images of each class in training and test part, a panel for each protocol."""
    first = {f.outcome.protocol: f for f in reversed(finished)}
    figure, (panels,) = canvas(4.4 * len(first), 3.4, 1, len(first))
    for axes, (protocol, one) in zip(panels, reversed(first.items()), strict=True):
        manifest = pd.read_csv(one.folder / "run" / "split.csv", skiprows=1, dtype=str)
        run = load_run(one.folder / "run")
        dx = run.labelled(run.split.records).table.set_index("image_id")["dx"]
        counts = pd.crosstab(dx.loc[manifest["image_id"]].to_numpy(), manifest["part"].to_numpy())
        counts = counts.sort_values("train", ascending=True)
        rows = np.arange(len(counts))
        for shift, part, colour in ((0.2, "train", BLUE), (-0.2, "test", RED)):
            axes.barh(rows + shift, counts[part], 0.38, color=colour, label=part)
            for row, value in zip(rows, counts[part], strict=True):
                axes.text(value, row + shift, f" {value:,}", va="center", fontsize=8)
        axes.set_yticks(rows, counts.index)
        axes.set(title=protocol, xlabel="images", xlim=(0, counts[["train", "test"]].to_numpy().max() * 1.2))
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    return figure


def _costs(finished: Sequence[Finished]) -> Drawing:
    """Seconds of training and milliseconds of inference, a bar for each system and protocol."""
    names = [f"{f.outcome.system}\n{f.outcome.protocol}" for f in finished]
    figure, ((left, right),) = canvas(9, 1.2 + 0.45 * len(names), 1, 2, sharey=True)
    rows = np.arange(len(names))[::-1]
    for axes, values, label in (
        (left, [f.outcome.seconds for f in finished], "seconds of training"),
        (right, [f.outcome.milliseconds for f in finished], "latency in milliseconds per image"),
    ):
        axes.barh(rows, values, 0.7, color=BLUE)
        for row, value in zip(rows, values, strict=True):
            axes.text(value, row, f" {value:,.0f}" if value >= 10 else f" {value:.1f}", va="center", fontsize=9)
        axes.set(xlabel=label, xlim=(0, max(values) * 1.15))
    left.set_yticks(rows, names, fontsize=8)
    return figure
