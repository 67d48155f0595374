"""From a finished run to its bundle: graph, calibration, provenance, verification."""

import base64
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from scipy.special import softmax

from lentigo import data
from lentigo.atomic import make_folder, replacing, write_bytes
from lentigo.errors import BundleError, DataError, ImageError, OutputError
from lentigo.evaluation import measure, predict_files
from lentigo.evaluation.calibration.scaling import fit_temperature
from lentigo.evaluation.clinical import operating_points
from lentigo.evaluation.ood.detector import TARGET_FPR, limit
from lentigo.evaluation.predictions import Predictions
from lentigo.evaluation.run_predictor import part_ids, split_description
from lentigo.export.graph import build_graph, set_temperature
from lentigo.export.module import ExportModule
from lentigo.export.ood import OODScore, fit_run
from lentigo.export.parity import check_parity
from lentigo.labels import LabelSet
from lentigo.runtime import NOTICE, Bundle, BundleMetadata, Head, OODThreshold, OperatingPoint
from lentigo.runtime.bundle import HASH_KEY, METADATA_KEY, sealed
from lentigo.runtime.metadata import FORMAT, Fingerprints
from lentigo.runtime.perceptual import perceptual_hash
from lentigo.training import Run

__all__ = [
    "TARGET_SENSITIVITY",
    "bundle",
    "checked_path",
    "choose_ood",
    "choose_points",
    "fingerprints",
    "headline",
    "plain_labels",
    "write",
]

TARGET_SENSITIVITY = 0.95
"""Share of melanomas, and of malignant lesions, that the operating points are to find."""

HASHED = 250
"""Training images whose perceptual hashes travel along, drawn at random: enough to notice a data set made of them."""
DRAFT_TEMPERATURE = 1.61803399
"""Of the graph until its own is chosen: a number that occurs nowhere else, for exporters drop a division by one and
share equal constants."""


@dataclass(frozen=True)
class Chosen:
    """Operating points, and why there are none for a target, by target."""

    points: tuple[OperatingPoint, ...]
    reasons: dict[str, str]


def bundle(run: Run, out: str | os.PathLike[str], *, name: str | None = None) -> Bundle:
    """Write a run's one-file model and verify it against the network.

    The temperature, the operating points and the OOD threshold are chosen on the validation part with the file
    itself. The metrics in the metadata are those of the file on the test part. The file appears,
    or replaces what was there, only if the parity check holds.

    Args:
        run: a finished run.
        out: the .onnx file to write.
        name: the model's name; without it the file's.

    Raises:
        RunError: the training has not finished.
        OutputError: the file can't be written there.
        BundleError: the bundle differs from the network.
    """
    path = checked_path(Path(out))
    module = ExportModule(run.network(), run.mean, run.std, run.logit_offset, DRAFT_TEMPERATURE)
    module.ood = OODScore(fit_run(run, module))
    model = build_graph(module, run.recipe.size)
    metadata = _describe(run, name or path.stem, sum(p.numel() for p in module.network.parameters()))
    with replacing(path) as partial:
        # What is measured is the file itself; then what was measured goes into it.
        write(model, metadata, partial)
        raw = _predict(Bundle(partial, threads=1), run, "validation")
        temperature = fit_temperature(_logits(raw), raw.labels, prevalence=np.array(metadata.training_prevalence))
        module.set_temperature(temperature)
        set_temperature(model, temperature)
        validation = _calibrated(raw, temperature)
        chosen = choose_points(validation)
        metadata = metadata.model_copy(
            update={
                "temperature": temperature,
                "operating_points": chosen.points,
                "no_operating_point": chosen.reasons,
                "ood_score": choose_ood(validation),
            }
        )
        write(model, metadata, partial)
        draft = Bundle(partial, threads=1)
        readable = data.load_pixels(run.split.records, run.recipe.size).readable(run.split.test)
        measured = {
            "parity": check_parity(draft, module, readable).to_dict(),
            "metrics": headline(_predict(draft, run, "test")),
        }
        write(model, metadata.model_copy(update=measured), partial)
        Bundle(partial)
    return Bundle(path)


def write(model: onnx.ModelProto, metadata: BundleMetadata, path: Path) -> None:
    """Write a graph with its metadata and the hash of both.

    Raises:
        OutputError: the file can't be written.
    """
    del model.metadata_props[:]
    model.metadata_props.add(key=METADATA_KEY, value=metadata.model_dump_json())
    model.metadata_props.add(key=HASH_KEY, value="0" * 64)
    write_bytes(path, sealed(model.SerializeToString()))


def choose_points(validation: Predictions) -> Chosen:
    """Thresholds for the target sensitivity from a file's predictions of the validation part, at the balanced prior."""
    points, reasons = [], {}
    for task in ("melanoma", "malignancy"):
        try:
            chosen = operating_points.choose(validation, task, TARGET_SENSITIVITY)
            positives = int(operating_points.scores(validation, task)[1].sum())
        except DataError as error:
            reasons[task] = error.message
            continue
        points.append(
            OperatingPoint(
                target=task,
                view=chosen.view,  # type: ignore[arg-type]  # one of the views
                target_sensitivity=chosen.target,
                threshold=chosen.threshold,
                validation_images=positives,
            )
        )
    return Chosen(tuple(points), reasons)


