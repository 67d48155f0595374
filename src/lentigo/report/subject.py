"""What a report is about: one model's predictions, what was measured on them, and its bundle where that is given."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from lentigo import data
from lentigo.errors import DataError
from lentigo.evaluation.catalogue import VIEW_LABELS
from lentigo.evaluation.metrics.measure import Metrics, measure
from lentigo.evaluation.predictions import Predictions
from lentigo.report.evidence import Evidence, gather
from lentigo.runtime import Bundle

__all__ = ["Subject"]


@dataclass(frozen=True)
class Subject:
    """One model on one set of images.

    Attributes:
        name: of the model.
        predictions: its answers.
        metrics: what that is worth.
        evidence: all else that was measured.
        bundle: the model, if given.
        records: the data set, for pictures of mistakes, if given.
        path: file of the predictions.
        sha256: of that file.
    """

    name: str
    predictions: Predictions
    metrics: Metrics
    evidence: Evidence
    bundle: Bundle | None
    records: data.Records | None
    path: Path
    sha256: str

    @classmethod
    def read(
        cls,
        path: Path,
        *,
        bundle: Bundle | None = None,
        records: data.Records | None = None,
        prevalence: Mapping[str, float] | None = None,
        replicates: int = 1000,
    ) -> Self:
        """Read predictions and measure them.

        Args:
            path: file of the predictions; validation.parquet, fairness.json and robustness.json beside it are used.
            bundle: the model that made them.
            records: the data set that they were made on.
            prevalence: share of positives in the clinic by task, as in `evidence.gather`.
            replicates: bootstrap resamples.

        Raises:
            DataError: not a predictions table, or not one of the bundle's.
            LeakError: the validation predictions beside it hold images or lesions of these.
        """
        predictions = Predictions.load(path)
        if bundle is not None and not _fits(bundle, predictions):
            raise DataError(
                f"{path}: these predictions were not made by {bundle.path.name}.",
                "Name the bundle that made them, or none.",
            )
        return cls(
            name=str(predictions.meta.get("model") or path.stem),
            predictions=predictions,
            metrics=measure(predictions, replicates=replicates),
            evidence=gather(
                predictions, folder=path.parent, bundle=bundle, prevalence=prevalence, replicates=replicates
            ),
            bundle=bundle,
            records=records,
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
        return {view: VIEW_LABELS[view] for view in self.metrics.views}


def _fits(bundle: Bundle, predictions: Predictions) -> bool:
    """Whether the bundle, or the run that it was made from, made the predictions."""
    if predictions.meta.get("model_sha256"):
        return predictions.meta["model_sha256"] == bundle.sha256
    described = bundle.metadata
    made_by = (predictions.meta.get("model"), predictions.meta.get("split_sha256"), predictions.meta.get("seed"))
    return made_by == (described.network, described.split.get("sha256"), described.recipe.get("seed"))
