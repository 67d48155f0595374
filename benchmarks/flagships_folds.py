"""The part of results/flagships.md with each fold of each model, and their means."""

import argparse
from pathlib import Path
from typing import Any

from common import machine
from flagships_figures import METRICS, ROWS
from flagships_parts import read_json, read_parts
from lentigo.errors import DataError
from lentigo.evaluation import Metrics, Predictions, measure
from lentigo.evaluation.statistics.runs import spread
from lentigo.render.markdown import table

__all__ = ["by_fold", "predictions_of", "shown"]

KEYS = ("balanced_accuracy", "auc_balanced", "auc", "melanoma_balanced", "melanoma", "ece_balanced", "ece")
"""Figures of the part, in its order."""
NOT_RECORDED = "not recorded"


def by_fold(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """A row for each fold of each model, and the means; rows of earlier calls stay, unless a fold is given anew."""
    given = [_row(Path(path), options.replicates) for path in options.given]
    if len({(row["model"], row["fold"]) for row in given}) < len(given):
        raise DataError("A fold of one model is given twice.", "Name one table of predictions for each.")
    earlier = read_parts(options.out).get("by-fold", {}).get("data", {}).get("rows", [])
    known = {(row["model"], row["fold"]): row for row in (*earlier, *given)}
    rows = [known[key] for key in sorted(known)]
    means: dict[str, Any] = {}
    lines = []
    for name in dict.fromkeys(row["model"] for row in rows):
        own = [row for row in rows if row["model"] == name]
        lines += [_line(row) for row in own]
        if len(own) > 1:
            about = {key: [row[key] for row in own] for key in ("file", "bytes")}
            means[name] = {"folds": len(own), **about, **_means(own)}
            bold = (f"**{means[name][key]['text']}**" for key in KEYS)
            lines.append((f"**{name}**", f"mean of {len(own)}", "", "", "", "", *bold))
    head = ("model", "fold", "test images", "file", "bytes", "starting weights", *(ROWS[key] for key in KEYS))
    resamples = " or ".join(dict.fromkeys(f"{row['replicates']:,}" for row in rows))
    text = (
        f"{table(head, lines)}\n\n"
        "For each fold network and teachers were trained, compressed and calibrated anew without its test part, by "
        "the same recipes (`tools/train_flagships.py`, `tools/make_model.py --fold`); of a network in 8 bits as "
        "many layers keep 16 as its policy asks for, so that sizes differ. Rows of one model with equal starting "
        "weights began from one training on ISIC 2019, others from the same training done anew. What it saw of "
        "near-duplicates of HAM10000 is in [joined_sources.md](joined_sources.md). "
        f"Intervals of a fold are of 95 %, from {resamples} resamples of its lesions, and say nothing of "
        "another training; those of a mean are of 95 %, from its folds, widened for the training images that they "
        f"share. Means are of the figures as printed. {'; '.join(dict.fromkeys(row['machine'] for row in rows))}."
    )
    return {"rows": rows, "means": means}, text


def predictions_of(path: Path, name: str = "predictions.parquet") -> Predictions:
    """A table of predictions, or the one in a folder."""
    return Predictions.load(path / name if path.is_dir() else path)


def shown(metrics: Metrics, key: str) -> str:
    """One figure with its interval."""
    name, view = METRICS[key]
    return str(metrics.get(name, view=view)) if view in metrics.views else "no training prevalence"


def _row(path: Path, replicates: int) -> dict[str, Any]:
    """What was measured on one fold. `tools/make_model.py --fold` leaves model.json beside the table."""
    predictions = predictions_of(path)
    meta = predictions.meta
    if meta.get("part") != "test" or meta.get("leaky") or meta.get("fold") is None:
        raise DataError(f"{path} isn't of the test part of an honest fold.", "Name what make_model.py --fold left.")
    metrics = measure(predictions, replicates=replicates)
    about = read_json(path / "model.json") if path.is_dir() else None
    return {
        "model": meta["model"],
        "fold": meta["fold"],
        "images": len(predictions),
        "file": meta["model_sha256"],
        "split": meta["split_sha256"],
        "bytes": about and about["bytes"],
        "start": about and about["starting_weights"]["sha256"],
        "machine": machine(),
        "replicates": replicates,
        **{key: shown(metrics, key) for key in KEYS},
    }


def _line(row: dict[str, Any]) -> tuple[str, ...]:
    """A row as cells."""
    size = f"{row['bytes']:,}" if row["bytes"] else NOT_RECORDED
    start = row["start"][:12] if row["start"] else NOT_RECORDED
    about = (row["model"], str(row["fold"]), f"{row['images']:,}", row["file"][:12], size, start)
    return (*about, *(row[key] for key in KEYS))


def _means(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean and interval of each figure over folds; None where one of them lacks it."""
    found = {}
    for key in KEYS:
        values = [_number(row[key]) for row in rows]
        mean = spread([[value] for value in values])
        interval = "" if mean.low is None else f" ({mean.low:.3f} to {mean.high:.3f})"
        text = mean.note if mean.mean is None else f"{mean.mean:.3f}{interval}"
        found[key] = {"value": mean.mean, "low": mean.low, "high": mean.high, "text": text}
    return found


def _number(figure: str) -> float | None:
    """The value of a figure as shown."""
    first = figure.split(maxsplit=1)[0]
    return float(first) if first.replace(".", "", 1).isdigit() else None