def choose_ood(validation: Predictions) -> OODThreshold:
    """The OOD threshold from a file's scores of the validation part."""
    scores = validation.table["ood_score"].to_numpy(dtype=float)
    return OODThreshold(threshold=limit(scores, TARGET_FPR), target_fpr=TARGET_FPR, validation_images=len(scores))


def checked_path(path: Path) -> Path:
    """The output's path, refused before hours of work for what would be refused after it."""
    if path.suffix != ".onnx":
        raise BundleError(f"{path}: a bundle's name must end in .onnx.", "Rename the output.")
    if path.is_dir():
        raise OutputError(f"{path}: this is a folder.", "Name a file in it.")
    folder = make_folder(path.parent)
    if not os.access(folder, os.W_OK):
        raise OutputError(
            f"{folder}: this folder can't be written to.", "Choose another one, or change its permissions."
        )
    return path


def _describe(run: Run, name: str, parameters: int) -> BundleMetadata:
    """What is known before anything is measured."""
    split = run.split
    return BundleMetadata(
        format=FORMAT,
        name=name,
        network=run.model,
        parameters=parameters,
        heads=(Head(name="diagnosis", output="probabilities", label_set=plain_labels(run.classes)),),
        size=run.recipe.size,
        temperature=DRAFT_TEMPERATURE,
        training_prevalence=run.class_prior,
        operating_points=(),
        # Stands here until it is chosen, for a graph with a score needs one.
        ood_score=OODThreshold(threshold=1.0, target_fpr=TARGET_FPR, validation_images=0),
        source=run.source,
        split=split_description(split),
        recipe=run.recipe.to_dict(),
        metrics={},
        parity={},
        fingerprints=fingerprints(split),
        licence=f"Weights: {run.licence}. Code: Apache-2.0." if run.licence else "Code: Apache-2.0.",
        citation=run.citation,
        notice=NOTICE,
        environment=dict(run.environment),
    )


def fingerprints(split: data.Split) -> Fingerprints:
    """The ids of a split's parts, and the perceptual hashes of some of its training images."""
    train = split.train
    chosen = np.sort(np.random.default_rng(0).permutation(len(train))[:HASHED])

    def one(path: str) -> np.uint64 | None:
        try:
            return perceptual_hash(train.decode(path))
        except ImageError:
            return None

    with ThreadPoolExecutor() as pool:
        hashes = [h for h in pool.map(one, train.table["path"].iloc[chosen]) if h is not None]
    return Fingerprints(
        train=part_ids(train).encode(),
        validation=part_ids(split.validation).encode(),
        test=part_ids(split.test).encode(),
        perceptual=base64.b85encode(np.array(hashes, "<u8").tobytes()).decode(),
    )


def plain_labels(labels: LabelSet) -> dict[str, object]:
    """A label set as plain values, without what only people who name labels need."""
    kept = ("id", "name", "malignant", "snomed_ct", "snomed_term", "aliases")
    values = labels.to_dict()
    return {
        **values,
        "outside": (),
        "labels": [{k: v for k, v in label.items() if k in kept} for label in values["labels"]],
    }


def _predict(draft: Bundle, run: Run, part: str) -> Predictions:
    split = run.split
    groups = split.manifest.set_index("image_id")["group"]
    meta = {
        "protocol": split.protocol,
        "leaky": split.leaky,
        "fold": split.fold,
        "split_sha256": split.hash,
        "part": part,
    }
    return predict_files(draft, run.labelled(split.part(part)), meta, groups=groups)


def _calibrated(validation: Predictions, temperature: float) -> Predictions:
    """Predictions that were made at the draft's temperature, at another one."""
    columns = [c for c in validation.table.columns if c.startswith("p_")]
    values = dict(zip(columns, softmax(_logits(validation) / temperature, axis=1).T, strict=True))
    return Predictions(validation.table.assign(**values), {**validation.meta, "temperature": temperature})


def _logits(draft: Predictions) -> NDArray[np.float64]:
    """The logits behind a draft's probabilities, less a constant for each image [N, K]."""
    return DRAFT_TEMPERATURE * np.log(np.maximum(draft.probabilities, 1e-30))


def headline(test: Predictions) -> dict[str, dict[str, dict[str, float | None]]]:
    """The headline metrics of the test part in both views, with their intervals."""
    metrics = measure(test, replicates=1000)
    shown = metrics.provenance.shown("headline")
    return {
        view: {
            name: {k: None if v is None else round(v, 6) for k, v in estimate.items()}
            for name in shown
            for estimate in [metrics.get(name, view=view).model_dump(include={"value", "low", "high"})]
        }
        for view in metrics.views
    }
