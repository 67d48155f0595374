"""Augmentations by the name of their class, as a recipe writes them down.

A new augmentation is one file in this package: each `Augmentation` and `Mixing` that a module here defines, and names
in its `__all__`, is found by itself.
"""

import inspect
import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from lentigo.data.augment.base import Augmentation, Sometimes
from lentigo.data.augment.mixing import Mixing
from lentigo.errors import DataError, did_you_mean

__all__ = ["make", "names"]


def names() -> tuple[str, ...]:
    """Names of all augmentations, sorted."""
    return tuple(sorted(_found()))


def make(name: str, *, probability: float = 1.0, **parameters: object) -> Augmentation | Mixing:
    """The augmentation of that name.

    Args:
        name: one of `names()`.
        probability: probability, 0 to 1, that an image is changed; a `Mixing` draws its own shares and takes 1 only.
        parameters: arguments of the class of that name; those left out have its defaults.

    Raises:
        DataError: no such name or parameter, or a value outside what the parameter allows.
    """
    found = _found()
    if name not in found:
        raise DataError(f"There is no augmentation {name!r}.", did_you_mean(name, names()))
    step = found[name](**_checked(name, found[name], parameters))
    if isinstance(probability, bool) or not isinstance(probability, int | float) or not 0 <= probability <= 1:
        raise DataError(f"{name}: a probability of {probability!r}.", "Choose one from 0 to 1.")
    if probability == 1:
        return step
    if isinstance(step, Mixing):
        raise DataError(f"{name} takes no probability.", "It draws how much of each image is mixed: set its alpha.")
    return Sometimes(step, probability)


def _checked(name: str, kind: type, parameters: Mapping[str, object]) -> dict[str, object]:
    """The parameters in the types of the constructor, within the limits that its annotations set."""
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in parameters.items()}
    try:
        return dict(_arguments(kind)(**given))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        allowed = ", ".join(_arguments(kind).model_fields) or "none"
        raise DataError(f"{name}, {where}: {first['msg']}.", f"Its parameters: {allowed}.") from None


@cache
def _arguments(kind: type) -> type[BaseModel]:
    """What the constructor of an augmentation accepts, as a model of pydantic."""
    known = inspect.signature(kind).parameters.values()
    fields: dict[str, tuple[object, object]] = {p.name: (p.annotation, p.default) for p in known}
    config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    return create_model(kind.__name__, __config__=config, **fields)  # type: ignore[call-overload]


@cache
def _found() -> dict[str, type[Augmentation] | type[Mixing]]:
    """Every augmentation with a file here, by name; the building blocks of `base` do nothing by themselves."""
    # Told by its folder: importing the package from within would be a circle.
    package, folder = __name__.rpartition(".")[0], str(Path(__file__).parent)
    modules = [import_module(f"{package}.{module.name}") for module in pkgutil.iter_modules([folder])]
    public = [getattr(module, name) for module in modules for name in getattr(module, "__all__", ())]
    kinds = [k for k in public if inspect.isclass(k) and issubclass(k, Augmentation | Mixing)]
    return {
        kind.__name__: kind
        for kind in kinds
        if not inspect.isabstract(kind) and kind.__module__ != Augmentation.__module__
    }
