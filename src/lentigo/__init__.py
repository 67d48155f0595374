"""Small, calibrated, explained and honestly measured skin-lesion classifiers that run anywhere from one file.

>>> from lentigo import Classifier
>>> verdict = Classifier.load().classify("lesion.jpg")

A research tool and not a medical device.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lentigo.runtime import Classifier, Verdict

__version__ = "0.1.0"
__all__ = ["Classifier", "Verdict", "__version__"]


def __getattr__(name: str) -> Any:
    # Imported on first use, so that `import lentigo` costs next to nothing.
    if name in ("Classifier", "Verdict"):
        from lentigo import runtime

        return getattr(runtime, name)
    raise AttributeError(f"module 'lentigo' has no attribute {name!r}")
