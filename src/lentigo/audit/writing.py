"""Audit a data set, and a split of it, into a folder."""

import os
from pathlib import Path
from typing import Literal

from lentigo.arguments import checked
from lentigo.atomic import own_folder
from lentigo.audit.auditing import audit
from lentigo.audit.duplicates import Search
from lentigo.audit.leaks import leak_report, read_split
from lentigo.data.outputs import output_folder, refuse_inputs
from lentigo.data.records import Records

__all__ = ["write_audit"]


@checked
def write_audit(
    records: Records,
    out: str | os.PathLike[str],
    *,
    split: str | os.PathLike[str] | None = None,
    search: Search | Literal["auto"] = "auto",
) -> str:
    """Search a data set for duplicates, conflicts and faults, and a split for leaks; say what was found and where.

    Args:
        records: the images.
        out: folder for audit.json and audit.html, and for leaks.json and leaks.md where a split is given.
        search: as in `audit`.
        split: a split that lentigo saved, a CSV table of anybody's, or a folder with train/ and test/.

    Raises:
        DataError: no image can be read, or the split can't.
        OutputError: the folder can't be written, is inside the data set, or holds other files than an audit's; or the
            split would be overwritten.
    """
    folder = output_folder(out, records)
    if split is not None:
        for name in ("leaks.csv", "leaks.json", "leaks.md"):
            refuse_inputs(folder / name, records, [Path(split)])
        read_split(Path(split), records)  # an unreadable split stops it now, not after the search
    own_folder(folder, ("audit.json",))
    found = audit(records, search=search)
    found.save(folder)
    text = f"{found}\nWrote {folder / 'audit.html'}"
    if split is not None:
        report = leak_report(read_split(Path(split), records, found.pairs))
        report.save(folder)
        text += f"\n{report}\nWrote {folder / 'leaks.md'}"
    return text
