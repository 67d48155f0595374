"""Where results may be written: never over inputs, and never over files that lentigo didn't write."""

import os
from collections.abc import Iterable
from pathlib import Path

from lentigo.atomic import make_folder
from lentigo.data.records import Records
from lentigo.errors import OutputError, next_step, reason

__all__ = ["output_folder", "refuse_foreign", "refuse_inputs"]


def refuse_inputs(path: str | os.PathLike[str], records: Records, others: Iterable[Path] = ()) -> None:
    """Refuse to overwrite an input.

    Args:
        path: the file that would be written.
        records: a data set, whose own file, whose images and whose folder's files stay as they are.
        others: further files that were read.

    Raises:
        OutputError: the path names one of these.
    """
    target, roots = Path(path).resolve(), {root.resolve() for root in map(Path, records.roots)}
    images = (Path(image).resolve() for image in records.table["path"])
    inside = target.exists() and (not roots.isdisjoint(target.parents) or target in images)
    if target in roots or inside or target in {other.resolve() for other in others}:
        raise OutputError(f"{path}: this is one of the inputs, which are never overwritten.", "Choose another --out.")


def refuse_foreign(path: str | os.PathLike[str], start: bytes, kind: str) -> None:
    """Refuse to overwrite a file unless it is lentigo's own of this kind, which starts with `start`.

    Raises:
        OutputError: a folder or another file lies there, or what lies there can't be read.
    """
    target = Path(path)
    if target.is_dir():
        raise OutputError(f"{target}: this is a folder.", "Name a file.")
    if not target.exists():
        return
    try:
        with target.open("rb") as file:
            found = file.read(len(start))
    except OSError as error:
        raise OutputError(f"{target}: can't be read ({reason(error)}).", next_step(error)) from None
    if found != start:
        raise OutputError(f"{target}: exists and is not a {kind}.", "Choose another --out.")


def output_folder(out: str | os.PathLike[str], records: Records) -> Path:
    """Create the output folder for a data set's results: before hours of work, not after.

    Raises:
        OutputError: it lies in the data set's own folder, be it that of a table, where the next reader would take what
            is written for data; or it can't be made or written to.
    """
    folder = Path(out)
    # A table's images lie below its folder; what holds its pixels itself, such as an array, may lie anywhere.
    tables = [root for root in records.roots if records.pixels is None and root.is_file()]
    places = {root.resolve() for root in records.roots if root.is_dir()} | {root.resolve().parent for root in tables}
    places |= {root.absolute().parent.resolve() for root in tables}  # a link's own folder too
    if not places.isdisjoint((folder.resolve(), *folder.resolve().parents)):
        raise OutputError(f"{folder}: is inside the data set.", "Choose a folder outside it with --out.")
    make_folder(folder)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{folder}: no permission to write there.", "Choose another --out.")
    return folder
