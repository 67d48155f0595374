"""A model meets a data set once and leaves a predictions table; images that it learned from are refused."""

import os
import platform
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax

from lentigo import data
from lentigo.data.overlaps import numbered_by_row
from lentigo.data.records import none_readable
from lentigo.errors import DataError, ImageError, LeakError
from lentigo.evaluation.calibration.temperature import calibrate
from lentigo.evaluation.leaks import listed
from lentigo.evaluation.overlap import refuse_overlap
from lentigo.evaluation.predictions import Predictions, probability_columns
from lentigo.progress import track
from lentigo.runtime import Bundle, Outputs, Predictor
from lentigo.runtime.clinical import encode

if TYPE_CHECKING:
    from lentigo.training import Run

__all__ = ["own_part", "predict", "predict_files", "predict_own_part", "predict_part", "refuse_seen"]

Part = Literal["validation", "test"]
LATENCY_IMAGES = 20


def predict_part(run: "Run", part: Part = "test") -> Predictions:
    """Predict the validation or test part of a run's split, from the pixels that the run was trained on.

    Raises:
        RunError: the training has not finished.
        DataError: no such part, or no image of it can be read.
    """
    if part not in ("validation", "test"):
        raise DataError(f"The part {part!r} is not for evaluation.", "Use validation or test.")
    records, logits = run.logits_of(run.split.part(part))
    records = run.labelled(records)
    meta = {
        "model": run.model,
        "protocol": run.split.protocol,
        "leaky": run.split.leaky,
        "fold": run.split.fold,
        "split_sha256": run.split.hash,
        "seed": run.recipe.seed,
        "part": part,
        "training_prevalence": list(run.class_prior),
        "temperature": calibrate(run).temperature,
        "environment": dict(run.environment),
    }
    groups = run.split.manifest.set_index("image_id")["group"].loc[records.ids].to_numpy()
    table = _table(records, softmax(logits / calibrate(run).temperature, axis=1)).assign(group=groups)
    return Predictions(table, {**_meta(records), **meta})


def predict(model: Predictor, records: data.Records) -> Predictions:
    """Run a model over a data set, from the files as they are. Unreadable images are left out and named in `meta`.

    The protocol is 'external' and the part 'all': the images belong to no split of the model's. `meta` says what the
    model was trained on, and how the images were checked against it.

    Raises:
        LeakError: the model was trained, or its thresholds were chosen, on some of these images or lesions; the
            message lists the first and says which sources of the data are free of them. Or the images are known, or
            look, to be such ones under other ids.
        DataError: other labels than the model's, or no image can be read.
    """
    _refuse_other_labels(model, records)  # before hours of predicting what has no truth
    renamed = refuse_seen(model, records)
    origin = model.origin
    knows_lesions = bool((records.table["lesion_id"] != records.table["image_id"]).any())
    meta = {
        "protocol": "external",
        "leaky": False,
        "part": "all",
        "trained_on": {"data": origin.data, **{k: origin.split[k] for k in ("protocol", "fold", "sha256")}},
        "overlap": f"none of these {len(records):,} images{' or their lesions' if knows_lesions else ''} bears an id "
        f"that {model.name} learned from or was tuned on; {renamed}",
        "knows_lesions": knows_lesions,
    }
    return predict_files(model, records, meta)


def refuse_seen(model: Predictor, records: data.Records) -> str:
    """Refuse images that a model has seen; returns how images under other ids were compared, in words.

    Raises:
        LeakError: as in `predict`.
    """
    table, origin = records.table, model.origin
    seen = origin.seen(records.ids) | origin.seen(table["lesion_id"])
    if seen.any():
        free = sorted(set(table["source"].dropna()) - set(table.loc[seen, "source"].dropna()))
        take = f", or a source that it has not seen (--source {' or '.join(free)})" if free else ""
        raise LeakError(
            f"{model.name} has seen {int(seen.sum())} of these {len(records)} images or their lesions: "
            f"{listed(records.ids[seen].tolist())}.",
            f"Use its own test part (--own-test){take}, or other data.",
        )
    # Of rows without ids an equal number proves nothing.
    comparable = not numbered_by_row(records) and bool(origin.test.contains(records.ids).any())
    return refuse_overlap(model.name, origin.data, origin.pictures, records, comparable=comparable)


def predict_own_part(
    model: Predictor, records: data.Records, part: Part = "test", *, only: Sequence[str] | None = None
) -> Predictions:
    """Run a model over its own validation or test part of the data set that it was trained on, see `own_part`.

    Args:
        model: what predicts.
        records: the whole data set.
        part: 'validation' or 'test'.
        only: ids of the images of the part to take; without them all.

    Raises:
        DataError: other labels than the model's, images of the part that are not among the records, or an id is not
            of the part.
    """
    _refuse_other_labels(model, records)
    described = model.origin.split
    meta = {
        "protocol": described["protocol"],
        "leaky": described["leaky"],
        "fold": described["fold"],
        "split_sha256": described["sha256"],
        "part": part,
    }
    chosen, groups = _own_part(model, records, part)
    return predict_files(model, chosen if only is None else chosen.take(only), meta, groups=groups)


def own_part(model: Predictor, records: data.Records, part: Part = "test") -> data.Records:
    """The validation or test part of the split that a model was trained on, by the ids that it carries.

    Where it carries none, as bundles of format 1, or where the protocol copies images, the split is made again and
    must have the hash that the model carries.

    Raises:
        DataError: images of the part are not among the records, nor among their problems, or the split can't be made
            again.
    """
    return _own_part(model, records, part)[0]


