"""What stands in the columns beside the label: one name a column, one spelling a value, and what couldn't be read.

Nothing is guessed: an age that is not a number, or a sex that is not a known word, is reported and then missing.
"""

import math
import re
import unicodedata
from collections.abc import Callable, Iterable

import pandas as pd

from lentigo.data.records import Problem
from lentigo.runtime.clinical import OLDEST

__all__ = ["COLUMN_NAMES", "clean_values", "gather_columns", "objects"]

COLUMN_NAMES = {
    "lesion_id": ("lesion_id", "lesionid"),
    "patient_id": ("patient_id", "patientid"),
    "age": ("age", "age_approx", "age_years", "patient_age"),
    "sex": ("sex", "gender"),
    "site": (
        "site",
        "localization",
        "localisation",
        "anatom_site",
        "anatom_site_general",
        "anatom_site_general_challenge",
        "anatomical_site",
        "anatomic_site",
        "body_site",
        "region",
    ),
    "dx_type": ("dx_type", "diagnosis_confirm_type"),
    "source": ("source", "dataset"),
}
"""Columns of `Records.table`, and what other tables call them; of several that are filled, the first counts."""

_SEXES = {
    **dict.fromkeys(("m", "male", "man", "masculine", "männlich", "masculino", "homme"), "male"),
    **dict.fromkeys(("f", "female", "woman", "feminine", "weiblich", "w", "femenino", "femme"), "female"),
    **dict.fromkeys(("other", "diverse", "divers", "intersex", "non-binary", "nonbinary"), "other"),
}
_UNKNOWN = frozenset(
    {"unknown", "unk", "unknow", "not known", "not available", "not specified", "unspecified", "missing", "undefined"}
)
_DX_TYPES = {
    "histopathology": "histo",
    "serial imaging showing no change": "follow_up",
    "single image expert consensus": "consensus",
    "confocal microscopy with consensus dermoscopy": "confocal",
}
"""How ISIC says what HAM10000 calls `dx_type`."""

_NUMBER = r"\d{1,3}(?:\.\d+|,\d{1,2})?"
"""A comma before three digits would part thousands."""
_AGE = re.compile(rf"({_NUMBER})\s*(?:y|yr|yrs|year|years|years old|yo)?\.?")
_AT_LEAST = re.compile(rf"(?:>|>=|≥|over|above)\s*({_NUMBER})|({_NUMBER})\s*(?:\+|and (?:over|older|above))")


def gather_columns(table: pd.DataFrame, where: str) -> tuple[pd.DataFrame, list[Problem]]:
    """The columns of `COLUMN_NAMES` that a table has, under the names of `Records.table`.

    Where a table has one thing under several names, cells of the first that say nothing are filled from the next, and
    cells that contradict each other, however they are spelled, are reported once a column.
    """
    gathered = pd.DataFrame(index=table.index)
    problems = []
    for column, names in COLUMN_NAMES.items():
        present = [name for name in names if name in table.columns]
        if not present:
            continue
        values = table[present[0]]
        for name in present[1:]:
            said, again = ([_meaning(column, cell) for cell in cells] for cells in (values, table[name]))
            differ = sum(None not in pair and pair[0] != pair[1] for pair in zip(said, again, strict=True))
            if differ:
                reason = f"{present[0]} and {name} differ in {differ:,} rows; {present[0]} counts"
                problems.append(Problem(where, reason, "contradictory columns", "kept"))
            values = values.where(objects(said).notna() | table[name].isna(), table[name])
        gathered[column] = objects(None if _is_empty(value) else value for value in values)
    return gathered, problems


