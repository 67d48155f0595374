"""A model meets a data set once and leaves a predictions table; images that it learned from are refused."""

import os
import platform
import time
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
from lentigo.evaluation.calibrate import calibrate
from lentigo.evaluation.predictions import PROBABILITIES, Predictions
from lentigo.progress import track
from lentigo.runtime import Bundle, Outputs, decode

if TYPE_CHECKING:
    from lentigo.training import Run

__all__ = ["predict", "predict_part"]

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
    meta = {
        "model": run.model,
        "protocol": run.split.protocol,
        "leaky": run.split.leaky,
        "fold": run.split.fold,
        "split_sha256": run.split_sha256,
        "seed": run.recipe.seed,
        "part": part,
        "training_prevalence": list(run.prior),
        "temperature": calibrate(run).temperature,
        "environment": dict(run.environment),
    }
    table = _with_groups(_table(records, softmax(logits / calibrate(run).temperature, axis=1)), run.split)
    return Predictions(table, {**_meta(records), **meta})


def predict(bundle: Bundle, records: data.Records) -> Predictions:
    """Run a bundle over a data set, from the files as they are. Unreadable images are left out and named in `meta`.

    Raises:
        LeakError: the bundle was trained, or its thresholds were chosen, on some of these images or lesions.
        DataError: no image can be read.
    """
    seen = bundle.seen(records.ids) | bundle.seen(records.table["lesion_id"])
    if seen.any():
        raise LeakError(
            f"{bundle.metadata.name} has seen {int(seen.sum())} of these {len(records)} images or their lesions, "
            f"{records.ids[np.argmax(seen)]} among them.",
            "Evaluate it on its own test part (--part test), or on other data.",
        )
    return _predict_files(bundle, records)


def predict_bundle_part(bundle: Bundle, records: data.Records) -> Predictions:
    """Run a bundle over its own test part of the data set that it was trained on.

    The split is made anew from the records and must have the hash that the bundle carries.

    Raises:
        DataError: the split can't be made again from these records.
    """
    described = bundle.metadata.split
    split = data.split(records, described["protocol"], fold=described["fold"], seed=described["seed"])
    if split.hash != described["sha256"]:
        raise DataError(
            f"{records.root}: the split of {bundle.metadata.name} can't be made again from these {len(records)} images "
            f"(hash {split.hash[:12]}, wanted {described['sha256'][:12]}).",
            "Give the very data set that it was trained on.",
        )
    predictions = _predict_files(bundle, split.test)
    return Predictions(_with_groups(predictions.table, split), predictions.meta)


def _predict_files(bundle: Bundle, records: data.Records) -> Predictions:
    def one(path: str) -> tuple[Outputs, float] | ImageError:
        try:
            row = None if records.pixels is None else records.pixels[int(path.rpartition("#")[2])]
            image = decode(path if row is None else row)
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
        oddness=np.concatenate([o.oddness for o, _ in results]), latency_ms=[ms for _, ms in results]
    )
    described = bundle.metadata
    meta = {
        "model": described.name,
        "model_sha256": bundle.sha256,
        "protocol": described.split["protocol"],
        "leaky": described.split["leaky"],
        "fold": described.split["fold"],
        "split_sha256": described.split["sha256"],
        "part": "test",
        "training_prevalence": list(described.training_prevalence),
        "temperature": described.temperature,
        "environment": _environment(),
        "unreadable": [str(r) for r in found if isinstance(r, ImageError)],
    }
    return Predictions(table, {**_meta(kept), **meta})


def _table(records: data.Records, probabilities: NDArray) -> pd.DataFrame:
    known = records.table[["image_id", "lesion_id", "dx", "dx_type", "age", "sex", "site", "source"]]
    # Written as numbers of 8 bytes that sum to one, whatever precision they were computed in.
    values = probabilities.astype(np.float64)
    values /= values.sum(axis=1, keepdims=True)
    return pd.concat([known, pd.DataFrame(values, columns=list(PROBABILITIES))], axis=1)


def _with_groups(table: pd.DataFrame, split: data.Split) -> pd.DataFrame:
    """Add the split's groups, by which intervals resample: known duplicates under two lesion ids are one."""
    groups = split.manifest.set_index("image_id")["group"]
    return table.assign(group=groups.loc[table["image_id"]].to_numpy())


def _meta(records: data.Records) -> dict[str, Any]:
    return {"data": records.name, "root": Path(records.root).name}


def _environment() -> dict[str, str]:
    """Versions and machine of a prediction with ONNX Runtime alone."""
    versions = {name: version(name) for name in ("lentigo", "onnxruntime", "numpy", "pillow")}
    return {
        **versions,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} CPU cores",
    }
