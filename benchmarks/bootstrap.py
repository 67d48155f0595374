"""Time the lesion bootstrap beside a loop over scikit-learn's functions, on the same predictions.

    python benchmarks/bootstrap.py [--images 2000] [--replicates 1000] [--loop 50] [--out results/speed/bootstrap.txt]

Both sides compute the same metrics in both views and all three tasks, except that lentigo also has calibration errors
and gives each diagnosis the same weight in the scores of the first view, for which scikit-learn has no function.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import sklearn
from sklearn import metrics as sk

from common import machine, publish
from lentigo import taxonomy
from lentigo.evaluation.metrics.measure import measure
from lentigo.evaluation.predictions import PROBABILITIES, Predictions
from lentigo.evaluation.tasks import TASKS, VIEWS, view


def imagined(images: int) -> Predictions:
    """Predictions of a fairly good model on HAM10000's mix, 1 to 3 images a lesion."""
    rng = np.random.default_rng(0)
    mix = np.array([0.033, 0.051, 0.110, 0.011, 0.111, 0.670, 0.014])
    lesion = np.repeat(np.arange(images), rng.integers(1, 4, images))[:images]
    labels = rng.choice(7, images, p=mix)[lesion]
    odds = np.exp(rng.normal(size=(images, 7)) + 2 * np.eye(7)[labels])
    table = pd.DataFrame(odds / odds.sum(axis=1, keepdims=True), columns=list(PROBABILITIES))
    table.insert(0, "image_id", [f"I{i}" for i in range(images)])
    table.insert(1, "lesion_id", [f"L{i}" for i in lesion])
    table.insert(2, "dx", np.array(taxonomy.CLASSES)[labels])
    return Predictions(table, {"model": "imagined", "leaky": False, "training_prevalence": mix.tolist()})


def by_scikit_learn(y: np.ndarray, p: np.ndarray) -> dict[str, object]:
    """What a careful user would call on each resample, for one view and task."""
    classes = range(p.shape[1])
    decided, truth = p.argmax(axis=1), np.eye(len(classes))[y]
    curves = [sk.roc_curve(truth[:, k], p[:, k]) for k in classes]
    two = len(classes) == 2
    return {
        "accuracy": sk.accuracy_score(y, decided),
        "balanced accuracy": sk.balanced_accuracy_score(y, decided),
        "per class": sk.precision_recall_fscore_support(y, decided, labels=classes, zero_division=0),
        "specificity": [sk.recall_score(y != k, decided != k) for k in classes],
        "mcc": sk.matthews_corrcoef(y, decided),
        "kappa": sk.cohen_kappa_score(y, decided),
        "auc": sk.roc_auc_score(truth, p, average=None),
        "auc pairwise": sk.roc_auc_score(y, p[:, 1] if two else p, multi_class="ovo"),
        "average precision": sk.average_precision_score(truth, p, average=None),
        "log loss": sk.log_loss(y, p, labels=classes),
        "brier": sk.brier_score_loss(y, p[:, 1] if two else p, labels=classes),
        "sensitivity at 0.80 specificity": [tpr[fpr <= 0.2].max() for fpr, tpr, _ in curves],
        "specificity at 0.95 sensitivity": [1 - fpr[tpr >= 0.95].min() for fpr, tpr, _ in curves],
    }


def loop(predictions: Predictions, replicates: int) -> None:
    """The plain way: draw lesions, gather their images, call scikit-learn."""
    rng = np.random.default_rng(0)
    dx = predictions.labels
    sides = [
        (task.labels(dx), task.probabilities(view(predictions, name).probabilities))
        for name in VIEWS
        for task in TASKS.values()
    ]
    lesions, of = np.unique(predictions.groups.astype(str), return_inverse=True)
    images = [np.flatnonzero(of == k) for k in range(len(lesions))]
    first = np.array([dx[rows[0]] for rows in images])
    strata = [np.flatnonzero(first == k) for k in range(7)]
    for _ in range(replicates):
        drawn = np.concatenate([rng.choice(s, len(s)) for s in strata if len(s)])
        rows = np.concatenate([images[k] for k in drawn])
        for y, p in sides:
            by_scikit_learn(y[rows], p[rows])


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Elapsed seconds, and processor seconds of all threads: the latter say more on a busy machine."""
    start, start_cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - start_cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--replicates", type=int, default=1000)
    parser.add_argument("--loop", type=int, default=50, help="replicates of the slow side")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    predictions = imagined(options.images)
    metrics = measure(predictions)
    numbers = sum(len(task.values) for tasks in metrics.views.values() for task in tasks.values())
    sides = {
        "lentigo": (options.replicates, seconds(lambda: measure(predictions, replicates=options.replicates))),
        "scikit-learn": (options.loop, seconds(lambda: loop(predictions, options.loop))),
    }
    lines = [f"lesion bootstrap, {numbers} numbers: n = {options.images} images, {metrics.provenance.groups} lesions"]
    for name, (n, (wall, cpu)) in sides.items():
        each = f"{wall / n * 1e3:.2f} ms each ({cpu / n * 1e3:.2f} ms of processor)"
        lines.append(f"{name:14}{n:6d} replicates in {wall:7.2f} s, {each}")
    walls, cpus = ([times[k] / n for n, times in sides.values()] for k in (0, 1))
    lines += [
        f"lentigo is {walls[1] / walls[0]:.0f} times faster by the clock, {cpus[1] / cpus[0]:.0f} by processor time",
        f"load average {os.getloadavg()[0]:.1f} at the end; scikit-learn {sklearn.__version__}",
        machine(),
    ]
    publish(lines, options.out)


if __name__ == "__main__":
    main()
