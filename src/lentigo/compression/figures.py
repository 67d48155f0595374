"""The figures of a compressed file, the same for a compression and for a survey of techniques."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lentigo.atomic import replacing
from lentigo.compression.gate import Gate, GateReport, check
from lentigo.compression.steps import Model
from lentigo.evaluation import Metrics, Predictions, measure
from lentigo.evaluation.cost import Account, account
from lentigo.export.refit import Part, predict_part_of
from lentigo.runtime import Bundle

__all__ = ["Figures"]


@dataclass(frozen=True)
class Figures:
    """What a file is, and what it is worth on one part of the split; each is computed when it is first asked for.

    Predictions are kept beside their file, and read again as long as they are of this file.

    Args:
        model: what to measure.
        parent: what compression started from; the same for the parent itself.
        part: 'validation' or 'test'.
        limits: what may be lost; its resamples and seed are those of the metrics too.
    """

    model: Model
    parent: Model
    part: Part
    limits: Gate

    @cached_property
    def bundle(self) -> Bundle:
        """The file, opened."""
        return Bundle(self.model.bundle, threads=1)

    @cached_property
    def _account(self) -> Account:
        return account(self.bundle)

    @property
    def counts(self) -> dict[str, Any]:
        """`sha256`, `size`, `parts` and `macs`, as records of both kinds name them."""
        return {
            "sha256": self.bundle.sha256,
            "size": dict(self._account.sizes),
            "parts": dict(self._account.parts),
            "macs": dict(self._account.macs),
        }

    @property
    def warnings(self) -> tuple[str, ...]:
        """What could not be counted."""
        return self._account.warnings

    @cached_property
    def predictions(self) -> Predictions:
        """Of the part."""
        return _predictions(self.model, self.bundle, self.part)

    @cached_property
    def metrics(self) -> Metrics:
        """Of these predictions."""
        return measure(self.predictions, replicates=self.limits.replicates, seed=self.limits.seed)

    @cached_property
    def gate(self) -> GateReport | None:
        """Against the parent; None for the parent itself."""
        if self.model is self.parent:
            return None
        before = Bundle(self.parent.bundle, threads=1)
        points = before.metadata.operating_points
        return check(_predictions(self.parent, before, self.part), self.predictions, self.limits, points=points)


def _predictions(model: Model, bundle: Bundle, part: Part) -> Predictions:
    path = model.bundle.with_name(f"{part}.parquet")
    if path.exists() and (kept := Predictions.load(path)).meta["model_sha256"] == bundle.sha256:
        return kept
    found = predict_part_of(model.run, bundle, part)
    with replacing(path) as partial:
        found.save(partial)
    return found
