"""Combine training runs properly: folds, repeated seeds, or both.

Two ways, which answer different questions:

- `combine` takes the metrics of each run and gives mean and spread: how does this recipe do when it is trained again?
  Seeds of one fold are averaged first, since they share their test images. Folds share most of their training images,
  so that the plain t-interval over folds is too narrow; its variance s**2 / k becomes s**2 * (1 / k + n_test / n_train)
  (Nadeau and Bengio, Inference for the generalization error, Machine Learning 52:239, 2003). Over seeds of one fold the
  interval is the plain one, and is for another training on the same images only.
- `pool` joins the test predictions of all folds to one table in which each image occurs once, to be measured with
  intervals over lesions. Its areas under the curve compare scores of different networks, which costs a little.
"""

import hashlib
from collections.abc import Callable, Sequence
from statistics import fmean

import numpy as np
import pandas as pd
from scipy.stats import t

from lentigo.data.protocols import FOLDS, VALIDATION_SHARE
from lentigo.errors import DataError, LeakError
from lentigo.evaluation.metrics.measure import Metrics
from lentigo.evaluation.predictions import Predictions
from lentigo.evaluation.provenance import Provenance
from lentigo.evaluation.result import Result
from lentigo.evaluation.statistics.intervals import LEVEL

__all__ = ["Combined", "Spread", "combine", "compare_runs", "pool", "spread"]

TEST_TO_TRAIN = (1 / FOLDS) / ((1 - 1 / FOLDS) * (1 - 1 / VALIDATION_SHARE))
"""Test images for each training image, of a fold whose validation part is taken from the rest."""


class Spread(Result):
    """One metric over runs.

    Attributes:
        mean: over folds, of the means over seeds; None where a run doesn't define it.
        low, high: interval of 95 % of the mean, corrected for shared training images; None for a single run.
        sd_folds: standard deviation of the folds' means; None for one fold.
        sd_seeds: standard deviation of seeds within folds, pooled; None for one seed a fold.
        p: two-sided p of a mean of 0; only for differences.
        note: why something is absent.
    """

    mean: float | None
    low: float | None = None
    high: float | None = None
    sd_folds: float | None = None
    sd_seeds: float | None = None
    p: float | None = None
    note: str = ""


class Combined(Result):
    """Runs of one recipe, or differences of two.

    Attributes:
        folds: number of different splits.
        runs: number of runs.
        provenance: of each run.
        warnings: what a reader must know.
        views: spreads by view, task and metric.
    """

    folds: int
    runs: int
    provenance: tuple[Provenance, ...]
    warnings: tuple[str, ...]
    views: dict[str, dict[str, dict[str, Spread]]]


def combine(runs: Sequence[Metrics]) -> Combined:
    """Mean and spread of the metrics of runs; those with the same split are seeds of one fold.

    Raises:
        DataError: no run, a run twice, or runs under different protocols or on different parts.
    """
    folds = _folds(runs)
    return _combined(runs, len(folds), lambda read: [[read(run) for run in seeds] for seeds in folds.values()])


def compare_runs(first: Sequence[Metrics], second: Sequence[Metrics]) -> Combined:
    """Differences, first less second, of two recipes that were run on the same splits.

    Raises:
        DataError: as `combine`, or the two were run on different splits.
    """
    ours, theirs = _folds(first), _folds(second)
    if set(ours) != set(theirs):
        raise DataError("The two recipes were run on different splits.", "Compare them on the same folds.")

    def differences(read: Callable[[Metrics], float | None]) -> list[list[float | None]]:
        found: list[list[float | None]] = []
        for split in ours:
            a, b = ([read(run) for run in side[split]] for side in (ours, theirs))
            known = [v for v in (*a, *b) if v is not None]
            complete = len(known) == len(a) + len(b)
            found.append([fmean(known[: len(a)]) - fmean(known[len(a) :]) if complete else None])
        return found

    return _combined([*first, *second], len(ours), differences, tested=True)


