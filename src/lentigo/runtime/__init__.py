"""Images in, verdicts out, without torch."""

from lentigo.runtime.bundle import Bundle, BundleMetadata, OperatingPoint
from lentigo.runtime.classifier import Classifier, Failure
from lentigo.runtime.images import decode, find_images
from lentigo.runtime.shipped import shipped_models
from lentigo.runtime.verdict import NOTICE, Verdict

__all__ = [
    "NOTICE",
    "Bundle",
    "BundleMetadata",
    "Classifier",
    "Failure",
    "OperatingPoint",
    "Verdict",
    "decode",
    "find_images",
    "shipped_models",
]
