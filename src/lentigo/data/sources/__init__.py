"""Readers, one file a layout, and the detection of the layout from what lies on disk."""

from os import PathLike
from pathlib import Path
from types import ModuleType

from lentigo.data.records import Records
from lentigo.data.sources import ham10000, synthetic
from lentigo.errors import DataError

__all__ = ["read"]

# Asked in this order; each module has detect(root) -> bool and read(root) -> Records.
READERS: tuple[ModuleType, ...] = (synthetic, ham10000)


def read(root: str | PathLike[str], *, strict: bool = False) -> Records:
    """Read a data set in any layout that lentigo knows.

    Args:
        root: the folder (or file) that holds it.
        strict: stop at anything wrong instead of leaving bad rows out and reporting them.

    Raises:
        DataError: no known layout, a broken table, no usable row, or, if strict, any problem at all.
    """
    folder = Path(root).expanduser()
    if not folder.exists():
        raise DataError(f"{folder}: there is no such folder.", "Check the path.")
    reader = next((r for r in READERS if r.detect(folder)), None)
    if reader is None:
        known = ", ".join(r.__name__.rsplit(".", 1)[-1] for r in READERS)
        raise DataError(f"{folder}: no known data set layout found here.", f"Known layouts: {known}.")
    records: Records = reader.read(folder)
    if strict and records.problems:
        first = records.problems[0]
        raise DataError(
            f"{folder}: {len(records.problems)} problems; the first: {first}.", "Mend them, or read without strict."
        )
    return records
