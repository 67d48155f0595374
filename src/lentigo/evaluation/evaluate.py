"""Evaluate a run or a bundle, and write into a folder all that a report needs."""

import json
import os
from pathlib import Path
from typing import NamedTuple

from lentigo import data
from lentigo.arguments import checked
from lentigo.atomic import own_folder, replacing, write_text
from lentigo.errors import BundleError, DataError
from lentigo.evaluation.label_mapping import meet
from lentigo.evaluation.metrics.measure import Metrics, measure
from lentigo.evaluation.metrics.pages import describe_fairness, describe_robustness
from lentigo.evaluation.metrics.summary import summarise
from lentigo.evaluation.predict import predict, predict_own_part, predict_part
from lentigo.evaluation.predictions import Predictions
from lentigo.evaluation.robustness.curves import robustness as measure_robustness
from lentigo.evaluation.run_predictor import RunPredictor
from lentigo.evaluation.subgroups.fairness import fairness
from lentigo.evaluation.subgroups.skin_tone import skin_tones
from lentigo.labels import LabelMapping
from lentigo.runtime import Bundle, Predictor
from lentigo.runtime.shipped import find_bundle, shipped_models

__all__ = ["evaluate", "open_model"]

PathLike = str | os.PathLike[str]


class _Predicted(NamedTuple):
    """What measures what, on which data set, and the validation part of the same split where there is one."""

    model: Predictor
    records: data.Records
    test: Predictions
    validation: Predictions | None


@checked
def evaluate(
    model: PathLike,
    *,
    root: PathLike | None = None,
    own_test: bool = False,
    source: str | None = None,
    labels: data.Labels = None,
    outside: bool = False,
    mapping: PathLike | LabelMapping | None = None,
    out: PathLike | None = None,
    robustness: bool = False,
    limit: int = 500,
    skin_tone: bool = False,
    replicates: int = 1000,
    seed: int = 0,
    device: str = "auto",
) -> Metrics:
    """Measure a model on images that it has not learned from.

    Writes predictions.parquet, and metrics and fairness as .json and .md; validation.parquet, predictions of the
    validation part, where the model's own split gives one; and robustness as .json and .md where asked for, which can
    be interrupted and resumed.

    Args:
        model: folder of a run; or name or path of a bundle.
        root: the data set; all of it, and refused if the model has seen any of it. Without it a run is measured on the
            test part of its split, from the pixels that it was trained on; a bundle needs it.
        own_test: take the test part of the model's own split of `root` instead, such as of a run whose images moved.
        source: take only the images of this source of `root`, such as 'test' of an ISIC challenge.
        labels: the diagnoses that the data set distinguishes, as in `data.read`.
        outside: whether a table may name images outside its own folder.
        mapping: what the labels of `root`, or of the model, become where the two differ, as in `label_mapping.meet`.
        out: folder for what is written. Without it the run's own folder if its own test part is measured without a
            `root`, and nowhere otherwise.
        robustness: whether to measure on worse images too, 41 times each.
        limit: how many images to take for that, as evenly over the diagnoses as there are.
        skin_tone: whether to estimate each image's skin tone, for fairness; see the limits in `skin_tone`.
        replicates: bootstrap resamples behind the intervals.
        seed: seed of the resamples.
        device: where a run predicts: 'auto', 'cpu', 'cuda' or 'mps'.

    Raises:
        DataError: no data set given for a bundle, one that can't be read, no such source, a source without a data set
            or of the model's own test part, labels other than the model's without a mapping, or robustness without a
            folder to write into.
        LeakError: the model has seen some of the images.
    """
    predictor = open_model(model, data=root if own_test else None, device=device)
    inside = isinstance(predictor, RunPredictor) and root is None
    if source is not None and (own_test or inside):
        raise DataError(
            f"The source {source!r} is one of a data set, not of the model's own test part.",
            "Omit --own-test." if own_test else "Name the data set with --data.",
        )
    folder = Path(out) if out else (Path(model) if inside else None)
    if folder is not None:
        own_folder(folder, ("recipe.json", "metrics.json", "predictions.parquet"))  # a run, or an earlier evaluation
    if robustness and folder is None:
        raise DataError("Robustness needs an output folder.", "Name one with --out.")
    if inside and not (labels is None and mapping is None):
        raise DataError("A run's own test part already has its labels.", "Name other data with --data.")
    predicted = _predicted(predictor, root, source, own_test, labels, outside, mapping)
    metrics = measure(predicted.test, replicates=replicates, seed=seed)
    if folder is None:
        return metrics
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
    if robustness:
        partial = folder / "robustness.partial.npz"
        found = measure_robustness(
            predicted.model,
            predicted.records,
            own_test=own_test or inside,
            limit=limit,
            replicates=replicates,
            seed=seed,
            partial=partial,
        )
        write_text(folder / "robustness.json", found.to_json() + "\n")
        write_text(folder / "robustness.md", describe_robustness(found))
        partial.unlink(missing_ok=True)
    return metrics


def open_model(model: PathLike, *, data: PathLike | None = None, device: str = "auto") -> Predictor:
    """A run's folder, or the name or path of a bundle, as what predicts.

    Args:
        model: which.
        data: where the images of a run are now, if they moved.
        device: where a run predicts.

    Raises:
        BundleError: no such model, or a name that is both a shipped model's and a run's folder.
        RunError: a folder that is not a run.
    """
    path = Path(model)
    shipped = os.fspath(model) in shipped_models()
    if shipped and (path / "recipe.json").is_file():
        raise BundleError(
            f"{path} is both the name of a shipped model and a run's folder here.",
            f"Write ./{path} for the run, or name the model from another folder.",
        )
    if shipped or not path.is_dir():
        return Bundle(find_bundle(model), threads=1)  # images go in parallel
    from lentigo.training import load_run  # needs torch, which a bundle does not

    return RunPredictor(load_run(path, data=data, device=device))  # type: ignore[arg-type]  # unknown ones are refused


def _predicted(
    model: Predictor,
    root: PathLike | None,
    source: str | None,
    own_test: bool,
    labels: data.Labels,
    outside: bool,
    mapping: PathLike | LabelMapping | None,
) -> _Predicted:
    if isinstance(model, RunPredictor) and root is None:
        run = model.run
        records = run.labelled(run.split.records)
        return _Predicted(model, records, predict_part(run, "test"), predict_part(run, "validation"))
    met = meet(model, _records(model, root, source, labels, outside), mapping, own=own_test)
    if not own_test:
        return _Predicted(met.model, met.records, met.described(predict(met.model, met.records)), None)
    parts = (predict_own_part(met.model, met.records, part) for part in ("test", "validation"))
    return _Predicted(met.model, met.records, *map(met.described, parts))


def _records(
    model: Predictor, root: PathLike | None, source: str | None, labels: data.Labels, outside: bool
) -> data.Records:
    """The data set, or one source of it."""
    if root is None:
        raise DataError(f"{model.name}: a bundle does not contain its images.", "Name the data set with --data.")
    records = data.read(root, labels=labels, outside=outside)
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
        for k in ("model", "model_sha256", "data", "protocol", "fold", "seed", "split_sha256", "trained_on", "mappings")
        if k in meta
    }
    return (
        f"# {meta['model']} on {meta['data']}\n\nWritten by `lentigo evaluate`.\n\n{summarise(metrics)}\n"
        f"Origin: `{json.dumps(origin)}`\n\nEnvironment: `{json.dumps(meta.get('environment', {}))}`\n"
    )
