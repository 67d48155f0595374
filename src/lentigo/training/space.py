"""What a search may choose: entries of the recipe and options of the network's builder, as data."""

import inspect
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
import optuna
import torch
from pydantic import Field

from lentigo import models
from lentigo.errors import RunError, did_you_mean, reason
from lentigo.labels import HAM10000
from lentigo.training.checked import Checked
from lentigo.training.recipe import Recipe
from lentigo.written import read_json

__all__ = [
    "Range",
    "Space",
    "apply_parameters",
    "check_space",
    "grid_of",
    "grid_size",
    "load_space",
    "plain_space",
    "suggest",
]

MOST_CELLS = 100_000
"""Combinations of a grid, all of which are listed before the first is tried."""
_REFUSED = {
    "target": "losses of different targets can't be compared",
    "loss": "different losses can't be compared",
    "balance": "it changes what the validation loss measures",
    "seed": "its effect is random and doesn't generalise to other images",
    "workers": "it affects only speed",
    "compile": "it affects only speed",
}


class Range(Checked):
    """Any real number from `low` to `high`, both above zero, alike in each order of magnitude.

    Attributes:
        low, high: the ends, both included.
        points: how many of them a grid tries, at equal ratios.
    """

    subject: ClassVar[str] = "range"

    low: Annotated[float, Field(gt=0)]
    high: Annotated[float, Field(gt=0)]
    points: Annotated[int, Field(ge=2, le=1000)] = 3

    def __init__(self, low: float, high: float, points: int = 3) -> None:
        super().__init__(low=low, high=high, points=points)  # type: ignore[call-arg]  # of the base

    def _check(self, recorded: bool) -> None:
        if self.low >= self.high:
            raise RunError(f"An invalid range from {self.low} to {self.high}.", "Put the smaller end first.")


Space = Mapping[str, Range | Sequence[object]]
"""Name of a recipe's entry or of a builder's option to its range, or to the values to choose from."""


def load_space(path: Path) -> Space:
    """Read a space from JSON such as `{"learning_rate": {"low": 1e-4, "high": 1e-2}, "filters": [[16, 32], [32, 64]]}`.

    Raises:
        RunError: absent, not JSON, or no space.
    """
    try:
        values = read_json(path)
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: not a search space ({reason(error)}).", "See lentigo.training.load_space.") from None
    if not isinstance(values, dict):
        raise RunError(f"{path}: not a search space.", "Write a JSON object: names with ranges or lists of values.")
    return {name: _choices(path, name, value) for name, value in values.items()}


def _choices(path: Path, name: str, value: object) -> Range | list[object]:
    """What a file reports for one entry."""
    if isinstance(value, list):
        return value
    try:
        return Range.model_validate(value)
    except RunError as error:
        raise RunError(f"{path}, {name}: {error.message}", f"{error.hint} Or list the values to choose from.") from None


def plain_space(space: Space) -> dict[str, object]:
    """As `load_space` reads it."""
    plain = {name: v.model_dump() if isinstance(v, Range) else list(v) for name, v in space.items()}
    return json.loads(json.dumps(plain))


def check_space(space: Space, model: str, recipe: Recipe) -> None:
    """See that every value fits, before hours are spent on the others.

    Raises:
        RunError: empty, a name that neither recipe nor builder knows, or a value that can't be.
    """
    if not space:
        raise RunError("The search space is empty.", "Name a recipe entry with two values or more.")
    for name, values in space.items():
        _check_values(name, values)
        if name in _REFUSED:
            raise RunError(f"A search can't choose the {name}: {_REFUSED[name]}.", "Set it in the recipe.")
        _check_name(name, model)
        ends: Sequence[object] = (values.low, values.high) if isinstance(values, Range) else values
        if isinstance(values, Range) and isinstance(getattr(recipe, name, 0.0), int | str):
            raise RunError(f"The recipe's {name} can't be any real number.", "List the values to choose from.")
        for value in ends:
            try:
                _, options = apply_parameters({name: value}, recipe)
            except RunError as error:
                raise RunError(f"The search space's {name}: {error.message}", error.hint) from None
            _check_options(model, recipe, options)
    firsts = {name: v.low if isinstance(v, Range) else v[0] for name, v in space.items()}
    _check_options(model, recipe, apply_parameters(firsts, recipe)[1])


def _check_values(name: str, values: Range | Sequence[object]) -> None:
    """A list of different values: of equal ones a grid would try one choice twice."""
    if isinstance(values, Range):
        return
    if not values:
        raise RunError(f"The search space is empty: {name} has no value.", "Name the values to choose from.")
    texts = [json.dumps(value) for value in values]
    if twice := next((text for text in texts if texts.count(text) > 1), None):
        raise RunError(f"The search space names {name} {twice} twice.", "Keep one of them.")


def _check_name(name: str, model: str) -> None:
    """See that recipe or builder knows a name; builders of whole libraries take any."""
    options = inspect.signature(models.entry(model).builder).parameters
    known = [*Recipe.model_fields, *(option for option in options if option != "num_classes")]
    if name not in known and not any(p.kind == p.VAR_KEYWORD for p in options.values()):
        raise RunError(f"Neither the recipe nor {model} has an entry {name!r}.", did_you_mean(name, known))


def _check_options(model: str, recipe: Recipe, options: Mapping[str, object]) -> None:
    """Build the network without its weights."""
    with torch.device("meta"):
        models.build(model, num_classes=recipe.outputs(HAM10000), **options)  # of any label set


def apply_parameters(parameters: Mapping[str, object], recipe: Recipe) -> tuple[Recipe, dict[str, object]]:
    """The recipe with chosen values in place of its own, and the chosen options of the builder."""
    own = {name: value for name, value in parameters.items() if name in Recipe.model_fields}
    return recipe.replaced(**own), {k: v for k, v in parameters.items() if k not in own}


def suggest(trial: optuna.Trial, space: Space) -> dict[str, object]:
    """Let Optuna choose. Values are kept as JSON text, for its storage knows no lists."""
    chosen: dict[str, object] = {}
    for name, values in space.items():
        if isinstance(values, Range):
            chosen[name] = trial.suggest_float(name, values.low, values.high, log=True)
        else:
            chosen[name] = json.loads(trial.suggest_categorical(name, [json.dumps(value) for value in values]))
    return chosen


def grid_size(space: Space) -> int:
    """How many combinations a grid has.

    Raises:
        RunError: more than can be listed, and so than can be tried.
    """
    size = math.prod(values.points if isinstance(values, Range) else len(values) for values in space.values())
    if size > MOST_CELLS:
        hint = "Name fewer values or points, or use another sampler."
        raise RunError(f"The grid has {size:,} combinations; at most {MOST_CELLS:,} can be searched.", hint)
    return size


def grid_of(space: Space) -> dict[str, list]:
    """The values that a grid tries, as `suggest` writes them."""
    return {
        name: np.geomspace(values.low, values.high, values.points).clip(values.low, values.high).tolist()
        if isinstance(values, Range)
        else [json.dumps(value) for value in values]
        for name, values in space.items()
    }
