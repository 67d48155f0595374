"""What a training with soft labels needs before it begins: its store, the store's augmentation, and honest teachers."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from lentigo.data import Split
from lentigo.errors import RunError
from lentigo.progress import note
from lentigo.training.distillation import DISTILLATION
from lentigo.training.recipe import Recipe
from lentigo.training.soft_labels import SoftLabels, load_soft_labels, refuse_leak
from lentigo.training.views import AUGMENTATION

__all__ = ["check_student", "find_store", "portable", "published", "with_store"]


def with_store(recipe: Recipe) -> Recipe:
    """The recipe as it is recorded: with the hash of its store and the augmentation of the store's views.

    Raises:
        RunError: no such store, or another one than the recipe's hash says.
    """
    store = find_store(recipe)
    if store is None:
        return recipe
    try:
        drawn = Recipe.from_dict(store.description.augmentation)
    except RunError as error:
        path = recipe.loss.params["store"]
        raise RunError(f"{path}: its augmentation is damaged. {error.message}", "Restore that file.") from None
    different = [
        name
        for name in AUGMENTATION
        if name in recipe.model_fields_set and getattr(recipe, name) != getattr(drawn, name)
    ]
    if different:
        note(f"The store's views are repeated as they were drawn; the recipe's {', '.join(different)} is not used.")
    loss = recipe.loss.model_copy(update={"params": recipe.loss.params | {"sha256": store.sha256}})
    return recipe.model_copy(update={"loss": loss, **{name: getattr(drawn, name) for name in AUGMENTATION}})


def find_store(recipe: Recipe) -> SoftLabels | None:
    """The store that a recipe's loss names, None where it needs none.

    Raises:
        RunError: no such store, or another one than the recipe's hash says.
    """
    if recipe.loss.name != DISTILLATION:
        return None
    params = recipe.loss.params
    store = load_soft_labels(params["store"])
    expected = params.get("sha256")
    if expected and store.sha256 != expected:
        raise RunError(
            f"{params['store']}: this is not the store of the recipe (sha256 {store.sha256[:12]}, expected "
            f"{expected[:12]}).",
            "Restore that file, or remove sha256 from the loss's params for a new run.",
        )
    return store


def check_student(store: SoftLabels, recipe: Recipe, split: Split) -> None:
    """See that a student of a split may learn from a store, and can.

    Raises:
        RunError: other classes, smaller views than the student's input, or a training that can't repeat views.
        LeakError: a teacher has seen what the student is tested on.
    """
    path, classes = recipe.loss.params["store"], recipe.learned(split.records.label_set)
    names = ", ".join(teacher.name for teacher in store.description.teachers)
    refuse_leak(names, store.learned, store.seen, split)
    if store.label_set.classes != classes.classes:
        raise RunError(
            f"{path}: its teachers distinguish {store.label_set}, the student {classes}.", "Build another store."
        )
    if store.description.size < recipe.size:
        raise RunError(
            f"{path}: its views are {store.description.size} pixels wide, the student takes {recipe.size}.",
            "Build it with a recipe of that size, or lower the student's size.",
        )
    if recipe.frozen_base:
        raise RunError("A frozen base sees each image only once, so it can't learn from views.", "Unset frozen_base.")


def portable(recipe: Recipe) -> dict[str, Any]:
    """A recipe's entries without the folders of the machine that trained: the store by its file name."""
    values = recipe.to_dict()
    if recipe.loss.name == DISTILLATION:
        store = PurePath(recipe.loss.params["store"]).name
        values["loss"] = {**values["loss"], "params": {**values["loss"]["params"], "store": store}}
    return values


def published(recipe: Recipe, soft_labels: Mapping[str, object]) -> dict[str, Any]:
    """What a file that travels says of a recipe: its entries, as in `portable`, and the teachers.

    Args:
        recipe: of a run.
        soft_labels: of the same run.
    """
    values = portable(recipe)
    if recipe.loss.name == DISTILLATION:
        values["soft_labels"] = {name: value for name, value in soft_labels.items() if name != "seen"}
    return values
