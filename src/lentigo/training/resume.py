"""Whether a folder holds a run to resume, and whether it is the one that was asked for."""

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from lentigo import data
from lentigo.atomic import entries
from lentigo.data.split_file import COLUMNS, HEADER
from lentigo.errors import RunError
from lentigo.training.loading import load_run
from lentigo.training.recipe import Recipe
from lentigo.training.run import Run

__all__ = ["check_same", "recorded_recipe", "recorded_run", "refuse_other_split"]

NEXT = "Omit it to resume with what is recorded, or choose another folder."


def recorded_run(folder: Path, resume: bool) -> Run | None:
    """The run in a folder; None where a new one can begin.

    Raises:
        RunError: there is something in the folder that isn't to be resumed, or nothing that can be.
    """
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder}: this is a file.", "Name a folder for the run.")
    if (folder / "recipe.json").is_file() and resume:
        return load_run(folder)
    if entries(folder):
        if resume:
            raise RunError(f"{folder}: no lentigo run to resume.", "Name the folder of an interrupted run.")
        raise RunError(f"{folder}: this folder is not empty.", "Choose another, or resume with --resume.")
    if resume:
        raise RunError(f"{folder}: there is nothing to resume.", "Check the path, or omit --resume to start a new run.")
    return None


def recorded_recipe(old: Run | None, asked: Recipe | None) -> Recipe:
    """The recipe of the run to resume; without one, what was asked for, or the defaults.

    Raises:
        RunError: an entry that was set is not as recorded.
    """
    if old is None:
        return asked or Recipe()
    if asked:
        values = asked.to_dict()
        pairs = {name: (value, values[name]) for name, value in old.recipe.to_dict().items()}
        _refuse(old, {name: pair for name, pair in pairs.items() if name in asked.model_fields_set})
    return old.recipe


def check_same(old: Run, asked: Mapping[str, object], split: data.Split) -> None:
    """See that network and split are as recorded.

    Args:
        old: the run to resume.
        asked: values of some of its attributes.
        split: what was asked for.

    Raises:
        RunError: they aren't.
    """
    _refuse_shrunk(old, split)
    header = _split_header(old.path / "split.csv")
    now = {name: getattr(split, name) for name in ("protocol", "fold", "folds", "seed")}
    pairs = {name: (getattr(old, name), value) for name, value in asked.items()}
    pairs |= {name: (header[name], value) for name, value in now.items() if name in header}
    if old.label_set != split.records.label_set:
        pairs["label set"] = (old.label_set.name, split.records.label_set.name)
    if old.split_sha256 != split.hash:
        pairs["split"] = (old.split_sha256[:12], split.hash[:12])
    _refuse(old, pairs)


def refuse_other_split(place: Path, recorded: str, split: data.Split) -> None:
    """See that what was finished earlier is of this split: a data set of the same name may have other images.

    Args:
        place: where it lies.
        recorded: hash of the split that it is of.
        split: the one that is asked for now.

    Raises:
        RunError: it is of another.
    """
    if recorded != split.hash:
        raise RunError(
            f"{place}: this is of another split, of other or changed data ({recorded[:12]} recorded, "
            f"{split.hash[:12]} requested).",
            "Choose another --out, restore the data set, or remove what is there to train again.",
        )


def _refuse_shrunk(old: Run, split: data.Split) -> None:
    """Refuse what is left of the recorded split: images that this training has seen are left out by now."""
    path = old.path / "split.csv"
    if old.split_sha256 == split.hash:
        return
    try:
        recorded = pd.read_csv(path, skiprows=1, dtype=str, keep_default_na=False, usecols=list(COLUMNS))
    except (OSError, ValueError):  # an interruption came before it was saved
        return
    gone = set(recorded["image_id"]) - set(split.manifest["image_id"])
    left = recorded[~recorded["image_id"].isin(gone)]
    rows = (frame[list(COLUMNS)].to_numpy(dtype=object).tolist() for frame in (left, split.manifest))
    if gone and next(rows) == next(rows):
        raise RunError(
            f"{old.path}: it began with images that the split now lacks ({len(gone):,}, such as {min(gone)}), so it "
            "can't continue.",
            f"Train again in another folder: --split {path} keeps the other images in their parts.",
        )


def _split_header(path: Path) -> dict[str, object]:
    """What a saved split says first; nothing where an interruption came before it was saved."""
    try:
        with path.open(encoding="utf-8") as file:
            return dict(json.loads(file.readline().removeprefix(HEADER)))
    except (OSError, ValueError):
        return {}


def _refuse(old: Run, pairs: Mapping[str, tuple[object, object]]) -> None:
    different = [
        f"{name}: {before or 'none'} recorded, {now or 'none'} requested"
        if not isinstance(before, int | float)
        else f"{name}: {before} recorded, {now} requested"
        for name, (before, now) in pairs.items()
        if before != now
    ]
    if different:
        raise RunError(f"{old.path}: {'; '.join(different)}.", NEXT)
