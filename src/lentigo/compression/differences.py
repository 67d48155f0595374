"""How two artefacts' answers to the same images differ, and how much a policy lets them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from lentigo.runtime import BundleMetadata, Outputs, Predictor
from lentigo.runtime.decisions import decide, risks
from lentigo.runtime.prevalence import restate

__all__ = ["ALLOWED", "Allowed", "Answers", "Difference", "difference", "path_of"]


@dataclass(frozen=True)
class Allowed:
    """What an artefact may differ by from the one that it is compared with, each with its own temperature and limits.

    Attributes:
        largest, mean: difference of a probability.
        map: largest difference of a map, relative to the largest value of the image's maps.
        same_class: smallest share of images with the same most probable class.
        same_decision: the same of decisions, each at the artefact's own operating points.
        same_rejection: the same of rejections as out of distribution, each at the artefact's own limit.
    """

    largest: float
    mean: float
    map: float
    same_class: float
    same_decision: float
    same_rejection: float


ALLOWED = MappingProxyType(
    {
        "fp32": Allowed(1e-4, 1e-5, 1e-3, 1.0, 1.0, 1.0),
        "fp16": Allowed(1e-2, 1e-3, 2e-2, 0.99, 0.99, 0.99),
        "int8": Allowed(1.5e-1, 1.5e-2, 3e-1, 0.96, 0.95, 0.95),
    }
)
"""By the lower precision of the two. Below fp32 the model is another one, with thresholds of its own."""


@dataclass(frozen=True)
class Difference:
    """What one artefact says against the first.

    Attributes:
        path, name, precision, sha256, bytes: of the artefact.
        derived: whether it states that it was made from the first; None where it doesn't say what it was made from.
        allowed: whose policy applies.
        largest, mean: differences of probabilities.
        largest_map, mean_map: differences of maps, relative to the largest value of the image's maps; None if either
            has no maps.
        largest_ood, mean_ood: differences of OOD scores, each in units of the artefact's own limit; None if either has
            none.
        same_class: share of images with the same most probable class.
        same_decision: the same of decisions; None if either makes none.
        same_rejection: the same of rejections as out of distribution; None if either rejects none.
        faults: what the policy doesn't let through, in words.
        notes: what could not be compared, or should be known.
    """

    path: str
    name: str
    precision: str
    sha256: str
    bytes: int
    derived: bool | None
    allowed: str
    largest: float
    mean: float
    largest_map: float | None
    mean_map: float | None
    largest_ood: float | None
    mean_ood: float | None
    same_class: float
    same_decision: float | None
    same_rejection: float | None
    faults: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether it says the same, as the policy has it."""
        return not self.faults


class Answers:
    """What a model says of some images, and decides at its own thresholds.

    Args:
        model: that was asked.
        found: its outputs for one image each.
    """

    def __init__(self, model: Predictor, found: list[Outputs]) -> None:
        self.model = model
        self.metadata: BundleMetadata | None = getattr(model, "metadata", None)
        self.probabilities = np.concatenate([o.probabilities for o in found]).astype(np.float64)
        self.maps = [o.cam for o in found if o.cam is not None]
        scores = [o.ood_score for o in found if o.ood_score is not None]
        self.ood = np.concatenate(scores).astype(np.float64) if scores else None
        self.limit = self.metadata.ood_score.threshold if self.metadata and self.metadata.ood_score else None

    @property
    def map_size(self) -> str:
        """Of its maps, in words; empty without maps."""
        return "x".join(map(str, self.maps[0].shape[2:])) if self.maps else ""

    @property
    def precision(self) -> str:
        """Of its weights."""
        return self.metadata.precision if self.metadata else "fp32"

    @property
    def decisions(self) -> NDArray[np.str_] | None:
        """What it decides of each image [N]; None of a model without thresholds."""
        if self.metadata is None or not self.metadata.operating_points:
            return None
        labels, prior = self.model.labels, self.model.origin.training_prevalence
        shares = dict(zip(labels.classes, prior, strict=True))
        decided = []
        for row in self.probabilities:
            balanced = dict(zip(labels.classes, row.tolist(), strict=True))
            found = risks(balanced, None, restate(balanced, shares), labels, self.metadata.operating_points)
            decided.append(decide(found))
        return np.array(decided)


