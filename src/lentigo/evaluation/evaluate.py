"""Evaluate a run or a bundle, and leave in a folder all that a report of it needs."""

import json
import os
from pathlib import Path
from typing import NamedTuple

from lentigo import data
from lentigo.atomic import replacing, write_text
from lentigo.errors import DataError
from lentigo.evaluation.metrics.measure import Metrics, measure
from lentigo.evaluation.metrics.pages import describe_fairness, describe_robustness
from lentigo.evaluation.metrics.summary import summarise
from lentigo.evaluation.predict import predict, predict_bundle_part, predict_part
from lentigo.evaluation.predictions import Predictions
from lentigo.evaluation.robustness.curves import robustness as measure_robustness
from lentigo.evaluation.subgroups.fairness import fairness
from lentigo.evaluation.subgroups.skin_tone import skin_tones
from lentigo.runtime import Bundle
from lentigo.runtime.shipped import find_bundle

__all__ = ["evaluate"]

PathLike = str | os.PathLike[str]


class _Predicted(NamedTuple):
    """What is measured, on which data set, and the validation part of the same split where there is one."""

    records: data.Records
    test: Predictions
    validation: Predictions | None


def evaluate(
    model: PathLike,
    *,
    root: PathLike | None = None,
    own_test: bool = False,
    source: str | None = None,
    out: PathLike | None = None,
    robustness: bool = False,
    limit: int = 500,
    skin_tone: bool = False,
    replicates: int = 1000,
    seed: int = 0,
) -> Metrics:
    """Measure a model on images that it has not learned from.

    Writes predictions.parquet, and metrics and fairness as .json and .md; validation.parquet, predictions of the
    validation part, where the model's own split gives one; and robustness as .json and .md where asked for, which can
    be interrupted and goes on where it stopped.

    Args:
        model: folder of a run, which is measured on the test part of its split; or name or path of a bundle.
        root: the data set for a bundle; all of it, and refused if the bundle has seen any of it.
        own_test: for a bundle, take the test part of its own split of `root` instead.
        source: take only the images of this source of `root`, such as 'test' of an ISIC challenge.
        out: folder for what is written; without it the run's own folder, and nowhere for a bundle.
        robustness: whether to measure a bundle on worse images too, 41 times each.
        limit: how many images to take for that, as evenly over the diagnoses as there are.
        skin_tone: whether to estimate each image's skin tone, for fairness; see the limits in `skin_tone`.
        replicates: bootstrap resamples behind the intervals.
        seed: seed of the resamples.

    Raises:
        DataError: no data set given for a bundle, one that can't be read, no such source, or robustness of a run or
            without a folder to write into.
        LeakError: the bundle has seen some of the images.
    """
    is_run = Path(model).is_dir()
    folder = Path(out) if out else (Path(model) if is_run else None)
    if robustness and (is_run or folder is None):
        raise DataError(
            "Robustness is measured of a bundle, and written into a folder.",
            "Export the run first (lentigo export)." if is_run else "Name the folder with --out.",
        )
    bundle = None if is_run else Bundle(find_bundle(model))
    predicted = _of_run(Path(model)) if bundle is None else _of_bundle(bundle, _records(bundle, root, source), own_test)
    metrics = measure(predicted.test, replicates=replicates, seed=seed)
    if folder is None:
        return metrics
    folder.mkdir(parents=True, exist_ok=True)
    _save(predicted.test, folder / "predictions.parquet")
    if predicted.validation is not None:
        _save(predicted.validation, folder / "validation.parquet")
    else:
        (folder / "validation.parquet").unlink(missing_ok=True)  # of an earlier evaluation on other data
    write_text(folder / "metrics.json", metrics.to_json() + "\n")
    write_text(folder / "metrics.md", _page(predicted.test, metrics))
    skin = skin_tones(predicted.records.take(predicted.test.table["image_id"])) if skin_tone else None
    by_group = fairness(predicted.test, skin=skin, replicates=replicates, seed=seed)
    write_text(folder / "fairness.json", by_group.to_json() + "\n")
    write_text(folder / "fairness.md", describe_fairness(by_group))
    if robustness and bundle:
        partial = folder / "robustness.partial.npz"
        found = measure_robustness(
            bundle,
            predicted.records,
            own_test=own_test,
            limit=limit,
            replicates=replicates,
            seed=seed,
            partial=partial,
        )
        write_text(folder / "robustness.json", found.to_json() + "\n")
        write_text(folder / "robustness.md", describe_robustness(found))
        partial.unlink(missing_ok=True)
    return metrics


def _of_run(path: Path) -> _Predicted:
    from lentigo.training import load_run  # needs torch, which a bundle does not

    run = load_run(path)
    return _Predicted(run.split.records, predict_part(run, "test"), predict_part(run, "validation"))


def _of_bundle(bundle: Bundle, records: data.Records, own_test: bool) -> _Predicted:
    if not own_test:
        return _Predicted(records, predict(bundle, records), None)
    test, validation = (predict_bundle_part(bundle, records, part) for part in ("test", "validation"))
    return _Predicted(records, test, validation)


def _records(bundle: Bundle, root: PathLike | None, source: str | None) -> data.Records:
    """The data set, or one source of it."""
    if root is None:
        raise DataError(f"{bundle.path}: a bundle does not know where images lie.", "Name the data set with --data.")
    records = data.read(root)
    if source is None:
        return records
    known = sorted(set(records.table["source"].dropna()))
    if source not in known:
        raise DataError(
            f"{records.root}: no image is of the source {source!r}.", f"Known: {', '.join(known) or 'none'}."
        )
    return records.take(records.ids[(records.table["source"] == source).to_numpy()])


def _save(predictions: Predictions, path: Path) -> None:
    with replacing(path) as partial:
        predictions.save(partial)


def _page(predictions: Predictions, metrics: Metrics) -> str:
    """The summary under what it was measured on and with."""
    meta = predictions.meta
    origin = {
        k: meta[k]
        for k in ("model", "model_sha256", "data", "protocol", "fold", "seed", "split_sha256", "trained_on")
        if k in meta
    }
    return (
        f"# {meta['model']} on {meta['data']}\n\nWritten by `lentigo evaluate`.\n\n{summarise(metrics)}\n"
        f"Origin: `{json.dumps(origin)}`\n\nEnvironment: `{json.dumps(meta.get('environment', {}))}`\n"
    )
