"""Measure how often intervals of 95 % hold the truth, for lentigo's and for percentiles of the same resamples.

    python benchmarks/coverage.py --datasets 1000 --out results/coverage/equal_prevalence.txt
    python benchmarks/coverage.py --datasets 1000 --training --out results/coverage/training_prevalence.txt

Data sets are drawn from an imagined population with HAM10000's mix, 1 or 2 images a lesion, and the truth is measured
on one of 200,000 images. The standard error of a coverage of 95 % is printed: 93 to 97 % takes many data sets to tell.
"""

import argparse
import time
from functools import partial
from pathlib import Path

import numpy as np

from common import machine, publish
from lentigo import taxonomy
from lentigo.evaluation.metrics.measure import estimates_of, replicate
from lentigo.evaluation.metrics.scorer import Scorer
from lentigo.evaluation.statistics.intervals import bootstrap
from lentigo.evaluation.tasks import TASKS, View

MIX = np.array([0.033, 0.051, 0.110, 0.011, 0.111, 0.670, 0.014])
KEY = ("simulated", "diagnosis")
SHOWN = (
    *("balanced_accuracy", "accuracy", "mcc", "kappa", "precision.macro", "f1.macro", "recall.mel", "recall.df"),
    *("precision.mel", "auc.macro", "auc.pairwise", "auc.mel", "auc.df", "average_precision.macro"),
    *("average_precision.mel", "sensitivity_at_80_specificity.mel", "specificity_at_95_sensitivity.mel"),
    *("brier", "log_loss", "ece", "ece_equal_mass", "ece.mel", "ece.macro"),
)


def draw(lesions: np.ndarray, rng: np.random.Generator, at_training: bool) -> tuple[Scorer, np.ndarray]:
    """A data set with these numbers of lesions by diagnosis: its scorer, and the lesion of each image."""
    diagnosis = np.repeat(np.arange(7), lesions)
    lesion = np.repeat(np.arange(len(diagnosis)), rng.integers(1, 3, len(diagnosis)))
    labels = diagnosis[lesion]
    noise = rng.normal(size=(len(diagnosis), 7))[lesion] + rng.normal(size=(len(labels), 7))
    odds = np.exp(1.6 * (0.7 * noise + 2 * np.eye(7)[labels])) * (MIX if at_training else 1)
    probabilities = odds / odds.sum(axis=1, keepdims=True)
    return Scorer(View(KEY[0], probabilities, balanced=not at_training), TASKS["diagnosis"], labels), lesion


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lesions", type=int, default=300)
    parser.add_argument("--datasets", type=int, default=500)
    parser.add_argument("--replicates", type=int, default=300)
    parser.add_argument("--training", action="store_true", help="the view of the training prevalence")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rng, start = np.random.default_rng(0), time.perf_counter()
    lesions = np.maximum(np.round(MIX * options.lesions).astype(int), 3)
    population, everyone = draw(lesions * (133_000 // lesions.sum()), rng, options.training)
    truth = {name: float(v[0]) for name, v in population(np.ones((1, len(everyone)))).items()}
    hits = {name: np.zeros(2) for name in SHOWN}
    given = dict.fromkeys(SHOWN, 0)
    for seed in range(options.datasets):
        scorer, groups = draw(lesions, rng, options.training)
        labels = scorer.diagnoses.argmax(axis=1)
        drawn = bootstrap(partial(replicate, {KEY: scorer}), labels, groups, options.replicates, seed)[KEY]
        estimates = estimates_of(scorer, groups, drawn)
        for name in SHOWN:
            e = estimates[name]
            if e.low is not None:
                low, high = np.nanquantile(drawn.values[name], [0.025, 0.975])
                given[name] += 1
                hits[name] += [e.low <= truth[name] <= e.high, low <= truth[name] <= high]
    error = 100 * (0.95 * 0.05 / options.datasets) ** 0.5
    prevalence = "that of training" if options.training else "balanced prior"
    lines = [
        f"lesions by diagnosis: {dict(zip(taxonomy.CLASSES, lesions.tolist(), strict=True))}; prevalence: {prevalence}",
        f"{options.datasets} data sets, {options.replicates} resamples, {time.perf_counter() - start:.0f} s",
        f"standard error of a coverage of 95 %: {error:.1f} %",
        f"{'metric':36}{'truth':>8}{'given':>8}{'lentigo':>10}{'percentiles':>13}",
    ]
    for name in SHOWN:
        ours, percentiles = 100 * hits[name] / max(given[name], 1)
        lines.append(f"{name:36}{truth[name]:8.3f}{given[name]:8d}{ours:9.1f}%{percentiles:12.1f}%")
    publish([*lines, machine()], options.out)


if __name__ == "__main__":
    main()
