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
from lentigo.errors import DataError, ImageError, LeakError
from lentigo.evaluation.calibration.temperature import calibrate
from lentigo.evaluation.leaks import listed
from lentigo.evaluation.predictions import Predictions, probability_columns
from lentigo.labels import HAM10000
from lentigo.progress import track
from lentigo.runtime import Bundle, Outputs

if TYPE_CHECKING:
    from lentigo.training import Run

__all__ = ["bundle_split", "predict", "predict_bundle_part", "predict_part"]

Part = Literal["validation", "test"]


def predict_part(run: "Run", part: Part = "test") -> Predictions:
    """Predict the validation or test part of a run's split, from the pixels that the run was trained on.

    Raises:
        RunError: the training has not finished.
        DataError: no such part, or no image of it can be read.
    """
    if part not in ("validation", "test"):
        raise DataError(f"There is no reason to predict the part {part!r}.", "Take validation or test.")
    records, logits = run.logits_of(run.split.part(part))
    records = run.labelled(records)
    meta = {
        "model": run.model,
        "protocol": run.split.protocol,
        "leaky": run.split.leaky,
        "fold": run.split.fold,
        "split_sha256": run.split_sha256,
        "seed": run.recipe.seed,
        "part": part,
        "training_prevalence": list(run.class_prior),
        "temperature": calibrate(run).temperature,
        "environment": dict(run.environment),
    }
    table = _with_groups(_table(records, softmax(logits / calibrate(run).temperature, axis=1)), run.split)
    return Predictions(table, {**_meta(records), **meta})


def predict(bundle: Bundle, records: data.Records) -> Predictions:
    """Run a bundle over a data set, from the files as they are. Unreadable images are left out and named in `meta`.

    The protocol is 'external' and the part 'all': the images belong to no split of the bundle's. `meta` says what the
    bundle was trained on, and how the images were checked against it.

    Raises:
        LeakError: the bundle was trained, or its thresholds were chosen, on some of these images or lesions; the
            message lists the first and says which sources of the data are free of them.
        DataError: other labels than the bundle's, or no image can be read.
    """
    if records.label_set != HAM10000:  # before hours of predicting what has no truth
        raise DataError(f"{records.name} has the labels of {records.label_set}, {bundle.path.name} {HAM10000}.")
    table = records.table
    seen = bundle.seen(records.ids) | bundle.seen(table["lesion_id"])
    if seen.any():
        free = sorted(set(table["source"].dropna()) - set(table.loc[seen, "source"].dropna()))
        take = f", or one of the sources that it has seen nothing of (--source {' or '.join(free)})" if free else ""
        raise LeakError(
            f"{bundle.metadata.name} has seen {int(seen.sum())} of these {len(records)} images or their lesions: "
            f"{listed(records.ids[seen].tolist())}.",
            f"Take its own test part (--own-test){take}, or other data.",
        )
    split = bundle.metadata.split
    knows_lesions = bool((table["lesion_id"] != table["image_id"]).any())
    meta = {
        "protocol": "external",
        "leaky": False,
        "part": "all",
        "trained_on": {"data": bundle.metadata.source, **{k: split[k] for k in ("protocol", "fold", "sha256")}},
        "overlap": f"none of these {len(records):,} images{' or their lesions' if knows_lesions else ''} bears an id "
        f"that {bundle.metadata.name} learned from or was tuned on",
        "knows_lesions": knows_lesions,
    }
    predictions = _predict_files(bundle, records, meta)
    groups = pd.Series(data.find_groups(records), index=records.ids)
    return Predictions(
        predictions.table.assign(group=groups.loc[predictions.table["image_id"]].to_numpy()), predictions.meta
    )


def predict_bundle_part(
    bundle: Bundle, records: data.Records, part: Part = "test", *, only: Sequence[str] | None = None
) -> Predictions:
    """Run a bundle over its own validation or test part of the data set that it was trained on.

    The split is made anew from the records and must have the hash that the bundle carries.

    Args:
        bundle: the model.
        records: the whole data set.
        part: 'validation' or 'test'.
        only: ids of the images of the part to take; without them all.

    Raises:
        DataError: the split can't be made again from these records, or an id is not of the part.
    """
    split, described = bundle_split(bundle, records), bundle.metadata.split
    meta = {
        "protocol": described["protocol"],
        "leaky": described["leaky"],
        "fold": described["fold"],
        "split_sha256": described["sha256"],
        "part": part,
    }
    chosen = split.part(part)
    predictions = _predict_files(bundle, chosen if only is None else chosen.take(only), meta)
    return Predictions(_with_groups(predictions.table, split), predictions.meta)


def bundle_split(bundle: Bundle, records: data.Records) -> data.Split:
    """The split that a bundle was trained on, made again from the same data set.

    Raises:
        DataError: it can't be made again from these records.
    """
    described = bundle.metadata.split
    split = data.split(records, described["protocol"], fold=described["fold"], seed=described["seed"])
    if split.hash != described["sha256"]:
        raise DataError(
            f"{records.root}: the split of {bundle.metadata.name} can't be made again from these {len(records)} images "
            f"(hash {split.hash[:12]}, wanted {described['sha256'][:12]}).",
            "Give the very data set that it was trained on.",
        )
    return split


def _predict_files(bundle: Bundle, records: data.Records, origin: dict[str, Any]) -> Predictions:
    def one(path: str) -> tuple[Outputs, float] | ImageError:
        try:
            image = records.decode(path)
        except ImageError as error:
            return error
        start = time.perf_counter()
        outputs = bundle.run(image[None])
        return outputs, (time.perf_counter() - start) * 1000

    with ThreadPoolExecutor() as pool:
        found = list(track(pool.map(one, records.table["path"]), "Predicting", len(records)))
    good = [not isinstance(result, ImageError) for result in found]
    results: list[Any] = [r for r in found if not isinstance(r, ImageError)]
    if not results:
        raise DataError(f"{records.root}: none of {len(records)} images can be read; the first: {found[0]}.")
    kept = records.take(records.ids[np.array(good)])
    table = _table(kept, np.concatenate([o.probabilities for o, _ in results])).assign(
        ood_score=np.concatenate([o.ood_score for o, _ in results]), latency_ms=[ms for _, ms in results]
    )
    described = bundle.metadata
    meta = {
        "model": described.name,
        "model_sha256": bundle.sha256,
        **origin,
        "training_prevalence": list(described.training_prevalence),
        "temperature": described.temperature,
        "environment": _environment(),
        "unreadable": [str(r) for r in found if isinstance(r, ImageError)],
    }
    return Predictions(table, {**_meta(kept), **meta})


def _table(records: data.Records, probabilities: NDArray) -> pd.DataFrame:
    known = records.table[["image_id", "lesion_id", "dx", "dx_type", "age", "sex", "site", "source"]]
    known = known.assign(dx=[records.label_set.classes[label] for label in records.labels])
    # Written as numbers of 8 bytes that sum to one, whatever precision they were computed in.
    values = probabilities.astype(np.float64)
    values /= values.sum(axis=1, keepdims=True)
    return pd.concat([known, pd.DataFrame(values, columns=probability_columns(records.label_set))], axis=1)


def _with_groups(table: pd.DataFrame, split: data.Split) -> pd.DataFrame:
    """Add the split's groups, by which intervals resample: known duplicates under two lesion ids are one."""
    groups = split.manifest.set_index("image_id")["group"]
    return table.assign(group=groups.loc[table["image_id"]].to_numpy())


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
