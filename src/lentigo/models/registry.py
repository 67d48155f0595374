"""Networks by name: the name of a decorated function is the public id of what it builds."""

from collections.abc import Callable
from difflib import get_close_matches

from torch import nn

from lentigo.errors import RunError

__all__ = ["build", "names", "register"]

Builder = Callable[..., nn.Module]
_BUILDERS: dict[str, Builder] = {}


def register(builder: Builder) -> Builder:
    """Decorate a function `name(num_classes=7, **options) -> nn.Module`; its docstring's first line is shown."""
    name = builder.__name__
    if name in _BUILDERS:
        raise ValueError(f"Two networks are called {name!r}.")
    _BUILDERS[name] = builder
    return builder


def build(name: str, num_classes: int = 7, **options: object) -> nn.Module:
    """Build a registered network with fresh random weights.

    Raises:
        RunError: no network has that name; the message prints the nearest.
    """
    if name not in _BUILDERS:
        near = get_close_matches(name, names(), n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Known networks: {', '.join(names())}."
        raise RunError(f"Unknown network {name!r}.", hint)
    return _BUILDERS[name](num_classes=num_classes, **options)


def names() -> list[str]:
    """Names of all registered networks, sorted."""
    return sorted(_BUILDERS)


def describe(name: str) -> str:
    """First line of a network's docstring."""
    return (_BUILDERS[name].__doc__ or "").strip().splitlines()[0]
