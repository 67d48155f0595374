"""Images in, verdicts out, without torch."""

from lentigo.runtime.bundle import Bundle, BundleMetadata, OODThreshold, OperatingPoint, Outputs
from lentigo.runtime.classifier import Classifier, Failure
from lentigo.runtime.files import classify_files
from lentigo.runtime.images import decode
from lentigo.runtime.rendering import render
from lentigo.runtime.shipped import describe_models, shipped_models
from lentigo.runtime.verdict import NOTICE, Verdict
from lentigo.runtime.walking import find_images

__all__ = [
    "NOTICE",
    "Bundle",
    "BundleMetadata",
    "Classifier",
    "Failure",
    "OODThreshold",
    "OperatingPoint",
    "Outputs",
    "Verdict",
    "classify_files",
    "decode",
    "describe_models",
    "find_images",
    "render",
    "shipped_models",
]
