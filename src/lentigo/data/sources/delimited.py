"""Read tables of delimited text strictly: every row has as many fields as the header, or the file is refused."""

import csv
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from lentigo.errors import DataError

__all__ = ["read_header", "read_table"]

MISSING = frozenset({"", "NA", "N/A", "NaN", "nan", "null", "None"})

LONGEST_HEADER = 1_000_000
"""Characters; the header of a 128x128 RGB pixel table has half as many."""


def read_header(path: Path) -> list[str]:
    """The column names of a table, without reading or judging the rest; empty for a file that is no table."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            first = file.readline(LONGEST_HEADER)
        return [name.strip() for name in next(csv.reader([first], delimiter=_delimiter(path, first)), [])]
    except (OSError, csv.Error):
        return []


def read_table(path: Path, needed: Iterable[str] = ()) -> pd.DataFrame:
    """Read a table as strings, missing values (empty, or one of `MISSING`) as None.

    A byte order mark, mixed line ends and empty lines are taken as they come. Fields are split by a tab in .tsv and
    .tab files, elsewhere by a comma, semicolon or tab, whichever the header has most of.

    Args:
        path: the file, UTF-8.
        needed: columns that must be there.

    Raises:
        DataError: no text table, no rows, a row with another number of fields, or a column twice or missing.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            delimiter = _delimiter(path, file.readline(LONGEST_HEADER))
            file.seek(0)
            reader = csv.reader(file, delimiter=delimiter, skipinitialspace=True)
            rows = [(reader.line_num, row) for row in reader if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _unreadable(path, str(error)) from None
    if len(rows) < 2:
        raise _unreadable(path, "it has no rows")
    header = [name.strip() for name in rows[0][1]]
    for line, row in rows[1:]:
        if len(row) != len(header):
            raise _unreadable(path, f"line {line} has {len(row)} fields, the header has {len(header)}")
    _check_header(path, header, needed)
    cells = [[None if value.strip() in MISSING else value.strip() for value in row] for _, row in rows[1:]]
    return pd.DataFrame(cells, columns=header, dtype=object)


def _unreadable(path: Path, reason: str) -> DataError:
    return DataError(f"{path}: not a readable CSV table ({reason}).", "Fix it, or download or export it again.")


def _delimiter(path: Path, header: str) -> str:
    if path.suffix.lower() in {".tsv", ".tab"}:
        return "\t"
    return max(",;\t", key=header.count)


def _check_header(path: Path, header: list[str], needed: Iterable[str]) -> None:
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise DataError(f"{path}: the column {twice[0]!r} occurs twice.", "Rename one of them.")
    missing = [name for name in needed if name not in header]
    if missing:
        raise DataError(
            f"{path}: the columns {', '.join(missing)} are missing; it has {', '.join(header[:20])}.",
            "Check that this is the right table.",
        )
