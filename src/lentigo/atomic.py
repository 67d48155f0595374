"""Files that appear whole or not at all: what was there before stays until the new content is complete.

Everything that lentigo writes goes through here, so that two threads or processes that write one file leave one of two
whole files, a crash leaves the former one, and a disk that refuses is an error with a next step.
"""

import os
import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lentigo.errors import OutputError

__all__ = ["make_folder", "own_folder", "refuse_existing", "replacing", "write_bytes", "write_text"]


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A path beside `path` to write to, which takes its place at the end, or goes if an error came first.

    The folder is made if need be. The name is new each time; permissions are those of any new file under the user's
    umask; a link is kept, and what it points to is replaced.

    Raises:
        OutputError: the file can't be written; the message names the next step.
    """
    named = Path(path)
    make_folder(named.parent)
    target = Path(os.path.realpath(named))
    if os.path.isdir(target):  # noqa: PTH112  # False for a name that is too long, where Path raises
        raise OutputError(f"{named}: this is a folder.", "Name a file.")
    partial = target.with_name(f".{target.name[-100:]}.{os.getpid()}-{secrets.token_hex(4)}.partial")
    try:
        yield partial
        _sync(partial)
        partial.replace(target)
        _sync(target.parent)
    except OutputError:  # of another file that is written at the same time
        raise
    except OSError as error:
        if error.filename is not None and Path(os.fsdecode(error.filename)) not in (partial, target, target.parent):
            raise  # of something else that the caller did meanwhile
        raise OutputError.of(named, error) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Write a text in UTF-8, its line ends as they are; gives the path.

    Raises:
        OutputError: the file can't be written.
    """
    return write_bytes(path, text.encode("utf-8"))


def write_bytes(path: str | os.PathLike[str], content: bytes) -> Path:
    """Write bytes; gives the path.

    Raises:
        OutputError: the file can't be written.
    """
    with replacing(path) as partial:
        partial.write_bytes(content)
    return Path(path)


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Make a folder and those above it, unless it is there; gives the path.

    Raises:
        OutputError: it can't be made, or a file bears its name.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError.of(folder, error) from error
    return folder


def own_folder(path: str | os.PathLike[str], marks: Collection[str]) -> Path:
    """A folder that may be written into: a new one, an empty one, or one that lentigo wrote before.

    A results folder holds files with common names, such as README.md. In somebody else's folder, the data
    set's own for example, they would take the place of what lies there.

    Args:
        path: the folder; it is made if need be.
        marks: names of files any of which shows that lentigo wrote the folder.

    Raises:
        OutputError: it holds other things and none of `marks`, or can't be made.
    """
    folder = make_folder(path)
    present = {entry.name for entry in folder.iterdir()}
    if present and not present & set(marks):
        raise OutputError(
            f"{folder}: this folder holds other files, such as {min(present)}, which could be overwritten.",
            "Name a new or empty folder.",
        )
    return folder


def refuse_existing(path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Stop before a file is overwritten that nobody asked to overwrite; gives the path.

    Raises:
        OutputError: there is a file, and `overwrite` is false.
    """
    file = Path(path)
    if not overwrite and os.path.lexists(file):
        raise OutputError(f"{file}: this file exists already.", "Name another, or say --overwrite (overwrite=True).")
    return file


def _sync(path: Path) -> None:
    """Have the disk hold what was written, so that a power failure after the replacement can't empty the file."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except PermissionError:  # folders on some systems
        return
    try:
        os.fsync(handle)
    except OSError:  # a file system without fsync, such as some network shares
        pass
    finally:
        os.close(handle)
