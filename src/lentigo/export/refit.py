"""What every bundle ends with: calibrated and measured with the file itself, verified, hashed."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from scipy.special import softmax

from lentigo import data
from lentigo.atomic import replacing, write_bytes
from lentigo.errors import DataError
from lentigo.evaluation import measure, predict_files, predict_own_part
from lentigo.evaluation.calibration.scaling import fit_temperature
from lentigo.evaluation.clinical import operating_points
from lentigo.evaluation.ood.detector import TARGET_FPR, ood_threshold
from lentigo.evaluation.predictions import Predictions
from lentigo.export.graph import set_temperature
from lentigo.export.parity import Parity
from lentigo.labels import find_mapping
from lentigo.runtime import Bundle, BundleMetadata, OODThreshold, OperatingPoint
from lentigo.runtime.bundle import HASH_KEY, METADATA_KEY, sealed
from lentigo.runtime.metadata import EMBEDDING
from lentigo.training import Run

__all__ = [
    "DRAFT_TEMPERATURE",
    "TARGET_SENSITIVITY",
    "choose_ood",
    "choose_points",
    "headline",
    "predict_part_of",
    "recalibrate",
    "write",
]

Part = Literal["validation", "test"]
TARGET_SENSITIVITY = 0.95
"""Share of melanomas, and of malignant lesions, that the operating points are to find."""
DRAFT_TEMPERATURE = 1.61803399
"""Of the graph until its own is chosen: a number that occurs nowhere else, for exporters drop a division by one and
share equal constants."""


@dataclass(frozen=True)
class Chosen:
    """Operating points, and why there are none for a target, by target."""

    points: tuple[OperatingPoint, ...]
    reasons: dict[str, str]


def recalibrate(
    model: onnx.ModelProto,
    metadata: BundleMetadata,
    source: Run | data.Records,
    out: Path,
    verify: Callable[[Bundle], Parity],
) -> Bundle:
    """Write a graph as a bundle whose temperature, thresholds and metrics are its own.

    The temperature, the operating points and the OOD threshold are chosen on the validation part, and the headline
    metrics measured on the test part, both with the file itself. The file appears, or replaces what was there, only
    when it has been verified. The same graph and images give the same file.

    Args:
        model: the graph, with the initializer `pack.TEMPERATURE`; its temperature is set.
        metadata: of the bundle, except for what is chosen and measured here. A derived one states its precision, its
            parent and what it was calibrated on.
        source: the run, or the whole data set that the bundle's network was trained on.
        out: the .onnx file to write.
        verify: compares the finished file with what it was made from; raises BundleError if they differ too much.

    Raises:
        BundleError: the file differs from what it was made from.
        DataError: images of the validation or test part are not there.
        OutputError: the file can't be written.
    """
    predict = partial(predict_part_of, source)
    with replacing(out) as draft:
        # What is measured is the file itself; then what was measured goes into it.
        set_temperature(model, DRAFT_TEMPERATURE)
        write(model, metadata.model_copy(update={"temperature": DRAFT_TEMPERATURE}), draft)
        raw = predict(Bundle(draft, threads=1), "validation")
        temperature = fit_temperature(_logits(raw), raw.labels, prevalence=np.array(metadata.training_prevalence))
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
        write(model, metadata, draft)
        bundle = Bundle(draft, threads=1)
        measured = {"parity": verify(bundle).to_dict(), "metrics": headline(predict(bundle, "test"))}
        write(model, metadata.model_copy(update=measured), draft)
        Bundle(draft)
    return Bundle(out)


def write(model: onnx.ModelProto, metadata: BundleMetadata, path: Path) -> None:
    """Write a graph with its metadata, which state the width of its embedding if it gives one, and the hash of both.

    Raises:
        OutputError: the file can't be written.
    """
    metadata = metadata.model_copy(update={"embedding": _embedding_width(model)})
    del model.metadata_props[:]
    model.metadata_props.add(key=METADATA_KEY, value=metadata.model_dump_json())
    model.metadata_props.add(key=HASH_KEY, value="0" * 64)
    write_bytes(path, sealed(model.SerializeToString()))


def _embedding_width(model: onnx.ModelProto) -> int | None:
    shapes = [o.type.tensor_type.shape for o in model.graph.output if o.name == EMBEDDING]
    return shapes[0].dim[1].dim_value if shapes else None


def predict_part_of(source: Run | data.Records, bundle: Bundle, part: Part) -> Predictions:
    """A file's predictions of the validation or test part of its own split, from the image files.

    Args:
        source: the run that the network comes from, or its whole data set.
        bundle: the file.
        part: 'validation' or 'test'.
    """
    if isinstance(source, data.Records):
        return predict_own_part(bundle, source.mapped(find_mapping(bundle.labels, source.label_set)), part)
    split = source.split
    groups = split.manifest.set_index("image_id")["group"]
    meta = {
        "protocol": split.protocol,
        "leaky": split.leaky,
        "fold": split.fold,
        "split_sha256": split.hash,
        "part": part,
    }
    return predict_files(bundle, source.labelled(split.part(part)), meta, groups=groups)


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
    threshold = ood_threshold(scores, TARGET_FPR)
    return OODThreshold(threshold=threshold, target_fpr=TARGET_FPR, validation_images=len(scores))


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


def _calibrated(validation: Predictions, temperature: float) -> Predictions:
    """Predictions that were made at the draft's temperature, at another one."""
    columns = [c for c in validation.table.columns if c.startswith("p_")]
    values = dict(zip(columns, softmax(_logits(validation) / temperature, axis=1).T, strict=True))
    return Predictions(validation.table.assign(**values), {**validation.meta, "temperature": temperature})


def _logits(draft: Predictions) -> NDArray[np.float64]:
    """The logits behind a draft's probabilities, less a constant for each image [N, K]."""
    return DRAFT_TEMPERATURE * np.log(np.maximum(draft.probabilities, 1e-30))
