"""The service: REST over the same classifier, with limits that hold, and a client for it.

>>> from lentigo import serve
>>> serve.serve(["lentigo-s"], port=8080)
"""

from lentigo.errors import MissingExtraError

try:
    from lentigo.serve.app import create_app
    from lentigo.serve.client import Client
    from lentigo.serve.schemas import Classified, Diagnosis, Model, Models, Problem, RawOutputs, Result, RiskValues
    from lentigo.serve.server import serve
    from lentigo.serve.settings import Settings, load_settings
except ModuleNotFoundError as missing:
    if missing.name is None or missing.name.startswith("lentigo"):
        raise
    raise MissingExtraError("lentigo.serve", "serve") from missing

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
