"""Networks by name: the name of a decorated function is the public id of what it builds.

Names with a slash, such as 'timm/mobilenetv3_small_100', are looked up in a library of networks by that prefix.
"""

import inspect
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, overload

from torch import nn

from lentigo.errors import RunError
from lentigo.models.pruned import narrow
from lentigo.normalisation import Normalisation

__all__ = [
    "Builder",
    "Entry",
    "build",
    "describe",
    "entry",
    "names",
    "parse_options",
    "register",
    "register_library",
]

Builder = Callable[..., nn.Module]


@dataclass(frozen=True)
class Entry:
    """What is known of a network before it is built.

    Attributes:
        name: public id.
        builder: `builder(num_classes=…, **options)` gives it with fresh random weights.
        size: native input, pixels a side.
        any_size: whether other sizes fit too; networks that flatten their maps take the native size alone.
        num_classes: classes as published.
        normalisation: what its trained weights expect of their input, or what was published; None where nothing was.
        summary: one sentence for people.
    """

    name: str
    builder: Builder
    size: int
    any_size: bool
    num_classes: int
    normalisation: Normalisation | None
    summary: str


_ENTRIES: dict[str, Entry] = {}
_LIBRARIES: dict[str, Callable[[str], Entry]] = {}


@overload
def register(builder: Builder) -> Builder: ...


@overload
def register(
    *, size: int = ..., any_size: bool = ..., normalisation: Normalisation | None = ...
) -> Callable[[Builder], Builder]: ...


def register(
    builder: Builder | None = None,
    *,
    size: int = 224,
    any_size: bool = True,
    normalisation: Normalisation | None = None,
) -> Builder | Callable[[Builder], Builder]:
    """Decorate a function `name(num_classes=7, **options) -> nn.Module`; its docstring's first line is shown.

    See `Entry` for the options. The default of `num_classes` is taken from the function.
    """
    if builder is None:
        return lambda function: _add(function, size, any_size, normalisation)
    return _add(builder, size, any_size, normalisation)


def _add(builder: Builder, size: int, any_size: bool, normalisation: Normalisation | None) -> Builder:
    name = builder.__name__
    if name in _ENTRIES:
        raise ValueError(f"Two networks are called {name!r}.")
    classes = inspect.signature(builder).parameters["num_classes"].default
    summary = (builder.__doc__ or "").strip().splitlines()[0]
    _ENTRIES[name] = Entry(name, builder, size, any_size, classes, normalisation, summary)
    return builder


def register_library(lookup: Callable[[str], Entry]) -> Callable[[str], Entry]:
    """Decorate a function that makes the entry of 'prefix/name' from the name; its own name is the prefix.

    It raises KeyError with a hint for an unknown name.
    """
    _LIBRARIES[lookup.__name__] = lookup
    return lookup


def entry(name: str) -> Entry:
    """What is known of a network.

    Raises:
        RunError: no network has that name; the message prints the nearest.
    """
    prefix, slash, rest = name.partition("/")
    if slash and prefix in _LIBRARIES:
        return _LIBRARIES[prefix](rest)
    if name not in _ENTRIES:
        near = get_close_matches(name, names(), n=1)
        libraries = ", ".join(f"{library}/NAME" for library in sorted(_LIBRARIES))
        hint = f"Did you mean {near[0]!r}?" if near else f"Known networks: {', '.join(names())}, {libraries}."
        raise RunError(f"Unknown network {name!r}.", hint)
    return _ENTRIES[name]


def build(name: str, num_classes: int | None = None, *, channels: Any = None, **options: object) -> nn.Module:
    """Build a network with fresh random weights.

    Args:
        name: one of `names()`, or 'torchvision/NAME' or 'timm/NAME'.
        num_classes: 7 for the diagnoses, 2 for benign and malignant; as published where not given.
        channels: of a structurally pruned network, the shapes of the layers that lost channels; see `pruned.narrow`.
        options: further arguments of the network's builder.

    Raises:
        RunError: no network has that name, it has no such option, or it can't be built with these values.
    """
    known = entry(name)
    arguments = {"num_classes": known.num_classes if num_classes is None else num_classes, **options}
    try:
        inspect.signature(known.builder).bind(**arguments)
    except TypeError as error:
        own = [p for p in inspect.signature(known.builder).parameters if p not in ("num_classes", "options")]
        hint = f"Its options: {', '.join(own)}." if own else "It has no options."
        raise RunError(f"{name}: {error}.", hint) from None
    try:
        network = known.builder(**arguments)
    except (TypeError, ValueError, RuntimeError, IndexError, AttributeError, ZeroDivisionError) as error:
        said = ", ".join(f"{option}={value!r}" for option, value in arguments.items())
        raise RunError(f"{name} can't be built with {said} ({error}).", "Use other values.") from error
    if channels is not None:
        narrow(network, channels)
    return network


def parse_options(texts: Iterable[str]) -> dict[str, object]:
    """Options of a builder from 'name=value', the value in JSON or else taken as text.

    Raises:
        RunError: no name, no value, or a name twice.
    """
    options: dict[str, object] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise RunError(f"{text!r} is not a network option.", "Write it as head=hidden.")
        if name in options:
            raise RunError(f"The network option {name!r} is stated twice.", "State each once.")
        try:
            options[name] = json.loads(value)
        except ValueError:
            options[name] = value
    return options


def names() -> list[str]:
    """Names of all registered networks, sorted."""
    return sorted(_ENTRIES)


def describe(name: str) -> str:
    """One sentence on a network."""
    return entry(name).summary
