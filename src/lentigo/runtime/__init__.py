"""Images in, verdicts out, without torch."""

from lentigo.runtime.bundle import Bundle
from lentigo.runtime.classifier import Classifier
from lentigo.runtime.decisions import DECISIONS, Risk
from lentigo.runtime.failure import Failure
from lentigo.runtime.files import FileResults, classify_files
from lentigo.runtime.fingerprints import IdSet
from lentigo.runtime.heatmap_files import is_heatmap
from lentigo.runtime.images import decode
from lentigo.runtime.json_form import verdict_schema
from lentigo.runtime.litert import LiteRT
from lentigo.runtime.metadata import BundleMetadata, Head, OODThreshold, OperatingPoint, OptionalInput
from lentigo.runtime.predictor import Ensemble, Origin, Outputs, Predictor
from lentigo.runtime.prevalence import check_prevalence, read_prevalence
from lentigo.runtime.rendering import render
from lentigo.runtime.shipped import describe_models, shipped_models
from lentigo.runtime.verdict import NOTICE, Verdict
from lentigo.runtime.walking import find_images

__all__ = [
    "DECISIONS",
    "NOTICE",
    "Bundle",
    "BundleMetadata",
    "Classifier",
    "Ensemble",
    "Failure",
    "FileResults",
    "Head",
    "IdSet",
    "LiteRT",
    "OODThreshold",
    "OperatingPoint",
    "OptionalInput",
    "Origin",
    "Outputs",
    "Predictor",
    "Risk",
    "Verdict",
    "check_prevalence",
    "classify_files",
    "decode",
    "describe_models",
    "find_images",
    "is_heatmap",
    "read_prevalence",
    "render",
    "shipped_models",
    "verdict_schema",
]