def pool(folds: Sequence[Predictions]) -> Predictions:
    """Join the test predictions of folds, one run each, to one table.

    Raises:
        DataError: an image is in two tables, or protocols differ.
        LeakError: a lesion is in two folds of a protocol that isn't leaky.
    """
    if not folds:
        raise DataError("There are no folds to pool.", "Pass one at least.")
    metas = [p.meta for p in folds]
    if len({(m.get("protocol"), m.get("leaky"), m.get("part")) for m in metas}) > 1:
        raise DataError("The folds differ in protocol or part.", "Pool the test parts of one protocol.")
    if len({p.label_set for p in folds}) > 1:
        raise DataError("The folds differ in their labels.", "Map them to one label set (--map).")
    owner: dict[object, int] = {}
    for k, p in enumerate(folds):
        for group in set(p.groups):
            if owner.setdefault(group, k) != k and not metas[0].get("leaky"):
                raise LeakError(f"Lesion {group} is in two folds.", "Pool one run of each fold of one split.")
    splits = sorted(str(m.get("split_sha256")) for m in metas)
    meta = {
        **metas[0],
        "model": " + ".join(dict.fromkeys(str(m.get("model")) for m in metas)),
        "model_sha256": None,
        "temperature": 1.0,  # each fold had its own, and none can be undone for all
        "split_sha256": hashlib.sha256(",".join(splits).encode()).hexdigest(),
        "pooled": [{k: m.get(k) for k in ("model", "model_sha256", "split_sha256")} for m in metas],
    }
    if all(m.get("training_prevalence") is not None for m in metas):
        meta["training_prevalence"] = np.mean([p.training_prevalence for p in folds], axis=0).tolist()
    return Predictions(pd.concat([p.table for p in folds], ignore_index=True), meta)


def _folds(runs: Sequence[Metrics]) -> dict[str | None, list[Metrics]]:
    """Runs by split."""
    if not runs:
        raise DataError("There are no runs to combine.", "Pass one at least.")
    known = [run.provenance for run in runs]
    if len({(p.protocol, p.leaky, p.part) for p in known}) > 1:
        raise DataError("The runs differ in protocol or part.", "Combine the test parts of one protocol.")
    if len({(p.label_set, p.majority) for p in known}) > 1:
        sets = " and ".join(dict.fromkeys(str(p.label_set) for p in known))
        raise DataError(f"The runs differ in their labels: {sets}.", "Map them to one label set (--map).")
    models = [p.model_sha256 for p in known if p.model_sha256]
    if len(set(models)) < len(models):
        raise DataError("One model's metrics are listed twice.", "List each run once.")
    found: dict[str | None, list[Metrics]] = {}
    for run in runs:
        found.setdefault(run.provenance.split_sha256, []).append(run)
    return found


def _combined(
    runs: Sequence[Metrics],
    folds: int,
    values: Callable[[Callable[[Metrics], float | None]], list[list[float | None]]],
    tested: bool = False,
) -> Combined:
    views: dict[str, dict[str, dict[str, Spread]]] = {}
    for view in [v for v in runs[0].views if all(v in run.views for run in runs)]:
        views[view] = {}
        for task, found in runs[0].views[view].items():
            views[view][task] = {
                name: spread(values(_reader(name, task, view)), tested=tested) for name in found.values
            }
    warnings = list(dict.fromkeys(w for run in runs for w in run.provenance.warnings))
    if folds == 1:
        warnings.append("All runs share one split: intervals reflect retraining, not other lesions.")
    provenance = tuple(run.provenance for run in runs)
    return Combined(folds=folds, runs=len(runs), provenance=provenance, warnings=tuple(warnings), views=views)


def _reader(name: str, task: str, view: str) -> Callable[[Metrics], float | None]:
    return lambda run: run.get(name, task, view).value


def spread(folds: Sequence[Sequence[float | None]], *, tested: bool = False) -> Spread:
    """Mean, spread and interval of values by fold and seed; if `tested` also p of a mean of 0."""
    known = [[v for v in seeds if v is not None] for seeds in folds]
    if any(len(a) < len(b) for a, b in zip(known, folds, strict=True)):
        return Spread(mean=None, note="undefined in one of the runs")
    means, seeds = [fmean(seeds) for seeds in known], sum(len(seeds) - 1 for seeds in known)
    mean = fmean(means)
    within = sum((v - m) ** 2 for values, m in zip(known, means, strict=True) for v in values)
    sd_seeds = (within / seeds) ** 0.5 if seeds else None
    sd_folds = float(np.std(means, ddof=1)) if len(means) > 1 else None
    if sd_folds is not None:
        error, freedom = sd_folds * (1 / len(means) + TEST_TO_TRAIN) ** 0.5, len(means) - 1
    elif sd_seeds is not None:
        error, freedom = sd_seeds / len(known[0]) ** 0.5, len(known[0]) - 1
    else:
        return Spread(mean=mean, note="no interval: a single run")
    reach = float(t.ppf((1 + LEVEL) / 2, freedom)) * error
    p = float(2 * t.sf(abs(mean) / error, freedom)) if tested and error > 0 else None
    return Spread(mean=mean, low=mean - reach, high=mean + reach, sd_folds=sd_folds, sd_seeds=sd_seeds, p=p)
