"""Atomic file writing: the previous content stays until the new content is complete.

All of lentigo's output goes through this module: concurrent writers leave one complete version,
a crash leaves the previous one, and a failed write is an error with a next step.
"""

import os
import re
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lentigo.errors import OutputError

__all__ = [
    "appended",
    "entries",
    "make_folder",
    "own_folder",
    "refuse_existing",
    "replacing",
    "writable",
    "write_bytes",
    "write_text",
]

_AS_IT_IS = getattr(os, "O_BINARY", 0)
"""Without it Windows changes the ends of lines."""
_UNFINISHED = re.compile(r"\..*\.\d+-[0-9a-f]{8}\.partial")
"""Name of a file that `replacing` has not finished."""


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path beside `path` that replaces it on success and is deleted on error.

    Missing folders are created. The temporary name is unique; permissions follow the user's
    umask; a symbolic link is kept and its target is replaced.

    Raises:
        OutputError: the file can't be written; the hint names the next step.
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
    except OutputError:  # from a nested write of another file
        raise
    except OSError as error:
        if error.filename is not None and Path(os.fsdecode(error.filename)) not in (partial, target, target.parent):
            raise  # from the caller's own code
        raise OutputError.of(named, error) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


@contextmanager
def appended(
    path: str | os.PathLike[str], content: bytes, *, mode: int = 0o666, stays: Callable[[], bool] = lambda: False
) -> Iterator[None]:
    """Content at the end of a file, on disk when the context is entered; its failure, or the context's, takes it back.

    Args:
        path: the file, made if it is missing.
        content: what is added, whole or not at all.
        mode: permissions of a new file, less the user's umask.
        stays: asked after a failure of the context: whether the content is needed nevertheless.

    Raises:
        OutputError: it can't be written.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | _AS_IT_IS, mode)
    except OSError as error:
        raise OutputError.of(path, error) from error
    before = None
    try:
        before = os.fstat(handle).st_size
        while content:  # the operating system may take less at a time, when the disk fills up
            content = content[os.write(handle, content) :]
        os.fsync(handle)
        yield
    except BaseException as error:
        if before is not None and not stays():
            os.ftruncate(handle, before)
        if isinstance(error, OSError) and not isinstance(error, OutputError):
            raise OutputError.of(path, error) from error
        raise
    finally:
        os.close(handle)


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Write text as UTF-8, with line endings unchanged; returns the path.

    Raises:
        OutputError: the file can't be written.
    """
    return write_bytes(path, text.encode("utf-8"))


def write_bytes(path: str | os.PathLike[str], content: bytes) -> Path:
    """Write bytes; returns the path.

    Raises:
        OutputError: the file can't be written.
    """
    with replacing(path) as partial:
        partial.write_bytes(content)
    return Path(path)


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Create a folder and its parents if missing; returns the path.

    Raises:
        OutputError: it can't be created, or a file has its name.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError.of(folder, error) from error
    return folder


def writable(path: str | os.PathLike[str]) -> Path:
    """Refuse before hours of work what could not be written after it: a folder, or a place without permission.

    Raises:
        OutputError: the path is a folder, or its folder can't be created or written to.
    """
    file = Path(path)
    if file.is_dir():
        raise OutputError(f"{file}: this is a folder.", "Name a file in it.")
    folder = make_folder(file.parent)
    if not os.access(folder, os.W_OK):
        raise OutputError(
            f"{folder}: this folder can't be written to.", "Choose another one, or change its permissions."
        )
    return file


def entries(folder: str | os.PathLike[str]) -> set[str]:
    """Names in a folder, none of a missing one, without what a killed process left unfinished."""
    path = Path(folder)
    return {e.name for e in path.iterdir() if not _UNFINISHED.fullmatch(e.name)} if path.is_dir() else set()


def own_folder(path: str | os.PathLike[str], marks: Collection[str]) -> Path:
    """A folder that is safe to write into: new, empty, or written by lentigo before.

    Results folders contain files with common names, such as README.md. In another folder, the data
    set's for example, they would overwrite existing files.

    Args:
        path: the folder, which may be missing.
        marks: file names, any of which shows that lentigo wrote the folder.

    Raises:
        OutputError: it contains other files and none of `marks`.
    """
    folder = Path(path)
    present = entries(folder)
    if present and not present & set(marks):
        raise OutputError(
            f"{folder}: this folder contains other files, such as {min(present)}, which could be overwritten.",
            "Name a new or empty folder.",
        )
    return folder


def refuse_existing(
    path: str | os.PathLike[str], *, overwrite: bool = False, inputs: Iterable[str | os.PathLike[str]] = ()
) -> Path:
    """Refuse to overwrite an existing file without permission, and an input with it; returns the path.

    Raises:
        OutputError: the file exists and `overwrite` is false, or it is one of `inputs`, by whatever name.
    """
    file = Path(path)
    if file.exists() and any(os.path.exists(one) and file.samefile(one) for one in inputs):  # noqa: PTH110
        raise OutputError(f"{file}: this is one of the inputs, which are never overwritten.", "Name another file.")
    if not overwrite and os.path.lexists(file):
        raise OutputError(f"{file}: this file already exists.", "Name another, or use --overwrite (overwrite=True).")
    return file


def _sync(path: Path) -> None:
    """Flush to disk, so that a power failure after the replacement can't leave an empty file."""
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
