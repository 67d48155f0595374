"""Compare models on the same images: paired differences with intervals, and tests corrected for their number.

Every test is paired, and takes lesions, not images, as independent. The family that Holm's correction is made for is
all pairs of models under one metric or test. A difference says nothing about another training run: see `runs` for seeds
and folds.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, t

from lentigo.arguments import checked
from lentigo.errors import DataError
from lentigo.evaluation.basis import Lesions
from lentigo.evaluation.catalogue import choice
from lentigo.evaluation.metrics.measure import Key, Replicates, replicate, scorers_of
from lentigo.evaluation.predictions import Predictions
from lentigo.evaluation.provenance import Provenance
from lentigo.evaluation.result import Estimate, Result
from lentigo.evaluation.statistics.delong import delong_test
from lentigo.evaluation.statistics.estimates import estimate
from lentigo.evaluation.statistics.intervals import LEVEL, bootstrap, freedom
from lentigo.evaluation.statistics.mcnemar import McNemar, mcnemar
from lentigo.evaluation.tasks import task_of, tasks_of, view

__all__ = ["Comparison", "Difference", "Pair", "align", "compare", "compared", "holm"]

Array = NDArray[np.float64]


def compared(what: Provenance) -> list[tuple[str, str, str]]:
    """View, task and metric of the differences that are tested."""
    malignancy = choice("compared_malignancy", alarm="malignant", majority="benign")
    return [
        *(("equal_prevalence", "diagnosis", name) for name in what.shown("compared")),
        *(("equal_prevalence", "malignancy", name) for name in malignancy if what.label_set.knows_malignancy),
        *(("training_prevalence", "diagnosis", name) for name in what.shown("compared_training")),
    ]


def _areas(predictions: Predictions) -> list[tuple[str, str]]:
    """Task and class of the ROC areas that DeLong's test is made for."""
    alarm = predictions.label_set.alarm
    found = [] if alarm is None else [("diagnosis", alarm)]
    return found + ([("malignancy", "malignant")] if "malignancy" in tasks_of(predictions) else [])


class Difference(Result):
    """A paired difference, first less second.

    Attributes:
        view, task, metric: what is compared.
        difference: with its interval of 95 %, not corrected for the number of comparisons.
        p: two-sided; None where there is no interval.
        p_holm: corrected for the number of pairs of models.
    """

    view: str
    task: str
    metric: str
    difference: Estimate
    p: float | None
    p_holm: float | None = None


class Pair(Result):
    """Two models on the same images.

    Attributes:
        first, second: their names.
        differences: by bootstrap over lesions.
        delong: differences of ROC areas by DeLong's test.
        mcnemar: of the decisions among all diagnoses at the balanced prior.
        mcnemar_p_holm: its mid-p, corrected for the number of pairs.
    """

    first: str
    second: str
    differences: tuple[Difference, ...]
    delong: tuple[Difference, ...]
    mcnemar: McNemar
    mcnemar_p_holm: float


class Comparison(Result):
    """Models compared on the same images.

    Attributes:
        provenance: of each model's predictions.
        warnings: what a reader must know beside the warnings of `provenance`.
        replicates: bootstrap resamples.
        seed: their seed.
        pairs: each pair of models.
    """

    provenance: dict[str, Provenance]
    warnings: tuple[str, ...]
    replicates: int
    seed: int
    pairs: tuple[Pair, ...]


@checked
def compare(models: Mapping[str, Predictions], *, replicates: int = 1000, seed: int = 0) -> Comparison:
    """Compare two or more models that predicted the same images.

    Args:
        models: predictions by the models' names; rows may be in any order.
        replicates: bootstrap resamples; 0 for no intervals.
        seed: seed of the resamples.

    Raises:
        DataError: fewer than two models, other images, or other truths.
    """
    aligned = align(models)
    first = next(iter(aligned.values()))
    scorers = {name: scorers_of(p) for name, p in aligned.items()}
    wanted = [key for key in compared(Provenance.of(first)) if all(key[:2] in found for found in scorers.values())]
    plain = {name: replicate(found, np.ones((1, len(first)))) for name, found in scorers.items()}
    drawn = {
        name: bootstrap(partial(replicate, found), first.labels, first.groups, replicates, seed) or {}
        for name, found in scorers.items()
    }

    def values(side: dict[str, dict[Key, Replicates]], key: tuple[str, str, str], a: str, b: str) -> Array:
        return side[a][key[:2]].values[key[2]] - side[b][key[:2]].values[key[2]]

    def difference(key: tuple[str, str, str], a: str, b: str) -> Difference:
        behind = Lesions(scorers[a][key[:2]], first.groups).behind(key[2])
        one = values(plain, key, a, b)
        many = values(drawn, key, a, b) if replicates else None
        found = estimate(one[0], many, behind, scale="difference", undefined="undefined for one of the two")
        return _difference(key, found, None if many is None or found.low is None else _p(one[0], many, behind))

    pairs = []
    for a, b in combinations(aligned, 2):
        test = mcnemar(aligned[a].correct, aligned[b].correct, first.groups)
        pairs.append(
            Pair(
                first=a,
                second=b,
                differences=tuple(difference(key, a, b) for key in wanted),
                delong=tuple(_delong(task, c, aligned[a], aligned[b]) for task, c in _areas(first)),
                mcnemar=test,
                mcnemar_p_holm=test.p_mid,
            )
        )
    return Comparison(
        provenance={name: Provenance.of(p) for name, p in aligned.items()},
        warnings=_warnings(aligned),
        replicates=replicates,
        seed=seed,
        pairs=_corrected(pairs),
    )


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """Correct p values for their number (Holm, Scand. J. Statist. 6:65, 1979); those that are None stay so."""
    known = sorted((p, i) for i, p in enumerate(ps) if p is not None)
    found: list[float | None] = [None] * len(ps)
    largest = 0.0
    for rank, (p, i) in enumerate(known):
        largest = max(largest, min(1.0, p * (len(known) - rank)))
        found[i] = largest
    return found