def clean_values(rows: pd.DataFrame, *, lesions: bool = True) -> tuple[pd.DataFrame, list[Problem]]:
    """One spelling a value, and what is wrong with those that have none.

    Args:
        rows: index 0 to N - 1; image_id and any of the columns of `COLUMN_NAMES`, as texts.
        lesions: whether to report rows without a lesion id or a patient id where other rows have one.

    Returns:
        The rows, ages as numbers; and a problem, of the severity 'kept', for each cell that was lost or changed.
    """
    problems: list[Problem] = []
    cleaned = rows.copy()
    for column in ("lesion_id", "patient_id"):
        if column in rows:
            cleaned[column] = objects(None if _is_unknown(value) else _one_form(value) for value in rows[column])
            if lesions:
                problems += _missing_ids(cleaned, column)
    readers: dict[str, Callable[[str], tuple[object, str | None, str | None]]] = {"age": _age, "sex": _sex}
    for column, read in readers.items():
        if column in rows:
            values = []
            for image_id, text in zip(rows["image_id"], rows[column], strict=True):
                value, kind, reason = (None, None, None) if _is_empty(text) else read(str(text))
                values.append(value)
                if kind and reason:
                    problems.append(Problem(str(image_id), reason, kind, "kept"))
            cleaned[column] = objects(values)
    for column in ("site", "dx_type"):
        if column in rows:
            cleaned[column] = objects(None if _is_empty(value) else _words(str(value)) for value in rows[column])
    if "dx_type" in rows:
        words = cleaned["dx_type"]
        cleaned["dx_type"] = objects(_DX_TYPES.get(word, word and word.replace(" ", "_")) for word in words)
    return cleaned, problems


def objects(values: Iterable[object]) -> pd.Series:
    """A column that keeps its values as they are; from a bare list pandas would make None a number."""
    return pd.Series(list(values), dtype=object)


def _meaning(column: str, cell: object) -> object:
    """What a cell says, whatever its spelling; None where it says nothing."""
    if _is_unknown(cell):
        return None
    text = str(cell)
    if column in ("lesion_id", "patient_id"):
        return _one_form(text)
    value = _age(text)[0] if column == "age" else _sex(text)[0] if column == "sex" else None
    return _words(text) if value is None else value


def _one_form(identifier: object) -> str:
    """An id as a text that is equal to itself: systems write an accented letter as one character or as two, and numbers
    become decimals where a spreadsheet or pandas finds an empty cell among them."""
    text = unicodedata.normalize("NFC", str(identifier))
    return text.removesuffix(".0") if re.fullmatch(r"\d+\.0", text) else text


def _missing_ids(rows: pd.DataFrame, column: str) -> list[Problem]:
    """A problem for each row without an id that other rows have; nothing where no row has one."""
    missing = rows[column].isna()
    if missing.all():
        return []
    what = column.removesuffix("_id")
    reason = f"no {what} id: treated as a separate {what}, so other images of it can't be kept together"
    return [Problem(str(i), reason, f"missing {what} id", "kept") for i in rows.loc[missing, "image_id"]]


def _age(text: str) -> tuple[float | None, str | None, str | None]:
    """Years, and kind and reason of what is wrong with them."""
    words = _words(text)
    if words in _UNKNOWN:
        return None, None, None
    if found := _AGE.fullmatch(words):
        years = float(found.group(1).replace(",", "."))
        if years <= OLDEST:
            return years, None, None
    if found := _AT_LEAST.fullmatch(words):
        years = float((found.group(1) or found.group(2)).replace(",", "."))
        if years <= OLDEST:
            return years, "open-ended age", f"age {text!r} is read as {years:g}"
    outside = re.fullmatch(r"[+-]?\d+(?:[.,]\d+)?", words) is not None
    reason = f"is outside 0 to {OLDEST} years" if outside else "is not a number of years"
    return None, "bad age", f"age {text!r} {reason}; treated as missing"


def _sex(text: str) -> tuple[str | None, str | None, str | None]:
    """The word of the vocabulary, and kind and reason where there is none."""
    word = _words(text).rstrip(".")
    if word in _SEXES:
        return _SEXES[word], None, None
    if word in _UNKNOWN or word == "u":
        return "unknown", None, None
    return None, "unknown sex", f"sex {text!r} is not recognised; treated as missing"


def _is_empty(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _is_unknown(value: object) -> bool:
    return _is_empty(value) or _words(str(value)) in _UNKNOWN


def _words(text: str) -> str:
    return " ".join(text.lower().replace("_", " ").split())
