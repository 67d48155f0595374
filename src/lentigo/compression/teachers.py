"""Train teachers: a declared list of networks over the folds of a data set, in one resumable call.

OUT/teachers.json            what was declared, for the folder to be recognised by
OUT/splits/fold0.csv         the splits
OUT/NAME/fold0/              a run each, with its predictions.parquet and validation.parquet
OUT/NAME/out_of_fold.parquet predictions of each image by the network that hasn't learned from it
OUT/teachers.md, table.json  what came out, and what the teachers of a fold are together
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from lentigo import data, models
from lentigo.atomic import own_folder, replacing, write_text
from lentigo.compression.taught import TaughtTeachers, summarise
from lentigo.compression.teacher_specs import TeacherSpec, load_teachers
from lentigo.compression.timing import seconds_an_image
from lentigo.compression.turned import predict_turned
from lentigo.errors import OutputError, RunError
from lentigo.evaluation import predict_part
from lentigo.evaluation.predict import Part
from lentigo.progress import note
from lentigo.training import Run, load_run, train
from lentigo.training.devices import Device, find_device
from lentigo.training.history import duration, kept_epoch
from lentigo.training.resume import refuse_other_split

__all__ = ["train_teachers", "train_teachers_from"]

DECLARED = "teachers.json"
FOLDS_WITHOUT_CARD = 3
"""Folds that are trained where there is no graphics card, if nobody says which."""
PathLike = str | os.PathLike[str]


def train_teachers(
    records: data.Records,
    teachers: Sequence[TeacherSpec],
    out: PathLike,
    *,
    folds: Sequence[int] | None = None,
    of: int = 5,
    protocol: str = "grouped",
    seed: int = 0,
    weights: PathLike = ".",
    device: Device = "auto",
) -> TaughtTeachers:
    """Train every teacher on every fold, predict each fold's test part, and write a table.

    Finished runs are kept, an interrupted one is resumed: called again with the same arguments it ends in the same
    files. More folds may be asked for later. How long it will take is said first.

    Args:
        records: the data set.
        teachers: what to train.
        out: folder.
        folds: numbers from 0; without it all where there is a graphics card, and else the first three.
        of: number of folds.
        protocol: of the splits.
        seed: of the splits.
        weights: folder of the files that the teachers' weights name.
        device: where.

    Raises:
        RunError: no teacher, two of one name, no such fold, a network or weights that can't be had, what is there is of
            another split, or as `train`.
        DataError: the data set can't be split or read.
        OutputError: the folder belongs to another list or data set, or can't be written.
        KeyboardInterrupt: Ctrl-C; called again it goes on.
    """
    numbers = _folds(folds, of, device)
    files = _check(teachers, numbers, of, Path(weights))
    splits = {fold: data.split(records, protocol, fold=fold, folds=of, seed=seed) for fold in numbers}
    folder = _own(Path(out), teachers, splits[numbers[0]])
    for fold, split in splits.items():
        file = folder / "splits" / f"fold{fold}.csv"
        if file.exists():  # teachers may be trained on it
            refuse_other_split(file, data.load_split(file, records).hash, split)
    for fold, split in splits.items():
        split.save(folder / "splits" / f"fold{fold}.csv")
    note(how_long(teachers, splits, folder, device))
    seconds = {teacher.name: 0.0 for teacher in teachers}
    for fold, split in splits.items():  # fold by fold: the first ensemble is there early
        for teacher in teachers:
            run = _trained(teacher, split, folder / teacher.name / f"fold{fold}", files[teacher.name], device)
            seconds[teacher.name] += kept_epoch(run.path, run.recipe.keep)[2]
    return summarise(folder, [teacher.name for teacher in teachers], numbers, of, seconds)


def train_teachers_from(
    root: data.Root,
    teachers: PathLike,
    out: PathLike,
    *,
    folds: Sequence[int] | None = None,
    of: int = 5,
    protocol: str = "grouped",
    seed: int = 0,
    weights: PathLike | None = None,
    device: Device = "auto",
    labels: data.Labels | Sequence[data.Labels] = None,
    mapping: data.LabelMap | Sequence[data.LabelMap] = None,
) -> TaughtTeachers:
    """Read a data set and a list of teachers, and train them: `train_teachers` from files.

    Args:
        root: the data set, or several, as in `data.read`.
        teachers: JSON file as of `load_teachers`.
        out: as in `train_teachers`.
        folds: as in `train_teachers`.
        of: as in `train_teachers`.
        protocol: as in `train_teachers`.
        seed: as in `train_teachers`.
        weights: folder of the weights; without it that of the list.
        device: as in `train_teachers`.
        labels: the diagnoses that the data set tells apart, as in `data.read`.
        mapping: as in `data.read`.

    Raises:
        LentigoError: as `train_teachers`, `load_teachers` and `data.read`.
    """
    declared = load_teachers(teachers)
    place = Path(teachers).parent if weights is None else weights
    records = data.read(root, labels=labels, mapping=mapping)
    chosen: dict[str, Any] = {"folds": folds, "of": of, "protocol": protocol, "seed": seed}
    return train_teachers(records, declared, out, **chosen, weights=place, device=device)


def how_long(
    teachers: Sequence[TeacherSpec], splits: Mapping[int, data.Split], folder: Path, device: Device = "auto"
) -> str:
    """What is left to train and how long it will take here, measured on a few steps of each network."""
    lines, total = [], 0.0
    for teacher in teachers:
        left = {fold: _epochs_left(teacher, folder / teacher.name / f"fold{fold}") for fold in splits}
        epochs = sum(left.values())
        if not epochs:
            continue
        classes = teacher.recipe.outputs(splits[min(splits)].records.label_set)
        learning, judging = seconds_an_image(
            teacher.model, teacher.recipe, classes, options=teacher.options, device=device
        )
        seconds = sum(
            left[fold] * (learning * len(split.train) + judging * len(split.validation))
            for fold, split in splits.items()
        )
        total += seconds
        lines.append(f"{teacher.name}: {epochs} epochs, {learning * 1000:.2f} ms an image, about {duration(seconds)}")
    if not lines:
        return "All teachers are trained."
    return "\n".join(
        [*lines, f"Together about {duration(total)} on {find_device(device).type}, by a few steps of each."]
    )


def _epochs_left(teacher: TeacherSpec, folder: Path) -> int:
    if (folder / "network.safetensors").exists():
        return 0
    log = folder / "log" / "metrics.csv"
    done = len(pd.read_csv(log)) if log.exists() else 0
    return max(1, teacher.recipe.epochs + teacher.recipe.finetune_epochs - done)


def _folds(folds: Sequence[int] | None, of: int, device: Device) -> list[int]:
    if folds is not None:
        return list(folds)
    if find_device(device).type != "cpu":
        return list(range(of))
    few = min(of, FOLDS_WITHOUT_CARD)
    note(f"Without a graphics card {few} of {of} folds are trained; name the folds for others.")
    return list(range(few))


def _check(teachers: Sequence[TeacherSpec], folds: Sequence[int], of: int, weights: Path) -> dict[str, Path | None]:
    """The weights file of each teacher: refused before hours of work for what would be refused within it."""
    names = [teacher.name for teacher in teachers]
    if not names:
        raise RunError("There is no teacher to train.", "Declare at least one.")
    if len(set(names)) < len(names) or "ensemble" in names or "splits" in names:
        raise RunError(
            f"The teachers are called {', '.join(names)}.", "Give each its own name, not ensemble or splits."
        )
    if not folds or len(set(folds)) < len(folds) or not all(0 <= fold < of for fold in folds):
        raise RunError(
            f"There are no such folds of {of}: {', '.join(map(str, folds)) or 'none'}.", f"From 0 to {of - 1}."
        )
    files = {t.name: weights / t.weights if t.weights else None for t in teachers}
    for teacher in teachers:
        models.entry(teacher.model)
        if teacher.turns and teacher.recipe.frozen_base:
            raise RunError(f"{teacher.name}: a frozen base sees each image as it is alone.", "Unset turns.")
        file = files[teacher.name]
        if file is not None and not file.exists():
            raise RunError(f"{file}: the weights of {teacher.name} are not there.", "Name their folder: --weights.")
    return files


def _own(folder: Path, teachers: Sequence[TeacherSpec], split: data.Split) -> Path:
    """The folder, recognised by its list, its data and its splits."""
    own_folder(folder, (DECLARED,))
    declared = {
        "teachers": [teacher.declared() for teacher in teachers],
        "source": split.records.name,
        "images": len(split.records),
        "protocol": split.protocol,
        "of": split.folds,
        "seed": split.seed,
    }
    file = folder / DECLARED
    try:
        found = json.loads(file.read_text(encoding="utf-8")) if file.exists() else declared
    except (OSError, ValueError):
        found = None
    if found != json.loads(json.dumps(declared)):
        raise OutputError(
            f"{folder}: this folder belongs to other teachers or another data set.", "Choose another one."
        )
    write_text(file, json.dumps(declared, indent=2) + "\n")
    return folder


def _trained(teacher: TeacherSpec, split: data.Split, folder: Path, weights: Path | None, device: Device) -> Run:
    """A finished run with its predictions, trained as far as it isn't yet."""
    finished = (folder / "network.safetensors").exists()
    if finished:
        run = load_run(folder, split.records.roots, device=device)
        refuse_other_split(folder, run.split_sha256, split)
    else:
        resume = (folder / "recipe.json").is_file()
        note(f"{teacher.name}, fold {split.fold}{', resumed' if resume else ''}")
        run = train(
            *(teacher.model, split, teacher.recipe),
            out=folder,
            options=teacher.options,
            weights=weights,
            resume=resume,
            device=device,
        )
    parts: dict[Part, str] = {"validation": "validation", "test": "predictions"}
    for part, name in parts.items():
        file = folder / f"{name}.parquet"
        if not file.exists():
            with replacing(file) as partial:
                (predict_turned if teacher.turns else predict_part)(run, part).save(partial)
    return run
