"""How far a model's answers hold when images get worse: each perturbation in five strengths, on the same images.

>>> found = robustness(model, records, own_test=True, limit=140)
>>> [round(point.balanced_accuracy.value, 3) for point in found.curves["blur"].points]
[0.593, 0.579, 0.586, 0.55, 0.443]
"""

import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lentigo import data
from lentigo.atomic import replacing
from lentigo.data.content import content_marks
from lentigo.errors import DataError
from lentigo.evaluation.basis import Lesions, undefined
from lentigo.evaluation.metrics.confusion import Decisions, balanced_accuracy, confusion_matrices
from lentigo.evaluation.metrics.ranking import ThresholdCurve, auc
from lentigo.evaluation.metrics.scorer import Scorer
from lentigo.evaluation.predict import own_part, predict, predict_own_part
from lentigo.evaluation.predictions import Predictions
from lentigo.evaluation.provenance import Provenance
from lentigo.evaluation.result import Estimate, Result
from lentigo.evaluation.robustness.perturb import PERTURBATIONS
from lentigo.evaluation.statistics.estimates import estimate
from lentigo.evaluation.statistics.intervals import LEVEL, bootstrap
from lentigo.evaluation.tasks import tasks_of, view
from lentigo.labels import LabelSet
from lentigo.progress import track
from lentigo.runtime import Predictor

__all__ = ["Curve", "Point", "Robustness", "robustness"]

Array = NDArray[np.float64]
KEEP_EVERY = 25
"""Images after which what is done is cached on disk."""


class Point(Result):
    """What is left at one strength.

    Attributes:
        strength: in the unit of its curve; 0 for images as they are.
        images: how many.
        balanced_accuracy, auc_melanoma: at the balanced prior.
        balanced_accuracy_change, auc_melanoma_change: less that of the same images as they are, with paired intervals.
    """

    strength: float
    images: int
    balanced_accuracy: Estimate
    auc_melanoma: Estimate
    balanced_accuracy_change: Estimate
    auc_melanoma_change: Estimate


class Curve(Result):
    """One perturbation.

    Attributes:
        unit: what a strength measures.
        points: five, ascending in harm.
    """

    unit: str
    points: tuple[Point, ...]


class Robustness(Result):
    """A model's answers on worse images.

    Attributes:
        provenance: what was measured: the chosen images as they are.
        available: images that could be chosen from.
        replicates, seed, level: as in `Metrics`; the seed also of the choice and of the perturbations.
        intact: the images as they are.
        curves: by the names of `perturb.PERTURBATIONS`.
    """

    provenance: Provenance
    available: int
    replicates: int
    seed: int
    level: float
    intact: Point
    curves: dict[str, Curve]


def robustness(
    model: Predictor,
    records: data.Records,
    *,
    own_test: bool = False,
    limit: int | None = 500,
    replicates: int = 1000,
    seed: int = 0,
    partial: Path | None = None,
) -> Robustness:
    """Run a model on images as they are and perturbed in full resolution: 41 times each.

    Args:
        model: what predicts: a bundle, a run, an ensemble.
        records: images that it has not learned from.
        own_test: take the test part of its own split of `records`, which are then the whole data set.
        limit: how many images to take, as evenly over the diagnoses as there are, and first one of each lesion; None
            for all. The numbers are then for that mix: compare them with `intact`, not with those of all images.
        replicates: bootstrap resamples for intervals of 95 %; 0 for none.
        seed: the same gives the same images, perturbations and resamples.
        partial: a file that keeps what is done every few images, so that a second call goes on after an interruption.

    Raises:
        LeakError: the model has seen some of the images.
        DataError: no image, a limit below 1, no image can be read, or a split that can't be made again.
        MissingExtraError: torch, which draws hair, is not installed.
    """
    pool = own_part(model, records) if own_test else records
    chosen = pool if limit is None else _choose(pool, limit, seed)
    predictions = predict_own_part(model, records, only=chosen.ids.tolist()) if own_test else predict(model, chosen)
    readable = chosen.take(predictions.table["image_id"])
    scores = {("intact", 0.0): predictions.probabilities} | _perturbed(model, readable, seed, partial)
    points = _points(predictions, scores, replicates, seed)
    return Robustness(
        provenance=Provenance.of(predictions),
        available=len(pool),
        replicates=replicates,
        seed=seed,
        level=LEVEL,
        intact=points["intact", 0.0],
        curves={
            name: Curve(unit=p.unit, points=tuple(points[name, strength] for strength in p.strengths))
            for name, p in PERTURBATIONS.items()
        },
    )


def _choose(records: data.Records, limit: int, seed: int) -> data.Records:
    """Fill up the diagnoses evenly, from shuffled images, first ones of their lesions first."""
    if limit < 1 or len(records) == 0:
        raise DataError(f"Can't choose {limit} of {len(records)} images.", "Give a limit of 1 or more, and images.")
    table = records.table[["image_id", "lesion_id"]].assign(label=records.labels)
    table = table.iloc[np.random.default_rng(seed).permutation(len(records))]
    table = table.assign(turn=table.groupby("lesion_id").cumcount()).sort_values("turn", kind="stable")
    table = table.assign(place=table.groupby("label").cumcount()).sort_values("place", kind="stable")
    kept = set(table["image_id"].head(limit))
    return records.take([i for i in records.ids if i in kept])


