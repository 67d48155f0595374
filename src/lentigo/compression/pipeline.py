"""Compress a run, step by step, each judged by the gate; only a file that passed appears.

    compression.json   the recipe, and what is compressed: a folder serves one compression
    steps/0-parent/    the exported network that everything is compared with
    steps/1-prune/     a folder a step: its run or file, the file's predictions, and measured.json, written last
    record.json, .md   every step: sizes, cost, metrics, gate
    model.onnx         what ships, or model.onnx.zst

A step that doesn't pass the gate is reported and not shipped: the next one starts from the last that passed. Killed at
any time and started again, a compression resumes with the first step that isn't measured and ends in the same file.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lentigo.atomic import make_folder, own_folder, replacing, write_text
from lentigo.compression.figures import Figures
from lentigo.compression.gate import Gate
from lentigo.compression.recipe import CompressionRecipe
from lentigo.compression.record import CompressionRecord, StepRecord
from lentigo.compression.steps import Model, Step, exported, run_step
from lentigo.errors import BundleError, RunError
from lentigo.evaluation.catalogue import label
from lentigo.evaluation.run_predictor import RunPredictor
from lentigo.progress import note
from lentigo.runtime import Bundle
from lentigo.training import Run
from lentigo.training.named import Named

__all__ = ["Compressed", "compress", "run_steps"]

MARK = "compression.json"
PARENT = "parent"


@dataclass(frozen=True)
class Compressed:
    """A finished compression.

    Attributes:
        folder: where it is.
        file: what ships.
        record: every step.
    """

    folder: Path
    file: Path
    record: CompressionRecord

    @property
    def complete(self) -> bool:
        """Whether every step of the recipe passed the gate."""
        return not self.record.withheld

    def summary(self) -> str:
        """What ships and where the record is, for people."""
        return f"{self.record.summary}\nWrote {self.file} and {self.folder / 'record.md'}"


def compress(
    run: Run, recipe: str | os.PathLike[str] | Mapping[str, Any] | CompressionRecipe, out: str | os.PathLike[str]
) -> Compressed:
    """Run the steps of a recipe on a trained network, each followed by the gate.

    Args:
        run: a finished run.
        recipe: a short name such as 'prune+int8', a JSON file, or its values; see `CompressionRecipe`.
        out: a folder: new, empty, or of the same compression, which then resumes.

    Raises:
        RunError: the recipe is not one, the training has not finished, the folder belongs to another compression, or
            no step passed the gate: the record says why.
        OutputError: the folder holds other files, or can't be written to.
        BundleError: a file in the folder has changed since it was measured.
        LeakError: a teacher that a step names has seen test images, or was trained on validation images.
    """
    chosen = CompressionRecipe.of(Path(recipe) if isinstance(recipe, os.PathLike) else recipe)
    if any(step.params.get("enforce") is False for step in chosen.steps):
        raise RunError(
            f"The recipe {chosen}: a file that violates its precision's policy is not compressed to, only measured.",
            "Leave out enforce.",
        )
    source, steps = _source(run), _checked(chosen, run)
    folder = _claim(own_folder(out, (MARK,)), source, chosen)
    places = [folder / "steps" / f"{i}-{name}" for i, name in enumerate((PARENT, *chosen.names))]
    parent = last = Model(run, exported(run, places[0], run.model))
    records = [_measured(Named(name=PARENT), parent, parent, chosen.gate, folder)]
    for named, step, place in zip(chosen.steps, steps, places[1:], strict=True):
        note(f"Step {len(records)} of {len(chosen.steps)}: {named}")
        try:
            model = run_step(step, named.name, last, parent, place)
        except BundleError as error:  # its own check found that it differs too much, or can't be made smaller so
            reason = error.message.split(": ", 1)[-1].rstrip(".")  # without the name of the unfinished file
            records.append(StepRecord(name=named.name, params=named.params, fault=reason))
        else:
            records.append(_measured(named, model, parent, chosen.gate, folder))
            last = model if records[-1].shipped else last
        note(f"{named}: {records[-1].outcome}")
    return _finish(folder, chosen, run, records, last)


def run_steps(recipe: CompressionRecipe, parent: Model, place: Path) -> Model:
    """The steps of a recipe one after the other, without a gate; recipes with the same first steps share their results.

    Args:
        recipe: what to do; its gate is not asked.
        parent: what to start from.
        place: a folder, in which each step has one named after the steps up to it.
    """
    model, names = parent, []
    for named, step in zip(recipe.steps, _checked(recipe, parent.run), strict=True):
        params = json.dumps(named.params, sort_keys=True).encode()
        names.append(named.name + (f"-{hashlib.sha256(params).hexdigest()[:8]}" if named.params else ""))
        model = run_step(step, named.name, model, parent, place / "+".join(names))
    return model


def _checked(recipe: CompressionRecipe, run: Run) -> tuple[Step, ...]:
    """The steps, once none of them is known to refuse this run."""
    steps = recipe.made()
    for step in steps:
        if step.check is not None:
            step.check(run)
    return steps


def _claim(folder: Path, source: dict[str, str], recipe: CompressionRecipe) -> Path:
    """Mark a folder as that of this compression.

    Raises:
        RunError: it belongs to another one.
    """
    identity = json.dumps({"recipe": recipe.model_dump(mode="json"), **source}, indent=2) + "\n"
    mark = make_folder(folder) / MARK
    if mark.exists() and mark.read_text(encoding="utf-8") != identity:
        raise RunError(
            f"{folder}: this folder holds another compression, of another run or with another recipe.",
            f"Name a new folder, or see {mark}.",
        )
    write_text(mark, identity)
    return folder


def _source(run: Run) -> dict[str, str]:
    """What is compressed.

    Raises:
        RunError: the training has not finished.
    """
    run.network()  # refuses an unfinished one with the next step
    return {"network": run.model, "weights_sha256": RunPredictor(run).sha256, "split_sha256": run.split_sha256}


def _measured(named: Named, model: Model, parent: Model, gate: Gate, folder: Path) -> StepRecord:
    """A step's record, as it was measured before or as it is now.

    Raises:
        BundleError: the file has changed since it was measured.
    """
    place = model.bundle.parent
    bundle = Bundle(model.bundle, threads=1)
    path = place / "measured.json"
    if path.exists():
        record = StepRecord.from_json(path.read_text(encoding="utf-8"))
        if record.sha256 != bundle.sha256:
            raise BundleError(
                f"{model.bundle}: the file has changed since it was measured.",
                f"Delete the folder {place} and those after it, and run the command again.",
            )
        return record
    found = Figures(model, parent, "validation", gate)
    predictions = found.predictions
    names = found.metrics.provenance.shown("headline")
    record = StepRecord(
        name=named.name,
        params=named.params,
        file=model.bundle.relative_to(folder).as_posix(),
        **found.counts,
        warnings=found.warnings,
        latency_ms=float(str(predictions.meta["latency_ms"])),
        machine=predictions.meta["environment"],  # type: ignore[arg-type]  # names with versions
        metrics={label(name, predictions.label_set): found.metrics.get(name) for name in names},
        gate=found.gate,
        shipped=found.gate is None or found.gate.verdict == "pass",
    )
    write_text(path, record.to_json() + "\n")
    return record


def _finish(folder: Path, recipe: CompressionRecipe, run: Run, steps: list[StepRecord], last: Model) -> Compressed:
    """Write the record and, if a step passed, the file that ships."""
    passed = any(step.shipped for step in steps[1:])
    file = folder / last.bundle.name
    record = CompressionRecord(
        recipe=recipe.model_dump(mode="json"),
        source=_source(run),
        steps=tuple(steps),
        file=file.name if passed else "",
        sha256=Bundle(last.bundle).sha256 if passed else "",
    )
    write_text(folder / "record.json", record.to_json() + "\n")
    write_text(folder / "record.md", record.to_markdown())
    if not passed:
        raise RunError(f"{folder}: {record.summary}", f"See {folder / 'record.md'}.")
    if not (file.exists() and file.read_bytes() == last.bundle.read_bytes()):
        with replacing(file) as partial:
            shutil.copyfile(last.bundle, partial)
    return Compressed(folder, file, record)
