"""Every technique on one trained network: sizes, cost and speed of its file, what it is worth on the test part.

The test part is not looked at while anything is chosen: the gate of each technique is judged on the validation part, as
`compress` does, and shown beside.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lentigo.atomic import write_text
from lentigo.compression.figures import Figures
from lentigo.compression.gate import Gate, GateReport
from lentigo.compression.pipeline import run_steps
from lentigo.compression.recipe import CompressionRecipe
from lentigo.compression.steps import Model, exported
from lentigo.errors import LentigoError, RunError
from lentigo.evaluation import Metrics, operating_points
from lentigo.evaluation.cost import measure_bundle
from lentigo.evaluation.evaluate import open_model
from lentigo.evaluation.result import Estimate, Result
from lentigo.progress import note
from lentigo.training import Run

__all__ = ["TECHNIQUES", "NotMade", "Surveyed", "Teacher", "survey"]

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
    "distilled": ("distil",),
    "distilled, int8": ("distil", "int8"),
}
"""Steps by the technique's name; the first is what the others are compared with."""


class Teacher(Result):
    """A model that distillation learned from.

    Attributes:
        name: of the model.
        sha256: of its file, or of its weights.
    """

    name: str
    sha256: str


class Surveyed(Result):
    """One technique on one network and fold.

    Attributes:
        technique: a key of `TECHNIQUES`.
        network, fold, split_sha256: what was compressed, the network by its name or the one that the survey was given.
        run_sha256: of the file with the run's weights.
        epochs: of the training that it started from.
        fine_tuned: epochs that the technique trained further, all steps together.
        teachers: models that it learned from; empty where there were none, or the run itself was the teacher.
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
    run_sha256: str
    epochs: int
    fine_tuned: int = 0
    teachers: tuple[Teacher, ...] = ()
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
        technique, network, fold, run_sha256: which.
        fine_tuned: epochs that it was to train further.
        teachers: models that it was to learn from.
        reason: why.
    """

    technique: str
    network: str
    fold: int
    run_sha256: str
    fine_tuned: int = 0
    teachers: tuple[Teacher, ...] = ()
    reason: str


def survey(
    run: Run,
    folder: Path,
    *,
    name: str | None = None,
    techniques: Collection[str] = tuple(TECHNIQUES),
    gate: Gate | None = None,
    epochs: int | None = None,
    teachers: Sequence[str] = (),
    measure: bool = True,
) -> Iterator[Surveyed | NotMade]:
    """Compress a run by every technique and measure each, or read what was measured before.

    Args:
        run: a finished run.
        folder: of this run alone; each technique has a JSON file in it.
        name: of what is compressed; without it the network's.
        techniques: which of `TECHNIQUES`.
        gate: what may be lost on the validation part; without it the defaults.
        epochs: of each fine-tuning; without it a quarter of the run's.
        teachers: runs or bundles that distillation learns from; without them the run itself.
        measure: whether to measure what isn't there; without it that is passed over, and what is there is read whatever
            it was trained for and by whom, which it states.

    Raises:
        RunError: the folder holds figures of another run.
    """
    source, known = run.network_sha256, _known(teachers) if measure else ()
    name = name or run.model
    parent = None
    for technique in (t for t in TECHNIQUES if t in techniques):
        recipe = _recipe(technique, epochs or max(1, round(run.recipe.epochs / 4)), teachers)
        asked = known if recipe and "distil" in recipe.names else ()
        trained = sum(step.params.get("epochs", 0) for step in recipe.steps) if recipe else 0
        path = folder / f"{technique.replace(', ', '-').replace(' ', '-')}.json"
        refused = path.with_suffix(".not-made.json")
        earlier = [
            kind.from_json(place.read_text(encoding="utf-8"))
            for place, kind in ((path, Surveyed), (refused, NotMade))
            if place.exists()
        ]
        for one in earlier:
            if one.run_sha256 != source:
                raise RunError(
                    f"{folder}: its figures of {technique} are of another run than {run.path}.",
                    "Name a folder of this run alone.",
                )
        same = [one for one in earlier if not measure or (one.fine_tuned, one.teachers) == (trained, asked)]
        if same or not measure:
            yield from same[:1]
            continue
        parent = parent or Model(run, exported(run, folder / "fp32", run.model))
        note(f"{name}, fold {run.split.fold}: {technique}")
        of: dict[str, Any] = {"technique": technique, "network": name, "fold": run.split.fold}
        of |= {"run_sha256": source, "fine_tuned": trained, "teachers": asked}
        try:
            model = run_steps(recipe, parent, folder) if recipe else parent
        except LentigoError as error:  # too different from its parent, a target out of reach
            reason = error.message.split(".partial: ", 1)[-1]  # without the name of the unfinished file
            without = NotMade(**of, reason=reason)
            write_text(refused, without.to_json() + "\n")
            yield without
            continue
        found = _measure(of, model, parent, gate or Gate())
        write_text(path, found.to_json() + "\n")
        yield found


def _recipe(technique: str, epochs: int, teachers: Sequence[str]) -> CompressionRecipe | None:
    """A technique with what the survey states of its fine-tunings; None for the parent as it is."""
    if not TECHNIQUES[technique]:
        return None
    recipe = CompressionRecipe.of({"steps": TECHNIQUES[technique]})
    return recipe.stating(epochs=epochs, teachers=tuple(teachers) or None)


def _known(teachers: Sequence[str]) -> tuple[Teacher, ...]:
    models = [open_model(teacher) for teacher in teachers]
    return tuple(Teacher(name=model.name, sha256=model.sha256) for model in models)


def _measure(of: Mapping[str, Any], model: Model, parent: Model, gate: Gate) -> Surveyed:
    test, validation = (Figures(model, parent, part, gate) for part in ("test", "validation"))
    timed = measure_bundle(test.bundle, threads=(1,))
    own = {p.task: p for p in operating_points.of_bundle(test.bundle.metadata)}.get("melanoma")
    applied = operating_points.apply(own, test.predictions, replicates=gate.replicates) if own else None
    losses = {entry.name: entry.loss for entry in test.gate.entries} if test.gate else {}
    return Surveyed(
        **of,
        split_sha256=parent.run.split_sha256,
        epochs=parent.run.recipe.epochs,
        **test.counts,
        latency_ms={speed.batch: speed.median_ms for speed in timed.speeds},
        peak_bytes=timed.peak_bytes,
        machine={"machine": timed.machine, **timed.versions},
        metrics=test.metrics,
        sensitivity=applied.sensitivity if applied else None,
        specificity=applied.specificity if applied else None,
        loss=losses.get("balanced_accuracy"),
        gate=validation.gate,
    )
