"""Small, calibrated, explained and honestly measured skin-lesion classifiers that run anywhere from one file.

>>> from lentigo import Classifier
>>> verdict = Classifier.load().classify("lesion.jpg")

A research tool and not a medical device.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lentigo.runtime import Classifier, Verdict

# Before anything loads ONNX Runtime: since 1.32 its wheels report usage to their maker, from clinics too.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"
__all__ = ["Classifier", "Verdict", "__version__"]

_PARTS = (
    "audit",
    "audit_log",
    "bulk",
    "clinic",
    "comparison",
    "compression",
    "data",
    "errors",
    "evaluation",
    "explanation",
    "export",
    "labels",
    "models",
    "page",
    "report",
    "runtime",
    "serve",
    "studies",
    "taxonomy",
    "texts",
    "training",
)
"""Public subpackages and modules, imported on first access."""


def __getattr__(name: str) -> Any:
    # Imported on first use, so that `import lentigo` costs next to nothing.
    if name in ("Classifier", "Verdict"):
        return getattr(import_module("lentigo.runtime"), name)
    if name in _PARTS:
        return import_module(f"lentigo.{name}")
    raise AttributeError(f"module 'lentigo' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *_PARTS, *(name for name in globals() if name.startswith("__"))})
