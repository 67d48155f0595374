"""Architectures. They know no data: pixels in, logits out. Every module of this package is searched for networks."""

import importlib
import pkgutil

from lentigo.errors import needs_extra

with needs_extra("lentigo.models", "train"):
    from lentigo.models.counting import Counts, count_parameters
    from lentigo.models.flip_tta import FlipTTA
    from lentigo.models.registry import Entry, build, describe, entry, names, parse_options, register
    from lentigo.models.weights import Loaded, load_weights
from lentigo.normalisation import Normalisation

__all__ = [
    "Counts",
    "Entry",
    "FlipTTA",
    "Loaded",
    "Normalisation",
    "build",
    "count_parameters",
    "describe",
    "entry",
    "load_weights",
    "names",
    "parse_options",
    "register",
]


def _discover() -> None:
    """Import every module of this package: one registers its networks when it is imported."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")


_discover()
