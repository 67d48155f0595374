"""Read tables of delimited text strictly: every row has as many fields as the header, or the file is refused.

Column names are taken in lower case, with an underscore for each space, hyphen or dot: 'Image ID' is 'image_id'.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from lentigo.errors import DataError
from lentigo.written import encoding_of, read_text

__all__ = ["TABLE_SUFFIXES", "read_header", "read_table"]

TABLE_SUFFIXES = (".csv", ".tsv", ".tab")

MISSING = frozenset({"", "na", "n/a", "<na>", "nan", "nat", "null", "none", "-", "?"})
"""What stands in a cell that holds nothing, in lower case."""

_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?', re.IGNORECASE)

LONGEST_HEADER = 1_000_000
"""Characters; the header of a 128x128 RGB pixel table has half as many."""


def read_header(path: Path) -> list[str]:
    """The column names of a table, without reading or judging the rest; empty for what is no table."""
    if not path.is_file():  # opening a pipe waits for whoever writes into it
        return []
    try:
        with path.open(encoding=encoding_of(path), errors="replace", newline="") as file:
            first = file.readline(LONGEST_HEADER)
            if _SEPARATOR_LINE.fullmatch(first.strip()):
                first = file.readline(LONGEST_HEADER)
        return [_plain(name) for name in next(csv.reader([first], delimiter=_delimiter(path, first)), [])]
    except (OSError, UnicodeError, csv.Error):
        return []


def read_table(path: Path, needed: Iterable[str] = ()) -> pd.DataFrame:
    """Read a table as strings, missing values (empty, or one of `MISSING`) as None.

    A byte order mark, mixed line ends, empty lines and the line 'sep=;' of spreadsheets are taken as they come. Fields
    are divided by a tab in .tsv and .tab files that have one, elsewhere by a comma, semicolon or tab, whichever the
    header has most of. Columns without a name, such as a written index, are left away.

    Args:
        path: the file, UTF-8, or UTF-16 or UTF-32 with a byte order mark.
        needed: columns that must be there.

    Raises:
        DataError: no text table, no rows, a row with another number of fields, or a column twice or missing.
    """
    try:
        file = io.StringIO(read_text(path), newline="")
        first = file.readline()
        named = _SEPARATOR_LINE.fullmatch(first.strip())
        delimiter = named.group(1) if named else _delimiter(path, first)
        if not named:
            file.seek(0)
        reader = csv.reader(file, delimiter=delimiter, skipinitialspace=True)
        rows = [(reader.line_num + bool(named), row) for row in reader if row]
    except (OSError, UnicodeError, csv.Error) as error:
        raise _unreadable(path, str(error)) from None
    if len(rows) < 2:
        raise _unreadable(path, "it has no rows")
    header = rows[0][1]
    for line, row in rows[1:]:
        if len(row) != len(header):
            raise _unreadable(path, f"line {line} has {len(row)} fields, the header has {len(header)}")
    names = _check_header(path, header, needed)
    cells = [[None if value.strip().lower() in MISSING else value.strip() for value in row] for _, row in rows[1:]]
    table = pd.DataFrame(cells, columns=names, dtype=object)
    return table.loc[:, [bool(name) for name in names]]


def _plain(name: str) -> str:
    return re.sub(r"[\s.-]+", "_", name.strip().lower())


def _unreadable(path: Path, reason: str) -> DataError:
    return DataError(f"{path}: not a readable CSV table ({reason}).", "Fix it, or download or export it again.")


def _delimiter(path: Path, header: str) -> str:
    if path.suffix.lower() in {".tsv", ".tab"} and "\t" in header:
        return "\t"
    return max(",;\t", key=header.count)


def _check_header(path: Path, header: list[str], needed: Iterable[str]) -> list[str]:
    """The columns by their plain names, once nothing is wrong with them."""
    names = [_plain(name) for name in header]
    twice = [name for name, count in Counter(filter(None, names)).items() if count > 1]
    if twice:
        spelled = [name.strip() for name in header if _plain(name) == twice[0]]
        if len(set(spelled)) == 1:
            raise DataError(f"{path}: the column {spelled[0]!r} occurs twice.", "Rename one of them.")
        raise DataError(f"{path}: two columns differ only in spelling, {' and '.join(spelled)}.", "Rename one.")
    missing = [name for name in needed if name not in names]
    if missing:
        raise DataError(
            f"{path}: the columns {', '.join(missing)} are missing; it has {', '.join(names[:20])}.",
            "Check that this is the right table.",
        )
    return names
