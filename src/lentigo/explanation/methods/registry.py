"""The table of methods, and the parameters that each takes."""

import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lentigo.errors import DataError, did_you_mean

__all__ = ["METHODS", "Method", "find_method", "parse_settings", "register"]

Needs = Literal["maps", "answers", "network"]
Function = Callable[..., NDArray[np.float32]]


@dataclass(frozen=True)
class Method:
    """A way to explain an answer.

    Attributes:
        name: its id.
        needs: 'maps' (a model with class-activation maps), 'answers' (any model) or 'network' (torch, and what is
            inside).
        function: from the model, the image uint8 [H, W, 3], the position of the diagnosis and parameters by keyword
            to a map [h, w] over the central square.
        summary: one sentence with its source.
        parameters: names and defaults.
    """

    name: str
    needs: Needs
    function: Function
    summary: str
    parameters: Mapping[str, Any]

    def settings(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """All parameters: those given, and the defaults of the others.

        Raises:
            DataError: an unknown parameter, or a value of another kind than its default.
        """
        for name, value in given.items():
            if name not in self.parameters:
                known = did_you_mean(name, self.parameters) if self.parameters else "It has none."
                raise DataError(f"The method {self.name} has no parameter {name!r}.", known)
            default = self.parameters[name]
            kind = (int, float) if isinstance(default, float) else type(default)
            wrong = default is not None and (not isinstance(value, kind) or isinstance(value, bool))
            if wrong or (isinstance(value, int | float) and not (np.isfinite(value) and value >= 0)):
                raise DataError(
                    f"The method {self.name} can't work with {name}={value!r}.", f"The default is {default!r}."
                )
        return {**self.parameters, **given}


METHODS: dict[str, Method] = {}
"""All methods by name."""


def register(needs: Needs) -> Callable[[Function], Function]:
    """Decorate a function of the model, the image, the position of the diagnosis, and keyword-only parameters."""

    def add(function: Function) -> Function:
        summary = (function.__doc__ or "").strip().splitlines()[0]
        signature = inspect.signature(function).parameters.values()
        parameters = {p.name: p.default for p in signature if p.kind is p.KEYWORD_ONLY}
        METHODS[function.__name__] = Method(function.__name__, needs, function, summary, parameters)
        return function

    return add


def find_method(name: str) -> Method:
    """A method by name.

    Raises:
        DataError: there is none.
    """
    if name not in METHODS:
        raise DataError(f"No method {name!r}.", did_you_mean(name, METHODS))
    return METHODS[name]


def parse_settings(texts: Iterable[str]) -> dict[str, Any]:
    """Parameters from 'name=value', the value a number in JSON or else taken as text.

    Raises:
        DataError: no name, no value, or a name twice.
    """
    found: dict[str, Any] = {}
    for text in texts:
        name, _, value = text.partition("=")
        if not name or not value:
            raise DataError(f"{text!r} is not a parameter.", "Write it as masks=1000.")
        if name in found:
            raise DataError(f"The parameter {name!r} is stated twice.", "State each once.")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found
