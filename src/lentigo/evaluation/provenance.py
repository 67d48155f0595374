"""Where predictions come from, how many they are, and what a reader of any number must know."""

from collections.abc import Mapping
from typing import Self

import numpy as np

from lentigo.evaluation.catalogue import Place, choice, label
from lentigo.evaluation.predictions import Predictions
from lentigo.evaluation.result import LabelSetField, Result
from lentigo.labels import HAM10000

__all__ = ["Provenance"]

FEW = 10
"""Below this many lesions a bootstrap of a class sees too little of how lesions differ."""
OTHER_MIX = 0.10
"""Shift of the case mix from training, as a share of images, above which a warning is given."""


class Provenance(Result):
    """Where predictions come from and how many they are; part of every result, so that a leak can't be left behind.

    Attributes:
        model, model_sha256, split_sha256, protocol, part: as in `Predictions.meta`, None where it doesn't say.
        leaky: whether images of one lesion are on both sides of the split; None where that is unknown.
        images: number of images.
        groups: number of lesions (or groups of lesions known to be the same).
        images_of, groups_of: the same for each diagnosis.
        label_set: what is distinguished.
        majority: its commonest label, whose share is shown beside accuracy.
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
    label_set: LabelSetField = HAM10000
    majority: str = "nv"

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
            label_set=predictions.label_set,
            majority=predictions.majority,
            warnings=(
                *_leak_warning(leaky),
                *_external(predictions),
                *_mapped(predictions),
                *_left_out(predictions),
                *_count_warnings(images, groups),
                *_mix_warnings(predictions),
            ),
        )

    def shown(self, place: Place) -> tuple[str, ...]:
        """Names of the metrics of the task 'diagnosis' that a kind of page shows."""
        return choice(place, alarm=self.label_set.alarm, majority=self.majority)

    def label(self, name: str) -> str:
        """What a metric is called in a table."""
        return label(name, self.label_set)


def _counts(predictions: Predictions) -> tuple[dict[str, int], dict[str, int]]:
    labels, groups = predictions.labels, predictions.groups
    images = {c: int((labels == i).sum()) for i, c in enumerate(predictions.label_set.classes)}
    return images, {c: len(set(groups[labels == i])) for i, c in enumerate(predictions.label_set.classes)}


def _leak_warning(leaky: object) -> list[str]:
    if leaky is None:
        return ["It is unknown whether the model has seen these lesions in training."]
    if leaky:
        return ["LEAKY: images of the same lesion are in training and here; these numbers are inflated."]
    return []


def _external(predictions: Predictions) -> list[str]:
    """What is known, and what is not, of images from outside of the model's own split."""
    if predictions.meta.get("protocol") != "external":
        return []
    overlap = str(predictions.meta.get("overlap", "not checked against training"))
    if "would not be noticed" not in overlap:  # tables of version 0.1
        overlap += "; the same picture under another id would not be noticed"
    found = [f"External data: {overlap}."]
    if predictions.meta.get("knows_lesions") is False:
        found.append(
            "The data set has no lesion ids: images of the same lesion count as independent, and intervals may be too "
            "narrow."
        )
    return found


def _mapped(predictions: Predictions) -> list[str]:
    """By what the labels of the data and of the model were brought together."""
    mappings = predictions.meta.get("mappings")
    return [f"Labels mapped as stated: {m}." for m in mappings] if isinstance(mappings, list) else []


def _left_out(predictions: Predictions) -> list[str]:
    dropped, unreadable = predictions.meta.get("dropped"), predictions.meta.get("unreadable")
    kinds = {**dropped} if isinstance(dropped, Mapping) else {}
    if isinstance(unreadable, list) and unreadable:
        kinds["unreadable image"] = len(unreadable)
    counts = ", ".join(f"{kind} {n:,}" for kind, n in kinds.items())
    return [f"Excluded from the data set: {counts}."] if kinds else []


def _count_warnings(images: Mapping[str, int], groups: Mapping[str, int]) -> list[str]:
    absent = [c for c, n in images.items() if n == 0]
    few = [f"{c} ({groups[c]})" for c in images if 0 < groups[c] < FEW]
    found = []
    if absent:
        found.append(f"No image shows {', '.join(absent)}: averages are over the other diagnoses.")
    if few:
        found.append(f"Fewer than {FEW} lesions of {', '.join(few)}: results based on them are imprecise.")
    return found


def _mix_warnings(predictions: Predictions) -> list[str]:
    if predictions.meta.get("training_prevalence") is None:
        if predictions.meta.get("mappings"):
            return ["Probabilities are sums by that mapping, at the model's balanced prior: the only view available."]
        return ["The training prevalence is unknown: only the balanced prior is available."]
    here = np.bincount(predictions.labels, minlength=len(predictions.label_set)) / len(predictions)
    moved = np.abs(here - predictions.training_prevalence).sum() / 2
    if moved <= OTHER_MIX:
        return []
    return [
        f"The case mix differs from training ({moved:.0%} of the images would have to change): "
        "scores and calibration at the training prevalence may not hold."
    ]
