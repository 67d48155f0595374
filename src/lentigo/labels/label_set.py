"""An ordered set of labels: which of them are malignant, and which one is melanoma."""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from difflib import get_close_matches
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lentigo.errors import DataError
from lentigo.taxonomy import plain_name
from lentigo.written import unprintable

__all__ = ["Label", "LabelSet"]

_SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
"""Ids are used in names of columns, metrics and files."""
_CONCEPT = re.compile(r"[1-9][0-9]{5,17}")
_RESERVED = frozenset(
    {"macro", "weighted", "pairwise", "other", "none", "nan", "na", "null"}  # averages, answers, missing values
    | {"source", "diagnosis", "malignancy", "decision", "gradable", "error", "model"}  # columns of results
)


_MELANOMA = frozenset({"mel", "melanoma", "malignant melanoma"})


@dataclass(frozen=True)
class Label:
    """One class of a label set.

    Attributes:
        id: short id: letters, digits, '_' and '-', at most 40.
        name: full name in clinical English.
        malignant: whether it counts as malignant; None if unknown.
        snomed_ct, snomed_term: SNOMED CT concept id and its term, or empty.
        aliases: synonyms that it is found by.
        note: what the id covers.
    """

    id: str
    name: str
    malignant: bool | None = None
    snomed_ct: str = ""
    snomed_term: str = field(default="", compare=False)
    aliases: tuple[str, ...] = field(default=(), compare=False)
    note: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if isinstance(self.aliases, str):  # a text would be taken apart into its letters
            raise DataError(f"The aliases of {self.id!r} are one text.", "Give a list of texts.")
        object.__setattr__(self, "aliases", tuple(self.aliases))
        if not isinstance(self.id, str) or not _SAFE_ID.fullmatch(self.id):
            raise DataError(f"{self.id!r} can't be the id of a label.", "Use up to 40 letters, digits, '_' and '-'.")
        if self.id.lower() in _RESERVED:
            raise DataError(f"{self.id!r} can't be the id of a label: results use this name.", "Choose another id.")
        if not isinstance(self.name, str) or not self.name.strip():
            raise DataError(f"The label {self.id} has no name.", "Give its full name.")
        for said in (self.name, self.snomed_ct, self.snomed_term, self.note, *self.aliases):
            if not isinstance(said, str) or unprintable(said):
                raise DataError(
                    f"The label {self.id} has {said!r} where a text that can be shown is expected.", "Correct it."
                )
        if self.snomed_ct and not _CONCEPT.fullmatch(self.snomed_ct):
            raise DataError(
                f"The label {self.id} has the SNOMED CT concept {self.snomed_ct!r}.", "A concept has 6 to 18 digits."
            )
        if self.malignant not in (True, False, None):
            raise DataError(f"The label {self.id} has malignant {self.malignant!r}.", "Use true, false or null.")
        object.__setattr__(self, "malignant", None if self.malignant is None else bool(self.malignant))


