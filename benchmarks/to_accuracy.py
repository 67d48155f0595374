"""How long a published recipe and ours train until the validation part shows a stated balanced accuracy.

    python benchmarks/to_accuracy.py ROOT --runs runs/to_accuracy --out results/speed/to_accuracy.txt \
        --weights mobilenetv2.safetensors

Published: efficient_cnn's network at 64 pixels by its paper's recipe. Ours: a head on features that MobileNetV2, with
ImageNet weights and frozen, gives of 128 pixels once. Both on fold 0 of the grouped protocol, which no lesion crosses,
in bfloat16. Time is that of features, training and validation, without reading and scaling the images, which either
does once. Finished trainings in --runs are not run again; run this alone on a machine. Epochs, size and rate of ours
were settled on this validation part; the test part had no say.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from common import machine, publish
from lentigo import data, training
from lentigo.evaluation import measure, predict_part
from lentigo.studies.budgets import budget
from lentigo.studies.efficient_cnn import STUDY
from lentigo.studies.jobs import images_an_epoch, recipe_for

PUBLISHED = STUDY.systems[1]
SCORE = "val_balanced_accuracy"
BACKBONE = "torchvision/mobilenet_v2"


def published(split: data.Split, seed: int, out: Path, weights: Path | None) -> training.Run:
    recipe = recipe_for(PUBLISHED, split.protocol, budget("cpu"), images_an_epoch(PUBLISHED, split), seed)
    return training.train(PUBLISHED.network, split, recipe, out=out, options=PUBLISHED.options, resume=started(out))


def ours(split: data.Split, seed: int, out: Path, weights: Path | None) -> training.Run:
    recipe = training.Recipe(
        size=128,
        epochs=8,
        learning_rate=2e-3,
        normalisation="imagenet",
        frozen_base=True,
        precision="bfloat16",
        flip_tta=False,
        seed=seed,
    )
    download = weights is None
    return training.train(BACKBONE, split, recipe, out=out, weights=weights, pretrained=download, resume=started(out))


ARMS = {"published": published, "ours": ours}


def started(out: Path) -> bool:
    return (out / "recipe.json").exists()


def history(run: training.Run) -> pd.DataFrame:
    """A row an epoch: score, and seconds from the start to its end."""
    log = run.path / "log"
    scores, seconds = pd.read_csv(log / "metrics.csv"), pd.read_csv(log / "seconds.csv")
    rows = scores.merge(seconds, on=["stage", "epoch"], validate="one_to_one")
    rows["seconds"] = rows["seconds"].cumsum() + sum(float(f.read_text()) for f in log.glob("features_*.seconds"))
    return rows


def describe(runs: Mapping[str, list[training.Run]], target: float) -> list[str]:
    """A line a training, and what the arms' medians say."""
    lines = [
        f"Seconds until the validation part shows a balanced accuracy of {target:.2f}",
        "",
        f"{'':10} {'seed':>4} {'seconds':>8} {'epochs':>7}   {'best':>6} of {'epochs':>6} {'in s':>7}   "
        f"{'test, when finished':>19}",
    ]
    medians = {}
    for name, arm in runs.items():
        times = []
        for run in arm:
            rows = history(run)
            reached = rows[rows[SCORE] >= target]
            times.append(np.inf if reached.empty else float(reached["seconds"].iloc[0]))
            epochs = "never" if reached.empty else str(int(reached.index[0]) + 1)
            test = measure(predict_part(run, "test"), replicates=0).get("balanced_accuracy").value
            whole = f"{rows[SCORE].max():6.3f} of {len(rows):6} {rows['seconds'].iloc[-1]:7.1f}"
            lines.append(f"{name:10} {run.recipe.seed:4} {times[-1]:8.1f} {epochs:>7}   {whole}   {test:19.3f}")
        medians[name] = float(np.median(times))
    first, second = medians.values()
    ratio = f"{second / first:.2f}" if np.isfinite([first, second]).all() else "unknown"
    count = len(next(iter(runs.values())))
    return [
        *lines,
        "",
        f"Median of {count} trainings each: {first:.1f} s published, {second:.1f} s ours, ratio {ratio}.",
        *(f"{name}: {about(arm[0])}" for name, arm in runs.items()),
        "Epochs, size and rate of ours were settled on this validation part.",
        "The test part's balanced accuracy is that of the network that each recipe keeps, calibrated on validation.",
        machine("torch", "pytorch-lightning"),
    ]


def about(run: training.Run) -> str:
    """What a training started from and how long it could last."""
    start = f"{run.start['source']}, frozen, its features in each time" if run.start else "random weights"
    return f"{run.model} at {run.recipe.size} px from {start}; at most {run.recipe.epochs} epochs"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--weights", type=Path, help="of MobileNetV2, torchvision's names; without it, downloaded")
    parser.add_argument("--target", type=float, default=0.6)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    split = data.split(data.read(options.root), "grouped")
    runs = {
        name: [train(split, seed, options.runs / f"{name}-{seed}", options.weights) for seed in range(options.seeds)]
        for name, train in ARMS.items()
    }
    publish(describe(runs, options.target), options.out)


if __name__ == "__main__":
    main()
