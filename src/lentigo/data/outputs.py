"""Where results may be written: never over anything that was read, and never over what lentigo didn't make."""

import os
from collections.abc import Iterable
from pathlib import Path

from lentigo.atomic import make_folder
from lentigo.data.records import Records
from lentigo.errors import OutputError, next_step, reason

__all__ = ["output_folder", "refuse_foreign", "refuse_inputs"]


def refuse_inputs(path: str | os.PathLike[str], records: Records, others: Iterable[Path] = ()) -> None:
    """Stop before a result takes the place of something that was read.

    Args:
        path: the file that would be written.
        records: a data set, whose own file and whose folder's files stay as they are.
        others: further files that were read.

    Raises:
        OutputError: the path names one of these.
    """
    target, root = Path(path).resolve(), Path(records.root).resolve()
    inside = target.exists() and root in target.parents
    if target == root or inside or target in {other.resolve() for other in others}:
        raise OutputError(f"{path}: that is one of the inputs, which are never overwritten.", "Choose another --out.")


def refuse_foreign(path: str | os.PathLike[str], start: bytes, kind: str) -> None:
    """Stop before a file is overwritten that is not one of lentigo's of a kind: those begin with `start`.

    Raises:
        OutputError: a folder or another file lies there, or what lies there can't be read.
    """
    target = Path(path)
    if target.is_dir():
        raise OutputError(f"{target}: that is a folder.", "Give the name of a file.")
    if not target.exists():
        return
    try:
        with target.open("rb") as file:
            found = file.read(len(start))
    except OSError as error:
        raise OutputError(f"{target}: can't be looked into ({reason(error)}).", next_step(error)) from None
    if found != start:
        raise OutputError(f"{target}: a file that is not a {kind} lies there.", "Choose another --out.")


def output_folder(out: str | os.PathLike[str], records: Records) -> Path:
    """The folder for the results on a data set, made if absent: before hours of work and not after them.

    Raises:
        OutputError: it lies in the data set's own folder, where the next reader would take what is written for data;
            or it can't be made or written to.
    """
    folder, root = Path(out), Path(records.root).resolve()
    if root.is_dir() and (folder.resolve() == root or root in folder.resolve().parents):
        raise OutputError(f"{folder}: lies inside the data set.", "Choose a folder outside it with --out.")
    make_folder(folder)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{folder}: you may not write there.", "Choose another --out.")
    return folder
