"""What a bundle tells apart: its own classes, never an order that is taken for granted."""

import math

from lentigo.errors import BundleError, did_you_mean
from lentigo.labels import HAM10000, LabelSet
from lentigo.runtime.bundle import Bundle
from lentigo.runtime.decisions import TARGETS

__all__ = ["labels_of"]


def labels_of(bundle: Bundle) -> LabelSet:
    """The label set of a bundle, in the order of its outputs.

    Raises:
        BundleError: classes that are unknown or stand there twice, or thresholds that make no sense.
    """
    described, again = bundle.metadata, "Export it again."
    classes = described.classes
    twice = sorted({c for c in classes if classes.count(c) > 1})
    if twice:
        raise BundleError(f"{bundle.path}: the bundle names {', '.join(twice)} twice among its classes.", again)
    for c in classes:
        if c not in HAM10000.classes:
            hint = did_you_mean(c, HAM10000.classes)
            raise BundleError(f"{bundle.path}: the bundle's class {c!r} is unknown.", f"{hint} {again}")
    for point in described.operating_points:
        if point.target not in TARGETS or not (math.isfinite(point.threshold) and 0 <= point.threshold <= 1):
            raise BundleError(
                f"{bundle.path}: the bundle's threshold {point.threshold} for {point.target!r} makes no sense.", again
            )
    if classes == HAM10000.classes:
        return HAM10000
    labels = tuple(HAM10000[c] for c in classes)
    return LabelSet(HAM10000.name, labels, melanoma="mel" if "mel" in classes else None)
