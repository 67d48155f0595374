"""Label sets and mappings from a user's files: CSV or JSON.

A CSV of labels has the column `id` and optionally: `name`, `malignant` (yes, no, or empty), `aliases`
(split by '|'), `snomed_ct`, `snomed_term`, `note`, and `melanoma` (yes in the row of the label that is melanoma). Empty
cells are filled from the taxonomy if it knows the id or the name. A JSON file contains
`LabelSet.to_dict`. A CSV of a mapping has the columns `from` and `to`; JSON is an object of ids.
"""

import csv
import io
import os
from pathlib import Path
from typing import Any

from lentigo import taxonomy
from lentigo.errors import DataError, reason
from lentigo.labels.known import KNOWN, find_label_set, label_of
from lentigo.labels.label_set import Label, LabelSet
from lentigo.labels.mapping import LabelMapping, find_mapping
from lentigo.written import read_json, read_text

__all__ = ["read_label_set", "read_mapping"]

_COLUMNS = ("id", "name", "malignant", "aliases", "snomed_ct", "snomed_term", "note", "melanoma")
_FLAGS: dict[str, bool | None] = {
    **dict.fromkeys(("yes", "true", "1", "malignant"), True),
    **dict.fromkeys(("no", "false", "0", "benign"), False),
    **dict.fromkeys(("", "unknown", "na", "n/a"), None),
}


def read_label_set(name: str | os.PathLike[str] | LabelSet) -> LabelSet:
    """Read a label set: a built-in one by name, or a user's own from a CSV or JSON file.

    Raises:
        DataError: no such name or file, or not a label set.
    """
    if isinstance(name, LabelSet):
        return name
    if not _is_file(name):
        return find_label_set(str(name))
    path = Path(name)
    try:
        if path.suffix.lower() == ".json":
            return LabelSet.from_dict({"name": path.stem, **_json_object(path)})
        return _from_rows(path.stem, _read_csv(path, ("id",), _COLUMNS))
    except DataError as error:
        raise DataError(f"{path}: {error.message.removeprefix(f'{path}: ')}", error.hint) from None


def read_mapping(name: str | os.PathLike[str] | LabelMapping, source: LabelSet, result: LabelSet) -> LabelMapping:
    """Read a mapping between label sets: a built-in one by its target's name, or from a file.

    Labels in the file are ids, names or aliases. An empty `to` excludes such images.

    Raises:
        DataError: no such name or file, a mapping between other sets, or an incomplete one.
    """
    if isinstance(name, LabelMapping):
        return name
    if not _is_file(name):
        return find_mapping(str(name), source)
    path = Path(name)
    try:
        if path.suffix.lower() == ".json":
            stated = list(_json_object(path).items())
        else:
            stated = [(row["from"], row["to"]) for row in _read_csv(path, ("from", "to"), ("from", "to"))]
        pairs = [(source.find(str(a)).id, result.find(str(b)).id if b else None) for a, b in stated]
        return LabelMapping(source, result, tuple(pairs), path.name)
    except DataError as error:
        raise DataError(f"{path}: {error.message.removeprefix(f'{path}: ')}", error.hint) from None


def _is_file(name: str | os.PathLike[str]) -> bool:
    """Whether a file is meant: anything with one of the suffixes, so that a missing file is reported as missing."""
    path = Path(name)
    if path.suffix.lower() not in (".csv", ".tsv", ".json"):
        return False
    if not path.is_file():
        raise DataError(f"{path}: there is no such file.", f"Give a CSV or JSON file, or one of {', '.join(KNOWN)}.")
    return True


def _json_object(path: Path) -> dict[str, Any]:
    try:
        return dict(read_json(path))
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"not a JSON object ({reason(error)}).", "See the documentation of label sets.") from None


def _read_csv(path: Path, needed: tuple[str, ...], known: tuple[str, ...]) -> list[dict[str, str]]:
    """Complete rows by column; column names in lower case."""
    try:
        text = read_text(path)
        delimiter = "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=text.partition("\n")[0].count)
        lines = io.StringIO(text, newline="")
        rows = [row for row in csv.reader(lines, delimiter=delimiter, skipinitialspace=True) if any(row)]
    except (OSError, UnicodeError, csv.Error) as error:
        raise DataError(f"not a readable CSV table ({reason(error)}).", "Export it again.") from None
    header = [name.strip().lower() for name in rows[0]] if rows else []
    if missing := [c for c in needed if c not in header]:
        raise DataError(f"the column {missing[0]!r} is missing.", f"Known columns: {', '.join(known)}.")
    if strange := [c for c in header if c not in known]:
        raise DataError(f"unknown column {strange[0]!r}.", f"Known columns: {', '.join(known)}.")
    if len(set(header)) < len(header):
        raise DataError("a column name occurs twice.", "Rename one of them.")
    if ragged := [i for i, row in enumerate(rows) if len(row) != len(header)]:
        raise DataError(
            f"row {ragged[0] + 1} has {len(rows[ragged[0]])} fields, the header has {len(header)}.", "Correct that row."
        )
    return [dict(zip(header, (value.strip() for value in row), strict=True)) for row in rows[1:]]


def _from_rows(name: str, rows: list[dict[str, str]]) -> LabelSet:
    labels = tuple(_label(row) for row in rows)
    stated = [row["id"] for row in rows if _flag(row, "melanoma")]
    if len(stated) > 1:
        raise DataError(f"{' and '.join(stated)} are both marked as melanoma.", "Mark one label, or merge them.")
    if not stated and not any("melanoma" in row for row in rows):
        names = {"mel", "melanoma", *taxonomy.ALIASES["mel"]}
        stated = [row["id"] for row in rows if names & {taxonomy.plain_name(row.get(c, "")) for c in ("id", "name")}]
    return LabelSet(name, labels, melanoma=stated[0] if stated else None)


def _label(row: dict[str, str]) -> Label:
    known = _known(row)
    base = Label(row["id"], row.get("name") or row["id"]) if known is None else label_of(known, row["id"])
    aliases = [a.strip() for a in row.get("aliases", "").split("|") if a.strip()]
    malignant = _flag(row, "malignant")
    return Label(
        id=row["id"],
        name=row.get("name") or base.name,
        malignant=base.malignant if malignant is None else malignant,
        snomed_ct=row.get("snomed_ct") or base.snomed_ct,
        snomed_term=row.get("snomed_term") or base.snomed_term,
        aliases=tuple(aliases),
        note=row.get("note") or base.note,
    )


def _known(row: dict[str, str]) -> taxonomy.Diagnosis | None:
    """The diagnosis of the taxonomy that has this id or name."""
    for text in (row["id"], row.get("name", "")):
        key = taxonomy.plain_name(text)
        for diagnosis in (*taxonomy.FURTHER.values(), *taxonomy.DIAGNOSES.values()):
            if text and key in (taxonomy.plain_name(diagnosis.id), taxonomy.plain_name(diagnosis.name)):
                return diagnosis
    return None


def _flag(row: dict[str, str], column: str) -> bool | None:
    text = row.get(column, "").lower()
    if text not in _FLAGS:
        raise DataError(f"{row['id']} has {column} {row[column]!r}.", "Write yes, no, or leave it empty if unknown.")
    return _FLAGS[text]
