"""Where results may be written: never over anything that was read, and never over what lentigo didn't make."""

import os
from collections.abc import Iterable
from pathlib import Path

from lentigo.data.records import Records
from lentigo.errors import DataError

__all__ = ["output_folder", "refuse_foreign", "refuse_inputs"]


def refuse_inputs(path: str | os.PathLike[str], records: Records, others: Iterable[Path] = ()) -> None:
    """Stop before a result takes the place of something that was read.

    Args:
        path: the file that would be written.
        records: a data set, whose own file and whose folder's files stay as they are.
        others: further files that were read.

    Raises:
        DataError: the path names one of these.
    """
    target, root = Path(path).resolve(), Path(records.root).resolve()
    inside = target.exists() and root in target.parents
    if target == root or inside or target in {other.resolve() for other in others}:
        raise DataError(f"{path}: that is one of the inputs, which are never overwritten.", "Choose another --out.")


def refuse_foreign(path: str | os.PathLike[str], start: bytes, kind: str) -> None:
    """Stop before a file is overwritten that is not one of lentigo's of a kind: those begin with `start`.

    Raises:
        DataError: a folder or another file lies there, or what lies there can't be read.
    """
    target = Path(path)
    if target.is_dir():
        raise DataError(f"{target}: that is a folder.", "Give the name of a file.")
    if not target.exists():
        return
    try:
        with target.open("rb") as file:
            found = file.read(len(start))
    except OSError as error:
        raise DataError(f"{target}: can't be read ({error.strerror or error}).", "Choose another --out.") from None
    if found != start:
        raise DataError(f"{target}: a file that is not a {kind} lies there.", "Choose another --out.")


def output_folder(out: str | os.PathLike[str], records: Records) -> Path:
    """The folder for the results on a data set, made if absent.

    Raises:
        DataError: it lies in the data set's own folder, where the next reader would take what is written for data; a
            file lies in its place; or it can't be made or written to.
    """
    folder, root = Path(out), Path(records.root).resolve()
    if root.is_dir() and (folder.resolve() == root or root in folder.resolve().parents):
        raise DataError(f"{folder}: lies inside the data set.", "Choose a folder outside it with --out.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise DataError(f"{folder}: a file lies where the folder would be.", "Choose another --out.") from None
    except OSError as error:
        raise DataError(
            f"{folder}: can't be made ({error.strerror or error}).", "Choose another --out that you may write to."
        ) from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise DataError(f"{folder}: you may not write there.", "Choose another --out.")
    return folder
