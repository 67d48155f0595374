"""Tell the rows that can be used from those that can't: each row of a table ends as a record or as a problem."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from lentigo.data.records import Problem
from lentigo.data.sources.image_files import NotFound
from lentigo.data.sources.label_columns import contradict
from lentigo.labels import LabelSet

__all__ = ["usable_rows"]

_IDENTITIES = ("lesion_id", "patient_id")
_VALUES = ("age", "sex", "site", "dx_type", "source")


def usable_rows(
    rows: pd.DataFrame,
    found: Sequence[Path | NotFound],
    labels: Sequence[str | None],
    faults: Sequence[Problem | None] | None = None,
    label_set: LabelSet | None = None,
) -> tuple[pd.DataFrame, list[Problem]]:
    """The rows whose label and image file can be used, sorted by image id, and what is wrong with the rest.

    Rows of one image (by id, or because they name one file) must agree: where their labels, lesions, patients or files
    differ, none is used; of rows that say the same, one is kept; other values that differ are missing afterwards.

    Args:
        rows: image_id (None where unknown), kind and reason as `interpret_labels` gives them, and any columns of
            `Records.table`.
        found: each row's image file, or why there is none.
        labels: each row's label as it was written.
        faults: what is wrong with a row before its label is looked at; its file is filled in.
        label_set: whose labels they are; without it HAM10000's, or benign and malignant.

    Returns:
        The rows to keep, with their column `path`; and one problem of the severity 'dropped' for each other row, with
        those of the severity 'kept' for values.
    """
    records = rows.to_dict("records")
    own = [
        _fault(i, row, place, faults[i] if faults else None)
        for i, (row, place) in enumerate(zip(records, found, strict=True))
    ]
    kept: list[int] = []
    notes: list[Problem] = []
    values = rows.assign(path=[str(place) if isinstance(place, Path) else None for place in found])
    for group in _same_image(records, found):
        usable = [i for i in group if own[i] is None]
        if not usable:
            continue
        against = _disagreement(group, usable, records, found, labels, label_set)
        if against:
            for i in usable:
                own[i] = Problem(str(records[i]["image_id"]), against[1], against[0])
            continue
        first, *again = usable
        kept.append(first)
        for i in again:
            own[i] = _repeated(records[i], records[first])
        if again:
            notes += _merge(values, first, usable)
    dropped = [problem for problem in own if problem is not None]
    return values.iloc[sorted(kept)].sort_values("image_id"), [*dropped, *notes]


def _fault(number: int, row: dict, found: Path | NotFound, fault: Problem | None) -> Problem | None:
    """What is wrong with a row on its own; the pixels of its image are not looked at."""
    image_id = row["image_id"]
    if image_id is None:
        return Problem(f"row {number + 1} of the table", "it names no image", "missing image id")
    if fault is not None:
        return Problem(str(image_id), fault.reason, fault.kind)
    if row["kind"] is not None and row["reason"] is not None:
        return Problem(str(image_id), row["reason"], row["kind"])
    if isinstance(found, NotFound):
        return Problem(str(image_id), found.reason, found.kind)
    try:
        if found.stat().st_size == 0:
            return Problem(str(found), "the file is empty", "empty image")
    except OSError as error:
        return Problem(str(found), f"it can't be read ({error.strerror})", "missing image")
    return None


def _same_image(records: list[dict], found: Sequence[Path | NotFound]) -> list[list[int]]:
    """Rows by image: those with one id, or with one file under whatever name."""
    first_with: dict[object, int] = {}
    head = list(range(len(records)))  # of each row, the first row known to show the same image

    def head_of(i: int) -> int:
        while head[i] != i:
            i = head[i]
        return i

    for i, (row, place) in enumerate(zip(records, found, strict=True)):
        keys: list[object] = [] if row["image_id"] is None else [("id", row["image_id"])]
        if isinstance(place, Path):
            keys.append(_identity(place))
        for key in keys:
            one, other = head_of(first_with.setdefault(key, i)), head_of(i)
            head[max(one, other)] = min(one, other)
    groups = defaultdict(list)
    for i in range(len(records)):
        groups[head_of(i)].append(i)
    return list(groups.values())


def _identity(path: Path) -> object:
    """What two names of one file have in common."""
    try:
        state = path.stat()
    except OSError:
        return str(path)
    return (state.st_dev, state.st_ino) if state.st_ino else str(path)


def _disagreement(
    group: list[int],
    usable: list[int],
    records: list[dict],
    found: Sequence[Path | NotFound],
    labels: Sequence[str | None],
    label_set: LabelSet | None,
) -> tuple[str, str] | None:
    """Kind and reason if the rows of one image don't agree."""
    if len(group) == 1:
        return None
    stated = list(dict.fromkeys(label for i in group if (label := labels[i]) is not None))
    for i, label in enumerate(stated):
        for other in stated[:i]:
            if contradict(label, other, label_set):
                return "contradictory label", f"its rows say {other!r} and {label!r}: neither is used"
    files = {_identity(place): place for i in usable if isinstance(place := found[i], Path)}
    if len(files) > 1:
        listed = " and ".join(sorted(str(place) for place in files.values())[:2])
        return "ambiguous image", f"its rows name different files ({listed}): none is used"
    for column in _IDENTITIES:
        stated = sorted({str(value) for i in usable if not pd.isna(value := records[i].get(column))})
        if len(stated) > 1:
            what = column.replace("_", " ")
            return f"contradictory {what}", f"its rows say {stated[0]!r} and {stated[1]!r}: neither is used"
    return None


def _repeated(row: dict, first: dict) -> Problem:
    image_id, known = str(row["image_id"]), str(first["image_id"])
    reason = "a second row that says the same" if image_id == known else f"its file is that of {known}"
    return Problem(image_id, reason, "duplicate row")


def _merge(values: pd.DataFrame, first: int, rows: list[int]) -> list[Problem]:
    """Fill the first of an image's rows from the others, and blank what they differ in."""
    notes = []
    for column in (*_IDENTITIES, *_VALUES):
        if column not in values:
            continue
        at = values.columns.get_loc(column)
        stated = dict.fromkeys(value for i in rows if not pd.isna(value := values.iloc[i, at]))
        if len(stated) > 1:
            listed = " and ".join(repr(value) for value in list(stated)[:2])
            reason = f"its rows say {listed}; it counts as missing"
            notes.append(Problem(str(values["image_id"].iloc[first]), reason, f"contradictory {column}", "kept"))
        values.iloc[first, at] = next(iter(stated)) if len(stated) == 1 else None
    return notes
