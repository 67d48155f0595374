"""Whether a model serves some people, sites and cameras worse than others: the headline metrics of each group.

Every group is measured as a table of its own, with a bootstrap over its lesions, in the balanced-prior view. A
group that lacks a diagnosis averages over fewer of them, so that its averages are not compared with the others'.

>>> found = fairness(predictions, skin=skin_tones(records), replicates=200)
>>> print(found.factors["sex"].gaps["auc.mel"].difference)
0.042 (0.000 to 0.122)
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lentigo.evaluation.metrics.measure import estimates_of, replicate
from lentigo.evaluation.metrics.ranges import range_of
from lentigo.evaluation.metrics.scorer import Scorer
from lentigo.evaluation.predictions import Predictions
from lentigo.evaluation.provenance import FEW, Provenance
from lentigo.evaluation.result import Estimate, Result
from lentigo.evaluation.statistics.intervals import LEVEL, bootstrap
from lentigo.evaluation.subgroups.skin_tone import BANDS, LIMITS
from lentigo.evaluation.tasks import View, tasks_of, view
from lentigo.progress import track

__all__ = ["Factor", "Fairness", "Gap", "Group", "fairness", "groups_of"]

AVERAGES = ("balanced_accuracy", "auc.macro")
NOT_COMPARED = {
    "ece": "not compared: small groups have a larger error by chance alone; see each group's note",
    "majority_class_baseline": "not compared: it is the share of nevi, which no model changes",
}
MIX = "groups also differ in accuracy if their case mix differs"

AGES = (0, 30, 45, 60, 75)
"""Lower ends of the age bands, years."""
ABOUT = {
    "sex": "Sex as recorded.",
    "age": "Age as recorded, in bands; many sources round it to five years.",
    "site": "Body site as recorded.",
    "source": "The collection that the image comes from: camera, clinic and case mix combined.",
    "dx_type": "Diagnosis confirmation (histopathology, follow-up, consensus, confocal microscopy). A proxy for how "
    "difficult the lesion looked and how certain its label is, NOT a group of patients.",
    "skin_tone": f"Band of the individual typology angle of the skin around the lesion. {LIMITS}",
}


class Group(Result):
    """One group's metrics.

    Attributes:
        name: such as 'female'.
        images, lesions: how many.
        lesions_of: lesions of each diagnosis.
        values: metrics by name.
        note: what a reader must know of the group, such as the diagnoses that it lacks.
    """

    name: str
    images: int
    lesions: int
    lesions_of: dict[str, int]
    values: dict[str, Estimate]
    note: str


class Gap(Result):
    """The difference between the best and the worst group in one metric.

    Attributes:
        best, worst: their names; None where no two groups can be compared.
        difference: best less worst. Its interval allows for the choice among all compared groups, so that a lower end
            above 0 says that some groups do differ.
        compared: the groups that it is among.
    """

    best: str | None
    worst: str | None
    difference: Estimate
    compared: tuple[str, ...]


class Factor(Result):
    """What images are grouped by.

    Attributes:
        about: what the groups are, and what they are not.
        groups: in the order of their bands, or the largest first.
        unknown: images whose group isn't known; in no group.
        gaps: by metric.
    """

    about: str
    groups: tuple[Group, ...]
    unknown: int
    gaps: dict[str, Gap]


class Fairness(Result):
    """The metrics by group.

    Attributes:
        provenance: what was measured.
        replicates, seed, level: as in `Metrics`.
        factors: 'sex', 'age', 'site', 'source', 'dx_type', and 'skin_tone' where it was estimated.
    """

    provenance: Provenance
    replicates: int
    seed: int
    level: float
    factors: dict[str, Factor]


def fairness(
    predictions: Predictions, *, skin: pd.DataFrame | None = None, replicates: int = 1000, seed: int = 0
) -> Fairness:
    """Measure each group of each factor, and the gap between the best and the worst.

    Groups of fewer than 10 lesions are listed with their counts and without metrics.

    Args:
        predictions: what to measure; a factor that the table lacks has no groups and all images unknown.
        skin: what `skin_tones` returned for these images; without it there is no factor 'skin_tone'.
        replicates: bootstrap resamples for intervals of 95 %; 0 for none, and then no gaps either.
        seed: seed of the resamples.
    """
    seen = view(predictions, "equal_prevalence")
    columns = groups_of(predictions.table, skin)
    parts = [(factor, name) for factor, column in columns.items() for name in _names(column)]

    def one(task: tuple[int, tuple[str, str]]) -> Group:
        number, (factor, name) = task
        # Groups are independent samples: each has draws of its own.
        own_seed = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
        return _measure(predictions, seen, (columns[factor] == name).to_numpy(), name, replicates, own_seed)

    with ThreadPoolExecutor() as pool:
        found = list(track(pool.map(one, enumerate(parts)), "Measuring groups", len(parts)))
    what = Provenance.of(predictions)
    everywhere = {c for c, n in what.groups_of.items() if n}
    factors = {}
    for factor, column in columns.items():
        groups = tuple(g for g, (f, _) in zip(found, parts, strict=True) if f == factor)
        factors[factor] = Factor(
            about=_about(factor, skin),
            groups=groups,
            unknown=int(column.isna().sum()),
            gaps={metric: _gap(metric, groups, everywhere) for metric in _metrics(what)},
        )
    return Fairness(provenance=what, replicates=replicates, seed=seed, level=LEVEL, factors=factors)


def _metrics(what: Provenance) -> tuple[str, ...]:
    """The headline, and melanoma alone: its AUC, and what one decision for everyone finds and clears in each group."""
    return tuple(dict.fromkeys((*what.shown("headline"), *what.shown("group"))))


def groups_of(table: pd.DataFrame, skin: pd.DataFrame | None = None) -> dict[str, pd.Series]:
    """The group of each image by factor, missing where it isn't known."""
    known = table.reindex(columns=["sex", "age", "site", "source", "dx_type"])
    names = [f"{a} to {b - 1}" for a, b in pairwise(AGES)] + [f"{AGES[-1]} and over"]
    ages = pd.to_numeric(known["age"], errors="coerce").astype(float)
    found = {c: known[c].astype(object).mask(known[c].isin(["unknown", "", None])) for c in known if c != "age"}
    found["age"] = pd.cut(ages, [*AGES, np.inf], right=False, labels=names)
    if skin is not None:
        bands = skin.set_index("image_id")["band"].reindex(table["image_id"]).to_numpy()
        found["skin_tone"] = pd.Series(pd.Categorical(bands, BANDS), index=table.index)
    return {factor: found[factor] for factor in ABOUT if factor in found}