def _perturbed(
    model: Predictor, records: data.Records, seed: int, partial: Path | None
) -> dict[tuple[str, float], Array]:
    """Probabilities [N, K] by perturbation and strength."""
    settings = [(name, strength) for name, p in PERTURBATIONS.items() for strength in p.strengths]
    key = json.dumps([model.sha256, seed, settings])
    done = _load(partial, key)
    order = model.labels.index(records.label_set.classes)

    def one(asked: tuple[str, tuple[str, str]]) -> Array:
        _, (image_id, path) = asked
        image = records.decode(path)
        return np.stack(
            [model.predict(changed[None]).probabilities[0, order] for changed in _changes(image, image_id, seed)]
        )

    marks = content_marks(records)  # an image that changed since, or another one of its name, is not done
    rows = zip(records.ids, records.table["path"], strict=True)
    todo = [(mark, row) for mark, row in zip(marks, rows, strict=True) if mark not in done]
    with ThreadPoolExecutor() as pool:
        for count, found in enumerate(track(pool.map(one, todo), "Perturbing", len(todo)), start=1):
            done[todo[count - 1][0]] = found
            if count % KEEP_EVERY == 0:
                _keep(partial, key, done)
    _keep(partial, key, done)
    found = np.stack([done[mark] for mark in marks]).astype(np.float64)
    found /= found.sum(axis=2, keepdims=True)
    return {setting: found[:, k] for k, setting in enumerate(settings)}


def _load(partial: Path | None, key: str) -> dict[str, Array]:
    """What an interrupted call with the same model, seed and perturbations has done, by the mark of an image."""
    if partial is None or not partial.exists():
        return {}
    try:
        with np.load(partial) as kept:
            return dict(zip(kept["marks"].tolist(), kept["found"], strict=True)) if str(kept["key"]) == key else {}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return {}  # damaged: it is made again


def _keep(partial: Path | None, key: str, done: Mapping[str, Array]) -> None:
    if partial is not None and done:
        with replacing(partial) as unfinished, unfinished.open("wb") as file:
            np.savez(file, key=np.array(key), marks=np.array(list(done)), found=np.stack(list(done.values())))


def _changes(image: NDArray[np.uint8], image_id: str, seed: int) -> Iterator[NDArray[np.uint8]]:
    """The image under every perturbation and strength; its random draws are its own, regardless of the other images."""
    for name, perturbation in PERTURBATIONS.items():
        for strength in perturbation.strengths:
            rng = np.random.default_rng([seed, zlib.crc32(f"{name} {image_id}".encode())])
            yield perturbation.apply(image, strength, rng)


def _points(
    predictions: Predictions, scores: Mapping[tuple[str, float], Array], replicates: int, seed: int
) -> dict[tuple[str, float], Point]:
    """The same resamples for all, so that changes are paired."""
    labels, label_set = predictions.labels, predictions.label_set
    scorer = Scorer(view(predictions, "equal_prevalence"), tasks_of(predictions)["diagnosis"], labels)
    basis = Lesions(scorer, predictions.groups)
    metrics = {"balanced_accuracy": "balanced_accuracy", "auc_melanoma": f"auc.{label_set.melanoma}"}
    lesions = {name: basis.behind(metric) for name, metric in metrics.items()}
    reasons = {name: undefined(metric, scorer) for name, metric in metrics.items()}
    if label_set.melanoma is None:
        reasons["auc_melanoma"] = f"{label_set.name} has no melanoma"
    values = {key: partial(_values, p, labels, label_set) for key, p in scores.items()}
    plain = {key: of(np.ones((1, len(labels)))) for key, of in values.items()}
    drawn = {key: bootstrap(of, labels, predictions.groups, replicates, seed) for key, of in values.items()}
    intact_plain, intact_drawn = plain["intact", 0.0], drawn["intact", 0.0]

    def level(key: tuple[str, float], name: str) -> Estimate:
        found = drawn[key]
        resampled = None if found is None else found[name]
        return estimate(plain[key][name][0], resampled, lesions[name], undefined=reasons[name])

    def change(key: tuple[str, float], name: str) -> Estimate:
        found = drawn[key]
        resampled = None if found is None or intact_drawn is None else found[name] - intact_drawn[name]
        value = plain[key][name][0] - intact_plain[name][0]
        return estimate(value, resampled, lesions[name], scale="difference", undefined=reasons[name])

    return {
        key: Point(
            strength=key[1],
            images=len(labels),
            balanced_accuracy=level(key, "balanced_accuracy"),
            auc_melanoma=level(key, "auc_melanoma"),
            balanced_accuracy_change=change(key, "balanced_accuracy"),
            auc_melanoma_change=change(key, "auc_melanoma"),
        )
        for key in scores
    }


def _values(probabilities: Array, labels: NDArray[np.int64], label_set: LabelSet, weights: Array) -> dict[str, Array]:
    """Balanced accuracy and melanoma's AUC [B] under weightings [B, N]; NaN where there is no melanoma."""
    classes = label_set.classes
    decided = Decisions(confusion_matrices(labels, probabilities.argmax(axis=1), weights, len(classes)))
    found = {"balanced_accuracy": balanced_accuracy(decided)}
    if label_set.melanoma is None:
        return found | {"auc_melanoma": np.full(len(weights), np.nan)}
    k = classes.index(label_set.melanoma)
    curve = ThresholdCurve.of(probabilities[:, k], labels == k)
    return found | {"auc_melanoma": auc(*curve.counts(weights))}
