"""Tables that say the diagnosis more than once: in several columns, in the levels of ISIC's archive, or in flags.

What two columns report for one image must agree. Where it doesn't, neither is correct until somebody has looked: the
row is left out and reported.
"""

from collections import Counter
from collections.abc import Sequence
from functools import partial

import pandas as pd

from lentigo.data.records import Problem
from lentigo.data.sources.labels import BINARY, OUTSIDE, interpret_label, is_label, is_number
from lentigo.errors import DataError
from lentigo.labels import LabelSet
from lentigo.taxonomy import plain_name

__all__ = ["FLAG_COLUMNS", "LABEL_COLUMNS", "contradict", "has_labels", "read_labels"]

LABEL_COLUMNS = (
    "dx", "label", "diagnosis", "diagnostic", "diagnosis_1", "class", "benign_malignant", "malignant", "target",
)  # fmt: skip
"""Names of the columns that hold a label; the first that a table has and that names its labels counts."""
FLAG_COLUMNS = ("malignant", "target")
"""Columns in which 1 is malignant."""

LEVELS = tuple(f"diagnosis_{level}" for level in (5, 4, 3, 2, 1))
"""ISIC's archive names a diagnosis in up to five levels; the last is the most exact, the first only benign or not."""

_FLAGS = dict.fromkeys(("0", "0.0", "false", "f", "no", "n"), "benign") | dict.fromkeys(
    ("1", "1.0", "true", "t", "yes", "y"), "malignant"
)
MOST_NUMBERS = 20
"""A column with more different numbers counts something else than classes."""
_SAYS_NOTHING = frozenset({"unknown", "unk", "indeterminate", "other"})
_NOT_COUNTED_ALIKE = frozenset({"akiec", "ak", "ack"})
"""Sources differ in whether actinic keratosis is benign or malignant."""


def has_labels(columns: set[str]) -> bool:
    """Whether a table with these columns names labels."""
    return bool(columns & {*LABEL_COLUMNS, *LEVELS})


def read_labels(
    table: pd.DataFrame,
    where: str,
    *,
    label_set: LabelSet | None = None,
    flags: Sequence[str | None] | None = None,
) -> tuple[list[str | None], list[Problem | None], list[Problem]]:
    """One label a row, from all columns of a table that hold labels.

    Args:
        table: texts, columns in lower case.
        where: the file, for problems that concern a whole column.
        label_set: whose labels they are; without it HAM10000's, or benign and malignant.
        flags: each row's label as the columns of a one-hot table state it; it counts before all others.

    Returns:
        The labels; for each row a problem, its file to be filled in, if its columns contradict each other; and what is
        to be reported of whole columns.

    Raises:
        DataError: no column holds labels.
    """
    columns = {name: _texts(table, name) for name in LABEL_COLUMNS if name in table.columns and name not in LEVELS}
    faults: list[str | None] = [None] * len(table)
    if any(level in table.columns for level in LEVELS):
        columns["diagnosis_1"], faults = _most_exact(table)
    columns = {name: columns[name] for name in LABEL_COLUMNS if name in columns}
    if flags is not None:
        columns = {"its flag": list(flags), **columns}
    if not columns:
        raise DataError(f"{where}: no column contains labels.", f"Name a column {', '.join(LABEL_COLUMNS)}.")
    in_words = [name for name, texts in columns.items() if any(t is not None and not is_number(t) for t in texts)]
    first = next(iter(columns if flags is not None else in_words or columns))
    notes = []
    for name, texts in columns.items():
        if name == first:
            continue
        numbers = sum(t is not None and is_number(t) for t in set(texts))
        named = any(t is not None and (is_label(t, label_set) or plain_name(t) in BINARY) for t in texts)
        if numbers > MOST_NUMBERS or not (numbers or named):
            notes.append(Problem(where, f"the column {name!r} contains no labels", "column not used", "ignored"))
            continue
        against = partial(contradict, label_set=label_set)
        differ = _differ_by_number(columns[first], texts) if numbers else map(against, columns[first], texts)
        for row, contradicts in enumerate(differ):
            if contradicts and faults[row] is None:
                faults[row] = f"{first} says {columns[first][row]!r}, {name} says {texts[row]!r}: neither is used"
    found = [Problem("", fault, "contradictory label") if fault else None for fault in faults]
    return columns[first], found, notes