def _names(column: pd.Series) -> list[str]:
    """Groups that occur: bands in their order, others by size."""
    counts = column.value_counts()
    counts = counts[counts > 0]
    ordered = counts.reindex([c for c in column.cat.categories if c in counts.index]) if _banded(column) else counts
    return [str(name) for name in ordered.index]


def _banded(column: pd.Series) -> bool:
    return isinstance(column.dtype, pd.CategoricalDtype)


def _about(factor: str, skin: pd.DataFrame | None) -> str:
    if factor != "skin_tone" or skin is None:
        return ABOUT[factor]
    given = skin.loc[skin["ita"].notna(), "how"]
    from_masks, from_rings = (int((given == how).sum()) for how in ("mask", "border ring"))
    reasons = skin.loc[skin["ita"].isna(), "reason"].value_counts()
    failed = "".join(f", {n:,} without an estimate because {reason}" for reason, n in reasons.items())
    counts = f"Of {len(skin):,} images: {from_masks:,} by lesion mask, {from_rings:,} by border ring{failed}."
    return f"{ABOUT[factor]} {counts}"


def _measure(
    predictions: Predictions, seen: View, mask: NDArray[np.bool_], name: str, replicates: int, seed: int
) -> Group:
    labels, groups = predictions.labels[mask], predictions.groups[mask]
    lesions_of = {c: len(set(groups[labels == i])) for i, c in enumerate(predictions.label_set.classes)}
    count, metrics = len(set(groups)), _metrics(Provenance.of(predictions))
    if count < FEW:
        note = f"too few lesions to measure: {count}, fewer than {FEW}"
        values = {metric: Estimate(value=None, note=note) for metric in metrics}
    else:
        task = tasks_of(predictions)["diagnosis"]
        scorer = Scorer(View(seen.name, seen.probabilities[mask], seen.balanced), task, labels)
        key = (seen.name, task.name)
        drawn = bootstrap(partial(replicate, {key: scorer}), labels, groups, replicates, seed) or {}
        found = estimates_of(scorer, groups, drawn.get(key))
        values = {metric: found[metric] for metric in metrics}
        absent = [c for c, n in lesions_of.items() if n == 0]
        note = f"no {', '.join(absent)}: averages are over the other {len(lesions_of) - len(absent)}" if absent else ""
    return Group(name=name, images=len(labels), lesions=count, lesions_of=lesions_of, values=values, note=note)


def _gap(metric: str, groups: Sequence[Group], everywhere: set[str]) -> Gap:
    """Best less worst, among the groups that can be compared; the others are named."""

    def none(reason: str) -> Gap:
        return Gap(best=None, worst=None, difference=Estimate(value=None, note=reason), compared=())

    if (kind := metric.partition(".")[0]) in NOT_COMPARED:
        return none(NOT_COMPARED[kind])
    fit = [g for g in groups if g.values[metric].low is not None]
    if metric in AVERAGES:
        fit = [g for g in fit if {c for c, n in g.lesions_of.items() if n} == everywhere]
    out = [g.name for g in groups if g not in fit]
    because = "without an interval" + (" or without some of the diagnoses" if metric in AVERAGES else "")
    left_out = f"left out, {because}: {', '.join(out)}" if out else ""
    if len(fit) < 2:
        return none(f"fewer than two groups can be compared{'; ' if out else ''}{left_out}")
    ranked = sorted(fit, key=lambda g: g.values[metric].value or 0)
    difference = range_of([g.values[metric] for g in fit])
    notes = [note for note in (MIX if metric == "accuracy" else "", left_out) if note]
    return Gap(
        best=ranked[-1].name,
        worst=ranked[0].name,
        difference=difference.model_copy(update={"note": "; ".join(notes)}),
        compared=tuple(g.name for g in fit),
    )
