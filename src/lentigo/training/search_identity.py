"""Whether a folder or a storage holds the search that is asked for, and nothing else."""

import json
from pathlib import Path
from typing import Any

from lentigo import data
from lentigo.atomic import entries, write_text
from lentigo.errors import RunError, reason
from lentigo.training.recipe import Recipe
from lentigo.training.samplers import Sampler
from lentigo.training.space import Space, plain_space

__all__ = ["check_folder", "describe", "mark", "refuse_other"]


def refuse_other(place: str, before: dict[str, Any], description: dict[str, Any]) -> None:
    """See that a search goes on with what it began with.

    Raises:
        RunError: something differs, which is named, or what it began with is damaged.
    """
    hint = "Choose another folder, or, in a shared storage, another study."
    try:
        begun = Recipe.from_dict(before["recipe"], recorded=True)  # older searches recorded older names
        recorded = _flat(before | {"recipe": json.loads(json.dumps(begun.to_dict()))})
    except (RunError, KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{place}: the description of its search is damaged ({reason(error)}).", hint) from None
    for entry, now in _flat(description).items():
        if recorded.get(entry) != now:
            raise RunError(f"{place}: {entry}: {recorded.get(entry)} recorded, {now} requested.", hint)
    if more := sorted(set(recorded) - set(_flat(description))):
        raise RunError(f"{place}: {more[0]}: {recorded[more[0]]} recorded, none requested.", hint)


def _flat(description: dict[str, Any]) -> dict[str, Any]:
    """Entries of recipe and space beside the others, so that the one that differs can be named."""
    nested = {name: value for name, value in description.items() if name in ("recipe", "space")}
    inner = {f"{name}.{entry}": value for name, values in nested.items() for entry, value in values.items()}
    return {name: value for name, value in description.items() if name not in nested} | inner


def describe(
    model: str, split: data.Split, space: Space, sampler: Sampler, recipe: Recipe, seed: int
) -> dict[str, object]:
    """What must stay the same when a search goes on."""
    return {
        "model": model,
        "split_sha256": split.hash,
        "sampler": sampler,
        "seed": seed,
        "space": plain_space(space),
        "recipe": json.loads(json.dumps(recipe.to_dict())),
        "warm_up": recipe.epochs // 4,
    }


def check_folder(folder: Path, resume: bool, shared: bool) -> None:
    """See that a folder is new, empty or of a search of this kind.

    Raises:
        RunError: it holds other files, a search that isn't to be resumed, or one with its storage elsewhere.
    """
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder}: this is a file.", "Name a folder for the search.")
    own, other = ("storage.json", "journal.log") if shared else ("journal.log", "storage.json")
    if (folder / other).exists():
        hint = "Omit --storage, or choose another folder." if shared else "Name it with --storage and --study."
        kind = "has its own storage" if shared else "is in a shared storage"
        raise RunError(f"{folder}: the search in this folder {kind}.", hint)
    if entries(folder):
        if not (folder / own).exists():
            raise RunError(f"{folder}: this folder contains other files, but no search.", "Choose another.")
        if not resume:
            raise RunError(f"{folder}: there is a search in this folder.", "Choose another, or resume it.")


def mark(folder: Path, place: str, study: str) -> None:
    """Note what a folder belongs to.

    Raises:
        RunError: it belongs to another storage or study.
    """
    now = {"storage": place, "study": study}
    path = folder / "storage.json"
    if not path.exists():
        write_text(path, json.dumps(now, indent=2) + "\n")  # first of all files: several workers may begin at once
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
        theirs = f"study {before['study']!r} in {before['storage']}"
    except (OSError, ValueError, KeyError, TypeError) as error:
        hint = "Choose another folder, or remove the file if nothing else searches here."
        raise RunError(
            f"{path}: it doesn't say which storage this folder belongs to ({reason(error)}).", hint
        ) from None
    if before != now:
        raise RunError(f"{folder}: this folder belongs to {theirs}.", "Name these, or choose another folder.")