def contradict(one: str | None, other: str | None, label_set: LabelSet | None = None) -> bool:
    """Whether two labels of one image, of a label set or of HAM10000's, can't both be true."""
    if one is None or other is None or plain_name(one) == plain_name(other):
        return False
    words = {plain_name(one), plain_name(other)}
    if words & _SAYS_NOTHING:
        return False
    (dx, malignant), (other_dx, other_malignant) = (interpret_label(text, label_set) for text in (one, other))
    if words & set(BINARY):
        if {dx, other_dx} & _NOT_COUNTED_ALIKE or malignant is None or other_malignant is None:
            return False
        return malignant != other_malignant
    if dx is None and words <= set(OUTSIDE):  # two names of squamous cell carcinoma
        return False
    return dx is None or dx != other_dx


def _differ_by_number(labels: Sequence[str | None], numbers: Sequence[str | None]) -> list[bool]:
    """Where a column of numbers leaves the number that its label mostly has; where none is the most frequent, anywhere.

    What the numbers mean isn't known, but a label can't have two of them.
    """
    beside = Counter((a, b) for a, b in zip(labels, numbers, strict=True) if a is not None and b is not None)
    usual: dict[str, str | None] = {}
    for (label, number), count in beside.most_common():
        if label not in usual:
            tied = sum(n == count for (other, _), n in beside.items() if other == label) > 1
            usual[label] = None if tied else number
    return [a is not None and b is not None and usual[a] != b for a, b in zip(labels, numbers, strict=True)]


def _texts(table: pd.DataFrame, name: str) -> list[str | None]:
    texts = table[name].tolist()
    flags = all(text is None or str(text).lower() in {*_FLAGS, *BINARY} for text in texts)
    if name in FLAG_COLUMNS and flags:
        return [None if text is None else _FLAGS.get(str(text).lower(), str(text)) for text in texts]
    return texts


def _most_exact(table: pd.DataFrame) -> tuple[list[str | None], list[str | None]]:
    """Of each row's levels the most exact that is a known label, else the most exact one; and where levels contradict.

    Where some rows have more than the first level, those that don't are known to be benign or malignant at most: their
    label says so in words that are no label, so that they don't turn the others into benign and malignant ones.
    """
    levels = [level for level in LEVELS if level in table.columns]
    rows = [[row[level] for level in levels if row[level] is not None] for row in table[levels].to_dict("records")]
    exact = any(_known(text) not in (None, *BINARY) for row in rows for text in row)
    labels, faults = [], []
    for row in rows:
        known = [label for label in map(_known, row) if label is not None]
        against = next((label for label in known if contradict(known[0], label)), None)
        faults.append(against and f"its levels say {known[0]!r} and {against!r}: neither is used")
        labels.append(_of_levels(row, known, exact))
    return labels, faults


def _of_levels(row: list[str], known: list[str], exact: bool) -> str | None:
    diagnoses = [label for label in known if not (exact and label in BINARY)]
    if diagnoses or not row:
        return diagnoses[0] if diagnoses else None
    return f"{row[0]}, no diagnosis" if exact and plain_name(row[0]) in BINARY else row[0]


def _known(text: str) -> str | None:
    """The label that a level names, with or without what follows its comma: 'Nevus, Spitz' is a nevus."""
    names = (text, text.partition(",")[0])
    return next((plain_name(name) for name in names if is_label(name) and plain_name(name) not in _SAYS_NOTHING), None)
