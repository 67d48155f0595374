"""What the label texts of foreign sources mean, and which of them can't be used.

A source is either of seven diagnoses or of benign and malignant, never both: as soon as one of its labels is a plain
'benign' or 'malignant', every diagnosis in it counts only by its malignancy and `dx` is missing throughout. A label
outside the seven diagnoses can therefore be kept in a benign/malignant source if its malignancy is known (squamous
cell carcinoma), and is dropped and reported from a source of diagnoses: HAM10000's akiec holds carcinoma in situ
alone, so an invasive carcinoma is none of the seven.
"""

from collections import Counter
from collections.abc import Sequence

import pandas as pd

from lentigo import taxonomy
from lentigo.data.records import Problem
from lentigo.errors import DataError
from lentigo.labels import BINARY as BINARY_SET
from lentigo.labels import HAM10000, LabelSet
from lentigo.taxonomy import plain_name

__all__ = ["interpret_label", "interpret_labels", "is_label", "is_number", "report_reduced"]

BINARY = {"benign": False, "malignant": True, "non malignant": False}

OUTSIDE: dict[str, bool | None] = {
    "scc": True,
    "squamous cell carcinoma": True,
    "squamous cell carcinoma nos": True,
    "squamous cell carcinoma invasive": True,
    "unk": None,
    "unknown": None,
    "other": None,
    "indeterminate": None,
}
"""Labels in circulation that are none of the seven diagnoses, and whether they are malignant, None if not known."""

Meaning = tuple[str | None, bool | None, str | None, str | None]
"""dx, malignant, kind and reason of one label."""


def interpret_labels(texts: Sequence[str | None], where: str, label_set: LabelSet | None = None) -> pd.DataFrame:
    """Translate label texts, whatever their case.

    Args:
        texts: one label an image, None where there is none.
        where: the file or folder that they come from, for errors.
        label_set: whose ids, names and aliases they are; without it HAM10000's, or benign and malignant.

    Returns:
        One row a text: dx (id of the label set or None), malignant (True, False or None), kind and reason (both
        None for a label that can be used, otherwise what to report).

    Raises:
        DataError: the labels are numbers, whose meaning depends on the source.
    """
    words = {text: plain_name(text) for text in texts if text is not None}
    own = _own(label_set)
    numbers = sorted(word for word in words if is_number(word) and (own is None or _of_set(word, own)[2] is not None))
    if numbers:
        raise DataError(
            f"{where}: labels are numbers ({', '.join(numbers[:7])}), which mean different diagnoses in different "
            "sources.",
            "Name the diagnoses: 4 is melanoma in MedMNIST's order and nevus in that of Kaggle's pixel tables.",
        )
    binary = label_set == BINARY_SET or (label_set is None and any(word in BINARY for word in words.values()))
    meaning: dict[str | None, Meaning] = {
        text: _interpret(word, binary) if own is None else _of_set(text, own) for text, word in words.items()
    }
    if label_set == HAM10000:
        plain = {text: (None, None, "unknown label", f"{word!r} is not a diagnosis") for text, word in words.items()}
        meaning |= {text: said for text, said in plain.items() if words[text] in BINARY}
    meaning[None] = (None, None, "missing label", "it has no label")
    return pd.DataFrame([meaning[text] for text in texts], columns=["dx", "malignant", "kind", "reason"], dtype=object)


def interpret_label(text: str, label_set: LabelSet | None = None) -> tuple[str | None, bool | None]:
    """dx and malignant of one label text on its own, None for what it doesn't say: a label of a label set, or without
    one, or where it is none, of the seven diagnoses."""
    if (own := _own(label_set)) is not None:
        dx, malignant, kind, _ = _of_set(text, own)
        if kind is None:
            return dx, malignant
    dx, malignant, *_ = _interpret(plain_name(text), binary=False)
    return dx, OUTSIDE.get(plain_name(text), malignant)


def is_label(text: str, label_set: LabelSet | None = None) -> bool:
    """Whether a text is a label of a label set, or without one a diagnosis, 'benign' or 'malignant', or a known label
    outside the seven."""
    if (own := _own(label_set)) is not None:
        return _of_set(text, own)[2] != "unknown label"
    word = plain_name(text)
    return word in OUTSIDE or _interpret(word, binary=False)[2] is None


def is_number(text: str) -> bool:
    """Whether a label is a number, which means different diagnoses in different sources."""
    return text.strip().lstrip("+-").replace(".", "", 1).isdigit()


def _own(label_set: LabelSet | None) -> LabelSet | None:
    """A label set that is none of those whose words are known here."""
    return None if label_set in (None, HAM10000, BINARY_SET) else label_set


def _interpret(word: str, binary: bool) -> Meaning:
    if word in BINARY:
        return None, BINARY[word], None, None
    if word in OUTSIDE:
        if binary and OUTSIDE[word] is not None:
            return None, OUTSIDE[word], None, None
        return None, None, "outside the seven classes", f"{word!r} is none of the seven diagnoses"
    try:
        found = taxonomy.diagnosis(word)
    except DataError as error:
        return None, None, "unknown label", str(error)
    return None if binary else found.id, found.malignant, None, None


def _of_set(text: str, label_set: LabelSet) -> Meaning:
    if label_set.find_outside(text) is not None:
        return None, None, "outside the label set", f"{text!r} is none of the labels of {label_set.name}"
    try:
        found = label_set.find(text)
    except DataError as error:
        return None, None, "unknown label", str(error)
    return found.id, found.malignant, None, None


def report_reduced(texts: Sequence[str | None], where: str) -> list[Problem]:
    """That diagnoses count only as benign or malignant, because other labels of the source are no more specific."""
    words = Counter(plain_name(text) for text in texts if text is not None)
    plain = sum(count for word, count in words.items() if word in BINARY)
    diagnoses = sum(count for word, count in words.items() if word not in BINARY and interpret_label(word)[0])
    if not plain or not diagnoses:
        return []
    reason = f"{plain:,} labels are only benign or malignant, so {diagnoses:,} diagnoses are reduced to that"
    return [Problem(where, reason, "diagnoses reduced to malignancy", "kept")]