@dataclass(frozen=True)
class LabelSet:
    """An ordered set of labels. Sets with the same labels in the same order are equal, regardless of their names.

    Attributes:
        name: its name, such as 'HAM10000'.
        labels: the labels, in the order of probabilities and positions.
        melanoma: id of the label that is melanoma; None if there is none.
        majority: the most frequent label, whose share is reported beside accuracy (default: most frequent in training).
        outside: labels that occur in such data but are not classes, such as UNK of ISIC 2019; their images are excluded
            and counted.

    Raises:
        DataError: fewer than two labels, a duplicate id or name, or a melanoma that is not among the labels.
    """

    name: str = field(compare=False)
    labels: tuple[Label, ...]
    melanoma: str | None = None
    outside: tuple[Label, ...] = field(default=(), compare=False)
    majority: str | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip() or unprintable(self.name):
            raise DataError(f"{self.name!r} can't be the name of a label set.", "Give a text that can be shown.")
        object.__setattr__(self, "labels", tuple(self.labels))
        object.__setattr__(self, "outside", tuple(self.outside))
        if len(self.labels) < 2:
            raise DataError(f"The label set {self.name} has {len(self.labels)} labels.", "At least two are required.")
        self._refuse_ambiguous()
        if self.melanoma is not None and self.melanoma not in self.classes:
            raise DataError(
                f"The label set {self.name} declares {self.melanoma!r} as melanoma, but has no such label.",
                f"Its labels: {', '.join(self.classes)}.",
            )
        if self.melanoma is not None and self[self.melanoma].malignant is False:
            raise DataError(f"The label {self.melanoma} of {self.name} is melanoma but not malignant.", "Correct one.")
        if self.majority is not None and self.majority not in self.classes:
            raise DataError(
                f"The label set {self.name} has no label {self.majority!r}, its stated majority class.",
                f"Its labels: {', '.join(self.classes)}.",
            )
        called = [label.id for label in self.labels if _MELANOMA & {_key(label.id), _key(label.name)}]
        if called and self.melanoma is None:
            raise DataError(f"{self.name} has the label {called[0]}, but declares no melanoma.", "Declare which it is.")
        if called and self.melanoma not in called:
            raise DataError(
                f"The melanoma of {self.name} is {self.melanoma}, not its label {called[0]}.", "Correct one."
            )
        if "melanoma" in map(_key, self.classes) and _key(self.melanoma or "") != "melanoma":
            raise DataError(f"The melanoma of {self.name} is {self.melanoma}, not its label melanoma.", "Correct one.")

    def __len__(self) -> int:
        return len(self.labels)

    def __str__(self) -> str:
        return f"{self.name} ({', '.join(self.classes)})"

    def __getitem__(self, id: str) -> Label:
        """The label with an id; KeyError for another."""
        return self._by_id[id]

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The ids, in order."""
        return tuple(label.id for label in self.labels)

    @cached_property
    def malignant(self) -> tuple[str, ...]:
        """Ids of the malignant labels; see `knows_malignancy`."""
        return tuple(label.id for label in self.labels if label.malignant)

    @cached_property
    def benign(self) -> tuple[str, ...]:
        """Ids of the labels known to be benign."""
        return tuple(label.id for label in self.labels if label.malignant is False)

    @cached_property
    def alarm(self) -> str | None:
        """The label that must not be missed: melanoma, or the only malignant one; None if there is neither."""
        if self.melanoma is not None:
            return self.melanoma
        return self.malignant[0] if len(self.malignant) == 1 else None

    @cached_property
    def knows_malignancy(self) -> bool:
        """Whether every label is known to be malignant or benign, and both kinds occur."""
        return bool(self.malignant and self.benign) and all(label.malignant is not None for label in self.labels)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of what defines equality of label sets, hexadecimal."""
        content = [[label.id, label.name, label.malignant, label.snomed_ct] for label in self.labels]
        return hashlib.sha256(json.dumps([content, self.melanoma]).encode()).hexdigest()

    def index(self, ids: Iterable[str]) -> NDArray[np.int64]:
        """Positions of a sequence of ids, int64 [N].

        Raises:
            DataError: an id that is not among the labels.
        """
        wanted = list(ids)
        position = {c: i for i, c in enumerate(self.classes)}
        strange = next((i for i in wanted if i not in position), None)
        if strange is not None:
            raise DataError(f"{self.name} has no label {strange!r}.", self._hint(str(strange)))
        return np.array([position[i] for i in wanted], dtype=np.int64)

    def find(self, text: str) -> Label:
        """The label with this id, name or alias, ignoring case.

        Raises:
            DataError: there is none; the message suggests the closest.
        """
        if (found := self._names.get(_key(text))) is None:
            raise DataError(f"{self.name} has no label {text!r}.", self._hint(text))
        return found

    def find_outside(self, text: str) -> Label | None:
        """The label of `outside` with this id, name or alias, if there is one."""
        return next((o for o in self.outside if _key(text) in _keys(o)), None)

    def to_dict(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "LabelSet":
        """Back from plain values.

        Raises:
            DataError: a missing or unknown entry, or invalid labels.
        """
        try:
            rest = {k: v for k, v in values.items() if k not in ("labels", "outside")}
            labels = tuple(Label(**label) for label in values["labels"])
            return cls(labels=labels, outside=tuple(Label(**label) for label in values.get("outside", ())), **rest)
        except (TypeError, KeyError, AttributeError) as error:
            raise DataError(f"Not a label set ({error}).", "It needs a name, and labels with id and name.") from None

    @cached_property
    def _by_id(self) -> dict[str, Label]:
        return {label.id: label for label in self.labels}

    @cached_property
    def _names(self) -> dict[str, Label]:
        return {key: label for label in self.labels for key in _keys(label)}

    def _hint(self, text: str) -> str:
        near = get_close_matches(_key(text), self._names, n=1)
        return f"Did you mean {near[0]!r}?" if near else f"Known ids: {', '.join(self.classes)}."

    def _refuse_ambiguous(self) -> None:
        """Names must be unique, and ids must differ by more than case."""
        owner: dict[str, str] = {}
        for label in (*self.labels, *self.outside):
            for key in _keys(label):
                if owner.setdefault(key, label.id) != label.id:
                    raise DataError(
                        f"In the label set {self.name}, {key!r} names both {owner[key]} and {label.id}.",
                        "Rename one of them.",
                    )
        ids: Sequence[str] = [label.id for label in (*self.labels, *self.outside)]
        if len(set(ids)) < len(ids):
            twice = next(i for i in ids if ids.count(i) > 1)
            raise DataError(f"The label set {self.name} lists the label {twice} twice.", "List each label once.")


def _key(text: str) -> str:
    """A text normalised for comparison: case and spelling."""
    return plain_name(str(text))


def _keys(label: Label) -> set[str]:
    return {_key(text) for text in (label.id, label.name, *label.aliases)}
