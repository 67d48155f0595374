"""Explicit mappings between label sets: what each label becomes, and which ones are excluded."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lentigo.errors import DataError
from lentigo.labels.known import BINARY, HAM10000, ISIC2019, PAD_UFES_20, find_label_set
from lentigo.labels.label_set import LabelSet

__all__ = ["LabelMapping", "find_mapping"]


@dataclass(frozen=True)
class LabelMapping:
    """What each label of one set becomes in another. Several may become one, but one never becomes several, so
    that a mapping has no inverse.

    Attributes:
        source: the set that is mapped.
        result: the set that it is mapped to.
        pairs: for each label of `source`, its id and its target's id; None excludes its images.
        name: what to call it.

    Raises:
        DataError: a label without an entry, an entry for an unknown label, or fewer than two target labels.
    """

    source: LabelSet
    result: LabelSet
    pairs: tuple[tuple[str, str | None], ...]
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "pairs", tuple((a, b) for a, b in self.pairs))
        given = [a for a, _ in self.pairs]
        where = f"The mapping from {self.source.name} to {self.result.name}"
        if len(set(given)) < len(given):
            raise DataError(f"{where} maps {next(a for a in given if given.count(a) > 1)} twice.", "Map it once.")
        if unknown := [a for a in given if a not in self.source.classes]:
            raise DataError(f"{where} maps {unknown[0]!r}, which {self.source} doesn't have.", "Check its ids.")
        if strange := [b for _, b in self.pairs if b is not None and b not in self.result.classes]:
            raise DataError(f"{where} maps to {strange[0]!r}, which {self.result} doesn't have.", "Check its ids.")
        if missing := [c for c in self.source.classes if c not in given]:
            raise DataError(
                f"{where} has no target for {', '.join(missing)}.",
                "Name a label for each, or leave its target empty to exclude such images.",
            )
        if len({b for _, b in self.pairs if b is not None}) < 2:
            raise DataError(f"{where} has fewer than two target labels.", "At least two are required.")

    @cached_property
    def left_out(self) -> tuple[str, ...]:
        """Ids of `source` that have no target in `result`."""
        return tuple(a for a, b in self.pairs if b is None)

    def target(self, text: str) -> str | None:
        """The target of a label of `source`, given by id, name or alias; None if it is excluded."""
        return dict(self.pairs)[self.source.find(text).id]

    def ids(self, ids: Iterable[str]) -> list[str | None]:
        """The targets of many ids."""
        to = dict(self.pairs)
        return [to[i] for i in ids]

    def probabilities(self, values: NDArray) -> NDArray[np.float64]:
        """Map probabilities [..., K] of `source` to those of `result` [..., L] by summing merged labels.

        Raises:
            DataError: a label is excluded, so that its probability has no target.
        """
        if self.left_out:
            raise DataError(
                f"{', '.join(self.left_out)} of {self.source.name} has no target in {self.result.name}, so a model's "
                "probability for it would be lost.",
                "Map it to a label.",
            )
        return np.asarray(values, dtype=np.float64) @ self._matrix

    def __str__(self) -> str:
        by_target: dict[str | None, list[str]] = {}
        for a, b in self.pairs:
            by_target.setdefault(b, []).append(a)
        words = [f"{' + '.join(a)} -> {b}" for b, a in by_target.items() if b is not None and a != [b]]
        words += [f"{' + '.join(by_target[None])} left out"] if None in by_target else []
        return f"{self.source.name} to {self.result.name}: {'; '.join(words) or 'ids unchanged'}"

    @cached_property
    def _matrix(self) -> NDArray[np.float64]:
        matrix = np.zeros((len(self.source), len(self.result)))
        for a, b in self.pairs:
            if b is not None:
                matrix[self.source.index([a])[0], self.result.index([b])[0]] = 1
        return matrix


_PLAIN: tuple[tuple[LabelSet, LabelSet, Mapping[str, str | None]], ...] = (
    # akiec covers carcinoma in situ only, so an invasive squamous cell carcinoma is none of the seven.
    (ISIC2019, HAM10000, {"ak": "akiec", "scc": None}),
    (PAD_UFES_20, HAM10000, {"ack": "akiec", "nev": "nv", "sek": "bkl", "scc": None}),
    (PAD_UFES_20, ISIC2019, {"ack": "ak", "nev": "nv", "sek": "bkl"}),
)
"""Built-in mappings: only the differences; every other label keeps its id."""


def find_mapping(name: str | LabelSet, source: LabelSet) -> LabelMapping:
    """A built-in mapping, by its target set.

    'binary' maps any set whose labels are all known to be malignant or benign; a set with the same labels as another
    maps to it unchanged.

    Raises:
        DataError: unknown name, or no built-in mapping between these sets.
    """
    result = find_label_set(name) if isinstance(name, str) else name
    if source == result:
        return LabelMapping(source, result, tuple((c, c) for c in source.classes), result.name)
    if result == BINARY:
        return _by_malignancy(source)
    differing = next((d for s, r, d in _PLAIN if s == source and r == result), None)
    if differing is None:
        raise DataError(
            f"There is no built-in mapping from {source} to {result}.",
            "Write one as a CSV file with the columns from and to, and name that file.",
        )
    return LabelMapping(source, result, tuple((c, differing.get(c, c)) for c in source.classes), result.name)


def _by_malignancy(source: LabelSet) -> LabelMapping:
    if not source.knows_malignancy:
        unknown = [label.id for label in source.labels if label.malignant is None]
        what = f"{', '.join(unknown)} is not known to be malignant or benign" if unknown else "all are of the same kind"
        raise DataError(f"{source} can't be mapped to benign and malignant: {what}.", "State `malignant` for each.")
    to = {True: "malignant", False: "benign"}
    pairs = tuple((label.id, to[bool(label.malignant)]) for label in source.labels)
    return LabelMapping(source, BINARY, pairs, BINARY.name)
