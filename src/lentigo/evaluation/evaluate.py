"""Evaluate a run or a bundle, and leave predictions, metrics and a readable summary in a folder."""

import json
import os
from pathlib import Path

from lentigo import data
from lentigo.errors import DataError
from lentigo.evaluation.metrics import Metrics, measure
from lentigo.evaluation.predict import predict, predict_bundle_part, predict_part
from lentigo.evaluation.predictions import Predictions
from lentigo.evaluation.summary import summarise
from lentigo.runtime import Bundle
from lentigo.runtime.shipped import find_bundle

__all__ = ["evaluate"]


def evaluate(
    model: str | os.PathLike[str],
    *,
    root: str | os.PathLike[str] | None = None,
    own_test: bool = False,
    out: str | os.PathLike[str] | None = None,
    replicates: int = 1000,
    seed: int = 0,
) -> Metrics:
    """Measure a model on images that it has not learned from.

    Writes predictions.parquet, metrics.json and metrics.md.

    Args:
        model: folder of a run, which is measured on the test part of its split; or name or path of a bundle.
        root: the data set for a bundle; all of it, and refused if the bundle has seen any of it.
        own_test: for a bundle, take the test part of its own split of `root` instead.
        out: folder for what is written; without it the run's own folder, and nowhere for a bundle.
        replicates: bootstrap resamples behind the intervals.
        seed: seed of the resamples.

    Raises:
        DataError: no data set given for a bundle, or one that can't be read.
        LeakError: the bundle has seen some of the images.
    """
    is_run = Path(model).is_dir()
    predictions = _of_run(Path(model)) if is_run else _of_bundle(model, root, own_test)
    metrics = measure(predictions, replicates=replicates, seed=seed)
    folder = Path(out) if out else (Path(model) if is_run else None)
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        predictions.save(folder / "predictions.parquet")
        (folder / "metrics.json").write_text(metrics.to_json() + "\n", encoding="utf-8")
        (folder / "metrics.md").write_text(_page(predictions, metrics), encoding="utf-8")
    return metrics


def _of_run(path: Path) -> Predictions:
    from lentigo.training import load_run  # needs torch, which a bundle does not

    return predict_part(load_run(path), "test")


def _of_bundle(model: str | os.PathLike[str], root: str | os.PathLike[str] | None, own_test: bool) -> Predictions:
    if root is None:
        raise DataError(f"{model}: a bundle does not know where images lie.", "Name the data set with --data.")
    bundle, records = Bundle(find_bundle(model)), data.read(root)
    return predict_bundle_part(bundle, records) if own_test else predict(bundle, records)


def _page(predictions: Predictions, metrics: Metrics) -> str:
    """The summary under what it was measured on and with."""
    meta = predictions.meta
    origin = {
        k: meta[k] for k in ("model", "model_sha256", "data", "protocol", "fold", "seed", "split_sha256") if k in meta
    }
    return (
        f"# {meta['model']} on {meta['data']}\n\nWritten by `lentigo evaluate`.\n\n{summarise(metrics)}\n"
        f"Origin: `{json.dumps(origin)}`\n\nEnvironment: `{json.dumps(meta.get('environment', {}))}`\n"
    )
