"""Arguments of public functions: one of a wrong type ends in an error that says what is taken."""

import functools
import inspect
import reprlib
from collections.abc import Callable, Iterable, Mapping
from os import PathLike
from pathlib import Path
from types import UnionType
from typing import Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin

from lentigo.errors import DataError

__all__ = ["checked"]

_MANY = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_CONTAINERS = ("builtins", "collections.abc")
_OPEN = (inspect.Parameter.empty, Any, object, bool, int, float)
P = ParamSpec("P")
R = TypeVar("R")


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Refuse arguments of other types than the annotations name, before anything is done with them.

    Left to the function: numbers, arrays, protocols, and words that it has a list of.

    Raises:
        DataError: from the function that is returned.
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def checking(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            given = signature.bind(*args, **kwargs).arguments
        except TypeError:  # too many or too few of them, which Python says better
            return function(*args, **kwargs)
        for name, value in given.items():
            parameter = signature.parameters[name]
            if parameter.kind not in _MANY and not _fits(value, parameter.annotation):
                place = ".".join([*function.__module__.split(".")[:2], function.__qualname__])
                raise DataError(
                    f"{place}: {name} can't be {reprlib.repr(value)}, of type {type(value).__name__}.",
                    f"It takes {inspect.formatannotation(parameter.annotation)}.",
                )
        return function(*args, **kwargs)

    return checking


def _fits(value: object, taken: Any) -> bool:
    """Whether a value is of a type, or may be."""
    origin, parts = get_origin(taken), get_args(taken)
    if origin in (Union, UnionType):
        return any(_fits(value, part) for part in parts)
    if taken is None:
        return value is None
    if taken in (Path, PathLike) or origin is PathLike:
        return isinstance(value, str | PathLike)
    if origin is Literal:
        return isinstance(value, tuple(map(type, parts)))
    if isinstance(origin, type) and issubclass(origin, Iterable) and origin.__module__ in _CONTAINERS:
        alike = isinstance(value, list | tuple) and (len(parts) == 1 or parts[-1] is Ellipsis)
        if isinstance(value, str | bytes) or not isinstance(
            value, Mapping if issubclass(origin, Mapping) else Iterable
        ):
            return False
        return not alike or all(_fits(element, parts[0]) for element in value)
    if not isinstance(taken, type) or taken in _OPEN or getattr(taken, "_is_protocol", False):
        return True
    return isinstance(value, taken)
