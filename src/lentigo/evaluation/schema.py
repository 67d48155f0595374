"""The shapes of what evaluation says. Every result is JSON with a schema (`Result.model_json_schema`) and holds no NaN.

A number that can't be had is `None`, with the reason beside it.
"""

from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict

from lentigo import taxonomy
from lentigo.errors import DataError
from lentigo.evaluation.predictions import Predictions

__all__ = ["Estimate", "Metrics", "Provenance", "Result", "TaskMetrics"]


class Result(BaseModel):
    """Base of every result: immutable, complete, without NaN or infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def to_json(self) -> str:
        """As indented JSON."""
        return self.model_dump_json(indent=2)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read back what `to_json` wrote."""
        return cls.model_validate_json(text)


class Estimate(Result):
    """One number and its interval.

    Attributes:
        value: the number; None where it is undefined.
        low: lower end of its interval; None where there is none.
        high: upper end.
        missing: why the value or its interval is absent; empty where nothing is missing or no interval was asked for.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    missing: str = ""

    def __str__(self) -> str:
        if self.value is None:
            return f"undefined ({self.missing})"
        return f"{self.value:.3f}" + (f" ({self.low:.3f} to {self.high:.3f})" if self.low is not None else "")


class Provenance(Result):
    """Where predictions come from and how many they are; part of every result, so that a leak can't be left behind.

    Attributes:
        model, model_sha256, split_sha256, protocol, part: as in `Predictions.meta`, None where it doesn't say.
        leaky: whether images of one lesion lie on both sides of the split; None where that is unknown.
        images: number of images.
        groups: number of lesions (or groups of lesions known to be the same).
        images_of, groups_of: the same for each diagnosis.
        warnings: what a reader must know, in plain sentences; printed beside every number.
    """

    model: str | None
    model_sha256: str | None
    split_sha256: str | None
    protocol: str | None
    part: str | None
    leaky: bool | None
    images: int
    groups: int
    images_of: dict[str, int]
    groups_of: dict[str, int]
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, predictions: Predictions) -> Self:
        """Describe where predictions come from."""
        images, groups = _counts(predictions)
        known: dict[str, str | None] = {
            key: None if predictions.meta.get(key) is None else str(predictions.meta[key])
            for key in ("model", "model_sha256", "split_sha256", "protocol", "part")
        }
        leaky = predictions.meta.get("leaky")
        return cls(
            **known,
            leaky=None if leaky is None else bool(leaky),
            images=len(predictions),
            groups=len(set(predictions.groups)),
            images_of=images,
            groups_of=groups,
            warnings=(*_leak_warning(leaky), *_count_warnings(images, groups)),
        )


class TaskMetrics(Result):
    """The metrics of one question put to the predictions.

    Attributes:
        classes: the answers.
        confusion: images by truth (rows) and decision (columns), in the order of `classes`.
        values: metrics by name; a name after a dot is a class, or 'macro', 'weighted', 'pairwise' for an average.
    """

    classes: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    values: dict[str, Estimate]


class Metrics(Result):
    """What `lentigo.evaluation.metrics.measure` returns.

    Attributes:
        provenance: what was measured.
        replicates: bootstrap resamples behind the intervals; 0 for none.
        seed: seed of the resamples.
        level: what share of intervals shall hold the true value.
        views: by view ('equal_prevalence', 'training_prevalence') and task ('diagnosis', 'malignancy', 'melanoma').
    """

    provenance: Provenance
    replicates: int
    seed: int
    level: float
    views: dict[str, dict[str, TaskMetrics]]

    def get(self, name: str, task: str = "diagnosis", view: str = "equal_prevalence") -> Estimate:
        """One metric.

        Raises:
            DataError: no such metric, task or view.
        """
        try:
            return self.views[view][task].values[name]
        except KeyError as error:
            raise DataError(f"No metric {name!r} of the task {task!r} in the view {view!r}: no {error}.") from None


def _counts(predictions: Predictions) -> tuple[dict[str, int], dict[str, int]]:
    labels, groups = predictions.labels, predictions.groups
    images = {c: int((labels == i).sum()) for i, c in enumerate(taxonomy.CLASSES)}
    return images, {c: len(set(groups[labels == i])) for i, c in enumerate(taxonomy.CLASSES)}


def _leak_warning(leaky: object) -> list[str]:
    if leaky is None:
        return ["It is unknown whether the model has seen these lesions in training."]
    if leaky:
        return ["LEAKY: images of one lesion lie in training and here; these numbers are too good to be true."]
    return []


def _count_warnings(images: Mapping[str, int], groups: Mapping[str, int]) -> list[str]:
    absent = [c for c, n in images.items() if n == 0]
    few = [f"{c} ({groups[c]})" for c in images if 0 < groups[c] < FEW]
    found = []
    if absent:
        found.append(f"No image shows {', '.join(absent)}: averages are over the other diagnoses.")
    if few:
        found.append(f"Fewer than {FEW} lesions of {', '.join(few)}: intervals that rest on them are too narrow.")
    return found


FEW = 10
"""Below this many lesions a bootstrap of a class sees too little of how lesions differ."""