def _own_part(model: Predictor, records: data.Records, part: Part) -> tuple[data.Records, pd.Series]:
    """The part, and the group of each image by id: a copied image has its id in the split alone."""
    origin = model.origin
    members = origin.test if part == "test" else origin.validation
    declared = origin.split.get("images", {}).get(part)
    found = records.ids[members.contains(records.ids)]
    left_out = [Path(p.file).stem for p in records.problems if p.severity == "dropped"]
    absent = None if declared is None else declared - len(found) - int(members.contains(sorted(set(left_out))).sum())
    if len(members) and absent is not None and absent <= 0:
        return records.take(found), pd.Series(data.find_groups(records), index=records.ids)
    try:
        split = _remade_split(model, records)
        return split.part(part), split.manifest.set_index("image_id")["group"]
    except DataError as error:
        if not len(members):
            raise
        raise DataError(
            f"{records.root}: {absent} of the {declared} images of the {part} part of {model.name} are not among these "
            f"{len(records)}.",
            f"Use exactly the data set that it was trained on ({origin.data}).",
        ) from error


def _remade_split(model: Predictor, records: data.Records) -> data.Split:
    described = model.origin.split
    split = data.split(
        records, described["protocol"], fold=described["fold"], folds=described["folds"], seed=described["seed"]
    )
    if split.hash != described["sha256"]:
        raise DataError(
            f"{records.root}: the split of {model.name} can't be reproduced from these {len(records)} images "
            f"(hash {split.hash[:12]}, expected {described['sha256'][:12]}).",
            "Use exactly the data set that it was trained on.",
        )
    return split


def _clinical(model: Predictor, records: data.Records) -> dict[str, NDArray]:
    """What the records know of each image's patient, [N] for each input of a model that takes any."""
    inputs = model.metadata.inputs if isinstance(model, Bundle) else ()
    named = [one.name for one in inputs if one.name in records.table.columns]
    return encode(inputs, records.table[named].to_dict("records"), str(records.root)) if inputs else {}


def _refuse_other_labels(model: Predictor, records: data.Records) -> None:
    if model.labels != records.label_set:
        raise DataError(
            f"{records.name} has the labels of {records.label_set}, {model.name} distinguishes {model.labels}.",
            "State a mapping: --map, or evaluation.meet.",
        )


def predict_files(
    model: Predictor, records: data.Records, origin: dict[str, Any], *, groups: pd.Series | None = None
) -> Predictions:
    """Run a model over files as they are, several at a time.

    Args:
        model: what predicts.
        records: the images.
        origin: entries of `Predictions.meta` that say which images these are.
        groups: what to resample by, by image id; without it the groups among these records.

    Raises:
        DataError: no image can be read.
    """

    known = _clinical(model, records)

    def one(path: str, row: int) -> Outputs | ImageError:
        try:
            return model.predict(records.decode(path)[None], **{name: v[row : row + 1] for name, v in known.items()})
        except ImageError as error:
            return error

    with ThreadPoolExecutor() as pool:
        found = list(
            track(
                pool.map(one, records.table["path"], range(len(records))), f"Predicting with {model.name}", len(records)
            )
        )
    good = np.array([not isinstance(result, ImageError) for result in found])
    results: list[Outputs] = [r for r in found if not isinstance(r, ImageError)]
    if not results:
        raise none_readable(records, found[0])
    kept = records.take(records.ids[good])
    order = model.labels.index(records.label_set.classes)
    table = _table(kept, np.concatenate([o.probabilities for o in results])[:, order])
    if groups is None:
        groups = pd.Series(data.find_groups(records), index=records.ids)
    table = table.assign(group=groups.loc[kept.ids].to_numpy())
    scores = [o.ood_score for o in results if o.ood_score is not None]
    if len(scores) == len(results):
        table = table.assign(ood_score=np.concatenate(scores))
    meta = {
        "model": model.name,
        "model_sha256": model.sha256,
        **origin,
        "training_prevalence": [model.origin.training_prevalence[i] for i in order],
        "temperature": model.origin.temperature,
        "latency_ms": _latency(model, kept),
        "environment": _environment(),
        "unreadable": [str(r) for r in found if isinstance(r, ImageError)],
    }
    return Predictions(table, {**_meta(kept), **meta})


def _latency(model: Predictor, records: data.Records) -> float:
    """Median milliseconds for one decoded image, one after the other while nothing else runs here, after a warm-up."""
    images = [records.decode(path)[None] for path in records.table["path"][:LATENCY_IMAGES]]
    model.predict(images[0])
    times = []
    for image in images:
        start = time.perf_counter()
        model.predict(image)
        times.append((time.perf_counter() - start) * 1000)
    return float(np.median(times))


def _table(records: data.Records, probabilities: NDArray) -> pd.DataFrame:
    known = records.table[["image_id", "lesion_id", "dx", "dx_type", "age", "sex", "site", "source"]]
    known = known.assign(dx=[records.label_set.classes[label] for label in records.labels])
    # Written as numbers of 8 bytes that sum to one, whatever precision they were computed in.
    values = probabilities.astype(np.float64)
    values /= values.sum(axis=1, keepdims=True)
    return pd.concat([known, pd.DataFrame(values, columns=probability_columns(records.label_set))], axis=1)


def _meta(records: data.Records) -> dict[str, Any]:
    dropped = Counter(p.kind for p in records.problems if p.severity == "dropped")
    return {
        "label_set": records.label_set.to_dict(),
        "data": records.name,
        "root": Path(records.root).name,
        "dropped": dict(dropped),
    }


def _environment() -> dict[str, str]:
    """Versions and machine of a prediction with ONNX Runtime alone."""
    versions = {name: version(name) for name in ("lentigo", "onnxruntime", "numpy", "pillow")}
    return {
        **versions,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} CPU cores",
    }