def difference(first: Answers, other: Answers) -> Difference:
    """What `other` says against `first`, of the same images."""
    order = sorted({first.precision, other.precision}, key=list(ALLOWED).index)
    apart = np.abs(first.probabilities - other.probabilities)
    maps = ood = rejection = decision = None
    if first.maps and other.maps and first.map_size == other.map_size:
        maps = np.array([np.abs(a - b).max() / np.abs(a).max() for a, b in zip(first.maps, other.maps, strict=True)])
    if first.ood is not None and other.ood is not None:
        limits = first.limit or other.limit or 1.0, other.limit or first.limit or 1.0
        ood = np.abs(first.ood / limits[0] - other.ood / limits[1])
        if first.limit and other.limit:
            rejection = float(((first.ood > first.limit) == (other.ood > other.limit)).mean())
    decisions = first.decisions, other.decisions
    if decisions[0] is not None and decisions[1] is not None:
        decision = float((decisions[0] == decisions[1]).mean())
    parent = other.metadata.parent_sha256 if other.metadata else None
    numbers = {
        "largest": float(apart.max()),
        "mean": float(apart.mean()),
        "largest_map": None if maps is None else float(maps.max()),
        "mean_map": None if maps is None else float(maps.mean()),
        "largest_ood": None if ood is None else float(ood.max()),
        "mean_ood": None if ood is None else float(ood.mean()),
        "same_class": float((first.probabilities.argmax(1) == other.probabilities.argmax(1)).mean()),
        "same_decision": decision,
        "same_rejection": rejection,
    }
    path = path_of(other.model)
    return Difference(
        path=path,
        name=other.model.name,
        precision=other.precision,
        sha256=other.model.sha256,
        bytes=Path(path).stat().st_size if Path(path).is_file() else 0,
        derived=None if parent is None else parent == first.model.sha256,
        allowed=order[-1],
        faults=_faults(numbers, ALLOWED[order[-1]], lost=_lost(first, other)),
        notes=tuple(_notes(first, other, parent)),
        **numbers,  # type: ignore[arg-type]  # by name
    )


def _faults(numbers: dict[str, float | None], allowed: Allowed, lost: list[str]) -> tuple[str, ...]:
    """In words. What is no number is a fault."""
    found = list(lost)
    if numbers["largest_ood"] is not None and not np.isfinite(numbers["largest_ood"]):
        found.append("an OOD score is no number")
    for what, key, most in (
        ("a probability differs by", "largest", allowed.largest),
        ("probabilities differ in the mean by", "mean", allowed.mean),
        ("a map differs by (relative)", "largest_map", allowed.map),
    ):
        value = numbers[key]
        if value is not None and not value <= most:
            found.append(f"{what} {value:.1e}, more than {most:.1e}")
    for what, key, least in (
        ("class", "same_class", allowed.same_class),
        ("decision", "same_decision", allowed.same_decision),
        ("rejection as out of distribution", "same_rejection", allowed.same_rejection),
    ):
        share = numbers[key]
        if share is not None and not share >= least:
            found.append(f"the same {what} on {share:.1%} of the images, less than {least:.1%}")
    return tuple(found)


def _lost(first: Answers, other: Answers) -> list[str]:
    """Outputs that only one of the two has: nothing passes for want of anything to compare."""
    pairs = {
        "maps": (bool(first.maps), bool(other.maps)),
        "OOD scores": (first.ood is not None, other.ood is not None),
    }
    found = [f"only one of them has {what}" for what, (a, b) in pairs.items() if a != b]
    if first.maps and other.maps and first.map_size != other.map_size:
        found.append(f"their maps have other sizes: {first.map_size} and {other.map_size}")
    return found


def _notes(first: Answers, other: Answers, parent: str | None) -> Iterator[str]:
    if parent is not None and first.model.sha256 not in (parent, other.model.sha256):  # one file may be packed
        yield "it states that it was made from another file"
    for model in (first, other):
        name = Path(path_of(model.model)).name
        if model.decisions is None:
            yield f"{name} has no operating points, so that no decisions were compared"
        if model.ood is not None and not model.limit:
            yield f"{name} has no OOD threshold, so that no rejections were compared"


def path_of(model: Predictor) -> str:
    """Where an artefact lies; the name of one that is no file."""
    return str(getattr(model, "path", model.name))
