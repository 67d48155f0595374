"""Every technique on one trained network: sizes, cost and speed of its file, what it is worth on the test part.

The test part is not looked at while anything is chosen: the gate of each technique is judged on the validation part, as
`compress` does, and shown beside.
"""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from lentigo.atomic import replacing, write_text
from lentigo.compression.gate import Gate, GateReport, check
from lentigo.compression.pipeline import run_steps
from lentigo.compression.recipe import CompressionRecipe
from lentigo.compression.steps import Model, exported
from lentigo.errors import LentigoError
from lentigo.evaluation import Metrics, Predictions, measure, operating_points
from lentigo.evaluation.cost import account, measure_bundle
from lentigo.evaluation.result import Estimate, Result
from lentigo.export.refit import predict_part_of
from lentigo.progress import note
from lentigo.runtime import Bundle
from lentigo.training import Run

__all__ = ["TECHNIQUES", "NotMade", "Surveyed", "survey"]

TECHNIQUES: Mapping[str, tuple[str | dict[str, Any], ...]] = {
    "fp32": (),
    "fp16": ("fp16",),
    "int8, MinMax": ("int8",),
    "int8, entropy": ({"name": "int8", "params": {"calibration": "entropy"}},),
    "int8, percentile": ({"name": "int8", "params": {"calibration": "percentile"}},),
    "mixed precision": ("mixed",),
    "weight clusters": ("cluster",),
    "trained for int8": ("qat", "int8"),
    "pruned": ("prune",),
    "pruned, int8": ("prune", "int8"),
    "structured": ("structured",),
    "structured, int8": ("structured", "int8"),
    "structured, distilled": ("structured", "distil"),
    "structured, distilled, int8": ("structured", "distil", "int8"),
}
"""Steps by the technique's name; the first is what the others are compared with."""


class Surveyed(Result):
    """One technique on one network and fold.

    Attributes:
        technique: a key of `TECHNIQUES`.
        network, fold, split_sha256: what was compressed.
        epochs: of the training that it started from.
        sha256: of the file.
        size, parts: bytes by footing, and of the parts of the file, as in `evaluation.cost.Account`.
        macs: multiply-accumulates of one image by part of the graph.
        latency_ms: median milliseconds by images at a time, on one thread.
        peak_bytes: what opening and running it adds to a process; None where that can't be measured.
        machine: processor, cores and versions.
        metrics: on the test part.
        sensitivity, specificity: for melanoma at the file's own operating point, on the test part.
        loss: of balanced accuracy against fp32, paired, on the test part.
        gate: against fp32 on the validation part; None for fp32.
    """

    technique: str
    network: str
    fold: int
    split_sha256: str
    epochs: int
    sha256: str
    size: dict[str, int]
    parts: dict[str, int]
    macs: dict[str, int]
    latency_ms: dict[int, float]
    peak_bytes: int | None
    machine: dict[str, str]
    metrics: Metrics
    sensitivity: Estimate | None
    specificity: Estimate | None
    loss: Estimate | None
    gate: GateReport | None


class NotMade(Result):
    """A technique that gave no file.

    Attributes:
        technique, network, fold: which.
        reason: why.
    """

    technique: str
    network: str
    fold: int
    reason: str


def survey(
    run: Run, folder: Path, *, techniques: Collection[str] = tuple(TECHNIQUES), gate: Gate | None = None
) -> Iterator[Surveyed | NotMade]:
    """Compress a run by every technique and measure each, or read what was measured before.

    Args:
        run: a finished run.
        folder: of this run alone; each technique has a JSON file in it.
        techniques: which of `TECHNIQUES`.
        gate: what may be lost on the validation part; without it the defaults.
    """
    gate = gate or Gate()
    parent = Model(run, exported(run, folder / "fp32", run.model))
    for technique in (t for t in TECHNIQUES if t in techniques):
        steps = TECHNIQUES[technique]
        path = folder / f"{technique.replace(', ', '-').replace(' ', '-')}.json"
        if not path.exists():
            note(f"{run.model}, fold {run.split.fold}: {technique}")
            try:
                model = run_steps(CompressionRecipe.of({"steps": steps}), parent, folder) if steps else parent
            except LentigoError as error:  # too different from its parent, a target out of reach
                reason = error.message.split(".partial: ", 1)[-1]  # without the name of the unfinished file
                yield NotMade(technique=technique, network=run.model, fold=run.split.fold, reason=reason)
                continue
            write_text(path, _measure(technique, model, parent, gate).to_json() + "\n")
        yield Surveyed.from_json(path.read_text(encoding="utf-8"))


def _measure(technique: str, model: Model, parent: Model, gate: Gate) -> Surveyed:
    run, bundle = parent.run, Bundle(model.bundle, threads=1)
    counted, timed = account(bundle), measure_bundle(bundle, threads=(1,))
    test, validation = (_predictions(model, part) for part in ("test", "validation"))
    points = Bundle(parent.bundle).metadata.operating_points
    against = _predictions(parent, "test"), _predictions(parent, "validation")
    own = {p.task: p for p in operating_points.of_bundle(bundle.metadata)}.get("melanoma")
    applied = operating_points.apply(own, test, replicates=gate.replicates) if own else None
    losses = None if model is parent else check(against[0], test, gate, points=points)
    return Surveyed(
        technique=technique,
        network=run.model,
        fold=run.split.fold,
        split_sha256=run.split_sha256,
        epochs=run.recipe.epochs,
        sha256=bundle.sha256,
        size=dict(counted.sizes),
        parts=dict(counted.parts),
        macs=dict(counted.macs),
        latency_ms={speed.batch: speed.median_ms for speed in timed.speeds},
        peak_bytes=timed.peak_bytes,
        machine={"machine": timed.machine, **timed.versions},
        metrics=measure(test, replicates=gate.replicates, seed=gate.seed),
        sensitivity=applied.sensitivity if applied else None,
        specificity=applied.specificity if applied else None,
        loss=next(e.loss for e in losses.entries if e.name == "balanced_accuracy") if losses else None,
        gate=None if model is parent else check(against[1], validation, gate, points=points),
    )


def _predictions(model: Model, part: Any) -> Predictions:
    """Of a file's validation or test part, predicted once."""
    path = model.bundle.with_name(f"{part}.parquet")
    if not path.exists():
        with replacing(path) as partial:
            predict_part_of(model.run, Bundle(model.bundle, threads=1), part).save(partial)
    return Predictions.load(path)
