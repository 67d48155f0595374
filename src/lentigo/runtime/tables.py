"""CSV tables that users write by hand: what is read twice or not at all is an error."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from lentigo.errors import DataError, reason
from lentigo.written import read_text

__all__ = ["parse_table", "read_table"]


def read_table(file: Path) -> tuple[list[str], Iterator[tuple[int, dict[str, str]]]]:
    """The columns of a CSV table, and its rows one after another: the number of the last line, and the cells, stripped.

    Raises:
        DataError: it can't be read, two columns have one name, or (when the row is reached) a row of another width.
    """
    try:
        text = read_text(file)
    except (OSError, UnicodeError) as error:
        raise DataError(f"{file}: can't be read ({reason(error)}).", "Name a CSV table.") from None
    return parse_table(text, file)


def parse_table(text: str, file: Path | str) -> tuple[list[str], Iterator[tuple[int, dict[str, str]]]]:
    """As `read_table`, from the text of a file that is named in errors.

    Raises:
        DataError: two columns have one name, or (when the row is reached) a row of another width.
    """
    reader = csv.DictReader(io.StringIO(text, newline=""))
    header = [name.strip() for name in reader.fieldnames or ()]
    reader.fieldnames = header
    if twice := next((name for name in header if header.count(name) > 1), None):
        raise DataError(f"{file}: two columns are called {twice!r}.", "Keep one of them.")

    def rows() -> Iterator[tuple[int, dict[str, str]]]:
        for row in reader:
            if None in row or None in row.values():
                raise DataError(
                    f"{file}, line {reader.line_num}: another number of cells than the header.", "Correct the line."
                )
            yield reader.line_num, {name: value.strip() for name, value in row.items()}

    return header, rows()
