"""What a report is about: one model's predictions, what was measured on them, and its bundle where that is given."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from lentigo import taxonomy
from lentigo.errors import DataError
from lentigo.evaluation.estimates import estimate
from lentigo.evaluation.intervals import resamples
from lentigo.evaluation.metrics import Metrics, measure
from lentigo.evaluation.predictions import Predictions
from lentigo.evaluation.result import Estimate
from lentigo.runtime import Bundle, OperatingPoint

__all__ = ["AtPoint", "Subject"]


@dataclass(frozen=True)
class AtPoint:
    """What a threshold, chosen before on validation images, does here.

    Attributes:
        point: the threshold and its target.
        sensitivity: share of the target's images that are flagged.
        specificity: share of the others that are passed.
    """

    point: OperatingPoint
    sensitivity: Estimate
    specificity: Estimate


@dataclass(frozen=True)
class Subject:
    """One model on one set of images.

    Attributes:
        name: of the model.
        predictions: what it said.
        metrics: what that is worth.
        points: its operating points, applied; empty without a bundle.
        bundle: the model, if given.
        path: file of the predictions.
        sha256: of that file.
    """

    name: str
    predictions: Predictions
    metrics: Metrics
    points: tuple[AtPoint, ...]
    bundle: Bundle | None
    path: Path
    sha256: str

    @classmethod
    def read(cls, path: Path, *, bundle: Bundle | None = None, replicates: int = 1000) -> Self:
        """Read predictions and measure them.

        Raises:
            DataError: not a predictions table, or not one of the bundle's.
        """
        predictions = Predictions.load(path)
        if bundle is not None and not _fits(bundle, predictions):
            raise DataError(
                f"{path}: these predictions are not of {bundle.path.name}.",
                "Give the bundle that made them, or none.",
            )
        points = bundle.metadata.operating_points if bundle else ()
        return cls(
            name=str(predictions.meta.get("model") or path.stem),
            predictions=predictions,
            metrics=measure(predictions, replicates=replicates),
            points=tuple(_apply(point, predictions, replicates) for point in points),
            bundle=bundle,
            path=path,
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        )

    @property
    def data(self) -> str:
        """Name of the data set."""
        return str(self.predictions.meta.get("data") or "unnamed images")

    @property
    def views(self) -> dict[str, str]:
        """The known views and what they are called in a table's head."""
        names = {"equal_prevalence": "diagnoses equally common", "training_prevalence": "as common as in training"}
        return {view: names[view] for view in self.metrics.views}


def _fits(bundle: Bundle, predictions: Predictions) -> bool:
    """Whether the bundle, or the run that it was made from, made the predictions."""
    if predictions.meta.get("model_sha256"):
        return predictions.meta["model_sha256"] == bundle.sha256
    described = bundle.metadata
    made_by = (predictions.meta.get("model"), predictions.meta.get("split_sha256"), predictions.meta.get("seed"))
    return made_by == (described.network, described.split.get("sha256"), described.recipe.get("seed"))


def _apply(point: OperatingPoint, predictions: Predictions, replicates: int) -> AtPoint:
    columns = taxonomy.class_index(("mel",) if point.target == "melanoma" else taxonomy.MALIGNANT)
    flagged = predictions.probabilities[:, columns].sum(axis=1) >= point.threshold
    positive = np.isin(predictions.labels, columns)
    return AtPoint(
        point,
        sensitivity=_share(flagged, positive, predictions, replicates, f"no image shows {point.target}"),
        specificity=_share(~flagged, ~positive, predictions, replicates, f"every image shows {point.target}"),
    )


def _share(event: np.ndarray, among: np.ndarray, predictions: Predictions, replicates: int, absent: str) -> Estimate:
    """Share of an event [N] among some images [N], with its interval over lesions."""
    if not among.any():
        return Estimate(value=None, note=absent)
    lesions = len(set(predictions.groups[among]))
    drawn = None
    if replicates:
        blocks = resamples(predictions.labels, predictions.groups, replicates, seed=0)
        drawn = np.concatenate([(w @ (event & among)) / (w @ among) for w in blocks])
    return estimate(float(event[among].mean()), drawn, [lesions], trials=lesions)
