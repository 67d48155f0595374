"""Methods by name. Every module of this package is searched for them; torch is imported only where one is called."""

import importlib
import pkgutil

from lentigo.explanation.methods.registry import METHODS, Method, find_method, parse_settings

__all__ = ["METHODS", "Method", "find_method", "parse_settings"]

for _module in sorted(module.name for module in pkgutil.iter_modules(__path__)):
    importlib.import_module(f"{__name__}.{_module}")
