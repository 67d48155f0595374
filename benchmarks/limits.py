"""What holds the models that ship back, and what the next two points would cost: a part of results/flagships.md.

python benchmarks/limits.py --small RUN --medium RUN --nano RUN --parent RUN --shares FOLDER --work FOLDER
    [--replicates 1000] [--out results]

The runs are those that the bundles were made from, with their tables of predictions; FOLDER of --shares is what
`learning_curve.py` left, trained as the parent was. Answers averaged over the eight symmetries of an image are computed
once and kept in --work. All on the same test images.
"""

import argparse
import math
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from common import machine
from flagships import difference, predictions_of, shown
from flagships_parts import command, write_part
from lentigo.compression.turned import predict_turned
from lentigo.evaluation import Predictions, calibrate, measure
from lentigo.evaluation.cost import cost
from lentigo.render.markdown import table
from lentigo.training import load_run

TURNS, POINTS = 8, 0.02
"""Symmetries of a square; how much more balanced accuracy is priced."""
SMALL, MEDIUM, NANO, PARENT = "lentigo-s", "lentigo-m", "lentigo-n", "its parent"
CONFIRMED = {
    "histo": "histopathology",
    "follow_up": "follow-up",
    "consensus": "consensus of experts",
    "confocal": "confocal microscopy",
}
"""How HAM10000 knows a diagnosis (its table's dx_type)."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("small", "medium", "nano", "parent", "shares", "work"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--replicates", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=Path("results"))
    options = parser.parse_args()
    data, text = limits(options)
    print(write_part(options.out, "limits", data, text, command("benchmarks/limits.py", sys.argv[1:])))


def limits(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """All of it: plain values, and Markdown."""
    runs = {SMALL: options.small, MEDIUM: options.medium, NANO: options.nano, PARENT: options.parent}
    tables = {name: predictions_of(folder) for name, folder in runs.items()}
    shares = shares_of(options.shares)
    answers, answered = answering(options, tables)
    curve, learned = learning(tables[PARENT], shares, options.replicates)
    recalls, found = by_diagnosis({name: tables[name] for name in (SMALL, MEDIUM)}, options.replicates)
    text = f"""Runs in 32 bits before quantization, fold 0, on the same {len(tables[SMALL]):,} test images, balanced
prior; intervals of 95 % from {options.replicates:,} resamples of lesions, differences paired. One training each.
{machine("torch")}.

### More computing for an answer

{answers}

### More training images

{curve}

### Where the misses are

{recalls}

### How sure the truth is

{confirmation(tables[SMALL])}
"""
    return {"answers": answered, "curve": learned, "recalls": found}, text


def answering(options: argparse.Namespace, tables: Mapping[str, Predictions]) -> tuple[str, list[dict[str, Any]]]:
    """The same networks, asked more often: eight symmetries of each image, and all models together."""
    small, medium, nano = (macs_of(path) for path in (options.small, options.medium, options.nano))
    turned = [kept_turned(path, options.work) for path in (options.small, options.medium)]
    three = mean_of([tables[name] for name in (SMALL, MEDIUM, NANO)])
    asked: list[tuple[str, Predictions, int, str | None]] = [
        (SMALL, tables[SMALL], small, None),
        (MEDIUM, tables[MEDIUM], medium, SMALL),
        (f"{SMALL}, mean over {TURNS} symmetries", turned[0], TURNS * small, SMALL),
        (f"{MEDIUM}, mean over {TURNS} symmetries", turned[1], TURNS * medium, MEDIUM),
        ("mean of lentigo-n, -s and -m", three, small + medium + nano, SMALL),
        (f"mean of lentigo-s and -m, each over {TURNS} symmetries", mean_of(turned), TURNS * (small + medium), SMALL),
    ]
    together = {name: predictions for name, predictions, _, _ in asked}
    rows, data = [], []
    for name, predictions, macs, against in asked:
        metrics = measure(predictions, replicates=options.replicates)
        cells = [shown(metrics, key) for key in ("balanced_accuracy", "auc")]
        gained = difference(together, name, against, options.replicates)
        rows.append((name, f"{macs / 1e6:,.1f} M", *cells, against or "–", gained))
        data.append({"name": name, "macs": macs, "values": cells, "against": against, "difference": gained})
    head = ("answer", "MACs", "balanced accuracy", "macro AUC, training prevalence", "against", "difference")
    return table(head, rows), data


def macs_of(run: Path) -> int:
    """Of a run's network for one square, without crop and resize."""
    loaded = load_run(run)
    return cost(loaded.trained_network(), loaded.recipe.size).macs


def kept_turned(run: Path, work: Path) -> Predictions:
    """Predictions over the symmetries, from before or made now."""
    file = work / f"{run.name}-turned.parquet"
    if not file.is_file():
        work.mkdir(parents=True, exist_ok=True)
        loaded = load_run(run)
        calibrate(loaded)  # the run's own is settled before it is asked in another way
        mirrored = replace(loaded, recipe=loaded.recipe.model_copy(update={"flip_tta": True}))
        predict_turned(mirrored, "test").save(file)
    return Predictions.load(file)


