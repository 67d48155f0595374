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
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from common import machine
from flagships import difference, predictions_of, shown
from flagships_parts import command, write_part
from lentigo import data as records
from lentigo.evaluation import Predictions, measure, predict_part
from lentigo.evaluation.calibration.scaling import fit_temperature
from lentigo.evaluation.cost import cost
from lentigo.render.markdown import table
from lentigo.training import Run, load_run

TURNS, POINTS = 8, 0.02
"""Symmetries of a square; how much more balanced accuracy is priced."""
SMALL, PARENT = "lentigo-s", "its parent"
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
    runs = {SMALL: options.small, "lentigo-m": options.medium, "lentigo-n": options.nano, PARENT: options.parent}
    tables = {name: predictions_of(folder) for name, folder in runs.items()}
    shares = shares_of(options.shares)
    answers, answered = answering(options, tables)
    curve, learned = learning(tables[PARENT], shares, options.replicates)
    recalls, found = by_diagnosis({name: tables[name] for name in (SMALL, "lentigo-m")}, options.replicates)
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
    small, medium, nano = options.small, options.medium, options.nano
    own = {path: macs_of(path) for path in (small, medium, nano)}
    turned = {
        f"{name}, mean over {TURNS} symmetries": kept_turned(path, options.work) for name, path in _named(options)
    }
    models = [tables[name] for name in (SMALL, "lentigo-m", "lentigo-n")]
    asked = {
        SMALL: (tables[SMALL], own[small], None),
        "lentigo-m": (tables["lentigo-m"], own[medium], SMALL),
        **{
            name: (predictions, TURNS * own[path], name.partition(",")[0])
            for (name, predictions), path in zip(turned.items(), (small, medium), strict=True)
        },
        "mean of lentigo-n, -s and -m": (mean_of(models), sum(own.values()), SMALL),
        f"mean of lentigo-s and -m, each over {TURNS} symmetries": (
            mean_of(list(turned.values())),
            TURNS * (own[small] + own[medium]),
            SMALL,
        ),
    }
    together = {name: predictions for name, (predictions, _, _) in asked.items()}
    rows, data = [], []
    for name, (predictions, macs, against) in asked.items():
        metrics = measure(predictions, replicates=options.replicates)
        cells = [shown(metrics, key) for key in ("balanced_accuracy", "auc")]
        gained = difference(together, name, against, options.replicates)
        rows.append((name, f"{macs / 1e6:,.1f} M", *cells, against or "–", gained))
        data.append({"name": name, "macs": macs, "values": cells, "against": against, "difference": gained})
    head = ("answer", "MACs", "balanced accuracy", "macro AUC, training prevalence", "against", "difference")
    return table(head, rows), data


def _named(options: argparse.Namespace) -> list[tuple[str, Path]]:
    return [(SMALL, options.small), ("lentigo-m", options.medium)]


def macs_of(run: Path) -> int:
    """Of a run's network for one square, without crop and resize."""
    loaded = load_run(run)
    return cost(loaded.trained_network(), loaded.recipe.size).macs


def kept_turned(run: Path, work: Path) -> Predictions:
    """Predictions over the symmetries, from before or made now."""
    file = work / f"{run.name}-turned.parquet"
    if not file.is_file():
        work.mkdir(parents=True, exist_ok=True)
        predicted_in_turns(load_run(run)).save(file)
    return Predictions.load(file)


def predicted_in_turns(run: Run) -> Predictions:
    """Predictions of the test part from the mean logits over all symmetries, at a temperature fitted to such logits."""
    validation, logits = logits_in_turns(run, "validation")
    temperature = fit_temperature(logits, run.labels(validation), prevalence=np.array(run.class_prior))
    _, logits = logits_in_turns(run, "test")
    return predict_part(run, "test").replaced(softmax(logits / temperature, axis=1), temperature=temperature)


def logits_in_turns(run: Run, part: str) -> tuple[records.Records, NDArray[np.floating]]:
    """The readable records of a part and their mean logits [N, K]."""
    pixels = records.load_pixels(run.split.records, run.recipe.size)
    readable, network = pixels.readable(run.split.part(part)), run.placed_network()
    squares = pixels.of(readable)
    turned = (np.rot90(mirrored, k, axes=(1, 2)) for mirrored in (squares, squares[:, :, ::-1]) for k in range(4))
    return readable, np.mean([run.logits(np.ascontiguousarray(each), network=network) for each in turned], axis=0)


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
    """Balanced accuracy by the share of the training lesions, and what the last doubling says of the next points."""
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
    classes = first.label_set.classes
    hits = {
        name: np.array([p.correct[p.labels == k].mean() for k in range(len(classes))]) for name, p in tables.items()
    }
    taken = {
        name: np.bincount(
            p.labels[~p.correct] * len(classes) + p.probabilities.argmax(axis=1)[~p.correct], minlength=49
        )
        for name, p in tables.items()
    }
    rows, data = [], []
    for k, dx in enumerate(classes):
        here = first.labels == k
        lesions = first.table.loc[here, "lesion_id"].nunique()
        cells: list[str] = []
        for name in tables:
            lost = taken[name][k * len(classes) : (k + 1) * len(classes)]
            most = int(lost.argmax())
            cells += [f"{hits[name][k]:.3f}", f"{classes[most]} ({lost[most]} of {lost.sum()})" if lost.sum() else "–"]
        rows.append((dx, f"{here.sum():,}", f"{lesions:,}", *cells))
        data.append({"dx": dx, "images": int(here.sum()), "lesions": int(lesions), "cells": cells})
    head = [column for name in tables for column in (f"{name}: recall", "most often taken for")]
    spread = {
        name: measure(p, replicates=replicates).get("balanced_accuracy", view="equal_prevalence")
        for name, p in tables.items()
    }
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