def align(models: Mapping[str, Predictions]) -> dict[str, Predictions]:
    """The models' predictions with rows in the order of image ids.

    Raises:
        DataError: fewer than two models, other images, labels or truths.
    """
    if len(models) < 2:
        raise DataError("A comparison needs two models or more.", "Pass their predictions by name.")
    ordered = {
        name: Predictions(p.table.sort_values("image_id", ignore_index=True), p.meta) for name, p in models.items()
    }
    names = list(ordered)
    first = ordered[names[0]].table
    for name in names[1:]:
        table = ordered[name].table
        if ordered[name].label_set != ordered[names[0]].label_set:
            raise DataError(
                f"{names[0]} has the labels of {ordered[names[0]].label_set}, {name} of {ordered[name].label_set}.",
                "Map both to one label set (--map).",
            )
        if set(table["image_id"]) != set(first["image_id"]):
            odd = sorted(set(table["image_id"]) ^ set(first["image_id"]))
            raise DataError(
                f"{names[0]} and {name} predict different images: {len(odd)} are in only one table, such as {odd[0]}.",
                "Predict the same part with both.",
            )
        if (table["dx"] != first["dx"]).any():
            odd_image = first.loc[table["dx"] != first["dx"], "image_id"].iloc[0]
            raise DataError(
                f"{names[0]} and {name} disagree on the true diagnosis of image {odd_image}.",
                "Predict again on one data set.",
            )
    return ordered


def _p(value: float, drawn: Array, lesions: Sequence[int]) -> float:
    """Two-sided p that goes with the interval: below 0.05 where that leaves 0 out."""
    return float(2 * t.sf(abs(value) / np.nanstd(drawn, ddof=1), freedom(lesions)))


def _difference(key: tuple[str, str, str], found: Estimate, p: float | None) -> Difference:
    return Difference(view=key[0], task=key[1], metric=key[2], difference=found, p=p)


def _delong(task: str, answer: str, first: Predictions, second: Predictions) -> Difference:
    question = task_of(first, task)
    k = question.classes.index(answer)
    positive = question.labels(first.labels) == k
    key = ("equal_prevalence", task, f"auc.{answer}")
    if positive.all() or not positive.any():
        return _difference(key, Estimate(value=None, note=f"all images or none show {answer}"), None)
    scores = [question.probabilities(view(p, key[0]).probabilities)[:, k] for p in (first, second)]
    value, error, p = delong_test(scores[0], scores[1], positive, first.groups)
    if not np.isfinite(p):
        note = "no interval: based on a single lesion of a class"
        return _difference(key, Estimate(value=value, note=note), None)
    reach = float(norm.ppf((1 + LEVEL) / 2)) * error
    return _difference(key, Estimate(value=value, low=value - reach, high=value + reach), p)


def _corrected(pairs: Sequence[Pair]) -> tuple[Pair, ...]:
    """Put Holm's p beside each p; a family is the same test of all pairs."""

    def correct(rows: Sequence[tuple[Difference, ...]]) -> list[tuple[Difference, ...]]:
        families = [holm([d.p for d in family]) for family in zip(*rows, strict=True)]
        return [
            tuple(d.model_copy(update={"p_holm": families[f][r]}) for f, d in enumerate(row))
            for r, row in enumerate(rows)
        ]

    differences, areas = correct([p.differences for p in pairs]), correct([p.delong for p in pairs])
    decisions = holm([p.mcnemar.p_mid for p in pairs])
    return tuple(
        pair.model_copy(update={"differences": d, "delong": a, "mcnemar_p_holm": m})
        for pair, d, a, m in zip(pairs, differences, areas, decisions, strict=True)
    )


def _warnings(models: Mapping[str, Predictions]) -> tuple[str, ...]:
    found = []
    leaky = [name for name, p in models.items() if p.meta.get("leaky")]
    if leaky:
        found.append(
            f"LEAKY: {', '.join(leaky)} saw images of these lesions in training; any advantage it has is meaningless."
        )
    if len({p.meta.get("split_sha256") for p in models.values()}) > 1:
        found.append("The models come from different splits: one may have seen images here that the other has not.")
    return tuple(found)