def mean_of(several: list[Predictions]) -> Predictions:
    """Mean probabilities of models that predicted the same images, in the order of the first."""
    first = several[0]
    rows = [p.table.set_index("image_id").index.get_indexer(first.table["image_id"]) for p in several]
    if any((row < 0).any() for row in rows):
        raise SystemExit("The models predicted other images.")
    return first.replaced(np.mean([p.probabilities[row] for p, row in zip(several, rows, strict=True)], axis=0))


def shares_of(folder: Path) -> dict[float, Path]:
    """The finished trainings of `learning_curve.py`."""
    found = {float(path.name.removeprefix("share-")): path for path in sorted(folder.glob("share-*"))}
    return {share: path for share, path in sorted(found.items()) if (path / "predictions.parquet").is_file()}


def learning(whole: Predictions, shares: Mapping[float, Path], replicates: int) -> tuple[str, list[dict[str, Any]]]:
    """Balanced accuracy by the share of the training lesions, and what a line through it says of the next points."""
    if not shares:
        return "Not measured.", []
    tables = {f"{share:g}": predictions_of(path) for share, path in shares.items()} | {"1": whole}
    counts = {f"{share:g}": len(load_run(path).split.train) for share, path in shares.items()}
    rows, data, values = [], [], {}
    for name, predictions in tables.items():
        metrics = measure(predictions, replicates=replicates)
        values[name] = metrics.get("balanced_accuracy", view="equal_prevalence").value
        cells = [shown(metrics, key) for key in ("balanced_accuracy", "auc")]
        gained = difference(tables, name, "1" if name != "1" else None, replicates)
        rows.append((name, f"{counts[name]:,}" if name in counts else "all", *cells, gained))
        data.append({"share": name, "values": cells, "difference": gained})
    head = ("share of lesions", "training images", "balanced accuracy", "macro AUC, training prevalence")
    slope = np.polyfit([math.log2(float(name)) for name in values], list(values.values()), 1)[0]
    said = (
        f"A doubling of the training lesions, in as many steps, gave {100 * slope:.1f} points of balanced accuracy (a "
        f"line through {len(values)} trainings): if it went on, the next {100 * POINTS:.0f} points would take "
        f"{2 ** (POINTS / slope):.1f} times the lesions."
        if slope > 0
        else "More lesions gave nothing that these trainings show."
    )
    return f"{table((*head, 'difference from all'), rows)}\n\n{said}", data


def by_diagnosis(tables: Mapping[str, Predictions], replicates: int) -> tuple[str, list[dict[str, Any]]]:
    """Recall of each diagnosis; a seventh of its gap is what it takes from balanced accuracy."""
    first = next(iter(tables.values()))
    views = {name: measure(p, replicates=replicates).views["equal_prevalence"] for name, p in tables.items()}
    measured = {name: view["diagnosis"] for name, view in views.items()}
    rows, data = [], []
    for k, dx in enumerate(first.label_set.classes):
        here = first.labels == k
        lesions = first.table.loc[here, "lesion_id"].nunique()
        cells: list[str] = []
        for found in measured.values():
            lost = np.array(found.confusion[k])
            right, lost[k] = int(lost[k]), 0
            most = f"{found.classes[int(lost.argmax())]} ({lost.max()} of {lost.sum()})" if lost.any() else "–"
            cells += [f"{right / here.sum():.3f}", most]
        rows.append((dx, f"{here.sum():,}", f"{lesions:,}", *cells))
        data.append({"dx": dx, "images": int(here.sum()), "lesions": int(lesions), "cells": cells})
    head = [column for name in tables for column in (f"{name}: recall", "most often taken for")]
    spread = {name: found.values["balanced_accuracy"] for name, found in measured.items()}
    widths = "; ".join(f"{name} {100 * (found.high - found.low):.1f} points" for name, found in spread.items())
    said = (
        "Each diagnosis counts a seventh, however few its lesions: the rarest decide how wide the interval of one fold "
        f"is: {widths}."
    )
    return f"{table(('diagnosis', 'test images', 'lesions', *head), rows)}\n\n{said}", data


def confirmation(predictions: Predictions) -> str:
    """Accuracy by how the diagnosis was confirmed: where only experts agreed, the truth may be wrong too."""
    if "dx_type" not in predictions.table.columns:
        return "Not known of these images."
    rows = []
    for kind, words in CONFIRMED.items():
        here = (predictions.table["dx_type"] == kind).to_numpy()
        if not here.any():
            continue
        nevi = here & (predictions.table["dx"] == "nv").to_numpy()
        recall = f"{predictions.correct[nevi].mean():.3f} of {nevi.sum():,}" if nevi.any() else "–"
        others = here & ~nevi
        rest = f"{predictions.correct[others].mean():.3f} of {others.sum():,}" if others.any() else "–"
        rows.append((words, f"{here.sum():,}", recall, rest))
    return table(("confirmed by", "test images", f"{SMALL} right: nevi", "right: other diagnoses"), rows)


if __name__ == "__main__":
    main()
