"""The figures of a compressed file, the same for a compression and for a survey of techniques."""

from dataclasses import dataclass
from typing import Any

from lentigo.atomic import replacing
from lentigo.compression.gate import Gate, GateReport, check
from lentigo.compression.steps import Model
from lentigo.evaluation import Metrics, Predictions, measure
from lentigo.evaluation.cost import account
from lentigo.export.refit import Part, predict_part_of
from lentigo.runtime import Bundle

__all__ = ["Figures", "figures"]


@dataclass(frozen=True)
class Figures:
    """What a file is, and what it is worth on one part of the split.

    Attributes:
        bundle: the file, opened.
        counts: `sha256`, `size`, `parts` and `macs`, as records of both kinds name them.
        warnings: what could not be counted.
        predictions: of the part.
        metrics: of these.
        gate: against the parent; None for the parent itself.
    """

    bundle: Bundle
    counts: dict[str, Any]
    warnings: tuple[str, ...]
    predictions: Predictions
    metrics: Metrics
    gate: GateReport | None


def figures(model: Model, parent: Model, part: Part, gate: Gate) -> Figures:
    """Count a file, predict a part of its split with it, and compare it with the parent there.

    The predictions are kept beside the file, and read again as long as they are of this file.

    Args:
        model: what to measure.
        parent: what compression started from; the same for the parent itself.
        part: 'validation' or 'test'.
        gate: what may be lost; its resamples and seed are those of the metrics too.
    """
    bundle = Bundle(model.bundle, threads=1)
    counted, predictions = account(bundle), _predictions(model, bundle, part)
    report = None
    if model is not parent:
        before = Bundle(parent.bundle, threads=1)
        points = before.metadata.operating_points
        report = check(_predictions(parent, before, part), predictions, gate, points=points)
    return Figures(
        bundle=bundle,
        counts={
            "sha256": bundle.sha256,
            "size": dict(counted.sizes),
            "parts": dict(counted.parts),
            "macs": dict(counted.macs),
        },
        warnings=counted.warnings,
        predictions=predictions,
        metrics=measure(predictions, replicates=gate.replicates, seed=gate.seed),
        gate=report,
    )


def _predictions(model: Model, bundle: Bundle, part: Part) -> Predictions:
    path = model.bundle.with_name(f"{part}.parquet")
    if path.exists() and (kept := Predictions.load(path)).meta["model_sha256"] == bundle.sha256:
        return kept
    found = predict_part_of(model.run, bundle, part)
    with replacing(path) as partial:
        found.save(partial)
    return found
