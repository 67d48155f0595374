"""The service: REST over the same classifier, with limits that hold, and a client for it.

>>> from lentigo import serve
>>> serve.serve(["lentigo-s"], port=8080)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lentigo.errors import needs_extra

if TYPE_CHECKING:
    from lentigo.serve.app import create_app
    from lentigo.serve.client import Client
    from lentigo.serve.schemas import Classified, Diagnosis, Model, Models, Problem, RawOutputs, Result, RiskValues
    from lentigo.serve.server import serve
    from lentigo.serve.settings import Settings, load_settings

__all__ = [
    "Classified",
    "Client",
    "Diagnosis",
    "Model",
    "Models",
    "Problem",
    "RawOutputs",
    "Result",
    "RiskValues",
    "Settings",
    "create_app",
    "load_settings",
    "serve",
]

_PLACES = {
    "Client": "client",
    "Settings": "settings",
    "create_app": "app",
    "load_settings": "settings",
    "serve": "server",
}
"""The modules of the names above; what is missing here is in `schemas`."""


def __getattr__(name: str) -> Any:
    # Imported on first use, so that the worker processes, which need none of it, don't carry the web framework.
    if name not in __all__:
        raise AttributeError(f"module 'lentigo.serve' has no attribute {name!r}")
    with needs_extra("lentigo.serve", "serve"):
        return getattr(import_module(f"lentigo.serve.{_PLACES.get(name, 'schemas')}"), name)


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
