"""Files by address: a path, or a URL that fsspec knows, such as s3://bucket/key.

What can't be had is an `UnavailableError` of one of two kinds: missing, or unreachable. Requests are repeated by
fsspec's file systems themselves, s3fs five times with growing waits; nothing is repeated here.
"""

import io
import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO, Any, TypeVar

from lentigo.atomic import make_folder, write_bytes
from lentigo.errors import DataError, LentigoError, MissingExtraError, OutputError, needs_extra, reason
from lentigo.runtime.images import contents_of

__all__ = [
    "MISSING",
    "UNREACHABLE",
    "UnavailableError",
    "Watched",
    "create",
    "exists",
    "identity",
    "is_remote",
    "joined",
    "listed",
    "opened",
    "plain",
    "prepare_folder",
    "read",
    "remove",
    "system_of",
    "unavailable",
    "write",
]

MISSING, UNREACHABLE = "missing", "unreachable"

T = TypeVar("T")


class UnavailableError(Exception):
    """A file that the storage does not give.

    Args:
        kind: `MISSING` or `UNREACHABLE`.
        message: what is wrong, naming the address, and the next step.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def plain(address: str | os.PathLike[str]) -> str:
    """An address as one string: a URL as it is, a path made absolute."""
    given = os.fspath(address)
    given = given.removeprefix("file://")
    if is_remote(given):
        return given.rstrip("/")
    return os.path.abspath(Path(given).expanduser())  # noqa: PTH100 - it removes '..', which Path.absolute keeps


def is_remote(address: str) -> bool:
    """Whether it is a URL rather than a path."""
    return "://" in address


def joined(folder: str, name: str) -> str:
    """The address of a file in a folder; `name` may be an address itself."""
    if is_remote(name) or name.startswith("/"):
        return name
    return f"{folder}/{name}" if is_remote(folder) else os.path.join(folder, name)  # noqa: PTH118


def system_of(address: str) -> tuple[Any, str]:
    """The fsspec file system of an address, and the path in it.

    Raises:
        MissingExtraError: the extra is not installed.
        DataError: no file system has such addresses, or its package is not installed.
    """
    with needs_extra("Bulk classification", "bulk"):
        from fsspec.core import url_to_fs
        from fsspec.implementations.local import LocalFileSystem
    if not is_remote(address):  # as it is: url_to_fs would read a path with '::' as a chain of addresses
        return LocalFileSystem(), address
    try:
        system, path = url_to_fs(address)
    except ImportError as error:
        if address.startswith("s3"):
            raise MissingExtraError(f"{address}: reading from there", "bulk") from error
        raise DataError(f"{address}: a package is missing ({error}).", "Install that package.") from error
    except ValueError as error:
        raise DataError(f"{address}: not an address that fsspec knows ({error}).", "Check its beginning.") from None
    system.invalidate_cache()  # what was listed before may have changed
    return system, path


def read(address: str) -> bytes:
    """The whole content of a file.

    Raises:
        UnavailableError: it is missing or unreachable.
        ImageError: longer than any image.
    """

    def whole() -> bytes:
        if is_remote(address):
            system, path = system_of(address)
            content: bytes = system.cat_file(path)  # one request; to open it takes two
            return content
        with Path(address).open("rb") as file:
            return contents_of(file)

    return _had(address, whole)


class Watched(io.RawIOBase):
    """A file that remembers what reading it raised, to tell an unreachable storage from damaged content.

    Args:
        file: what is read.
        alive: called after each piece that has been read.

    Attributes:
        failure: what reading raised; None so far.
    """

    def __init__(self, file: IO[bytes], alive: Callable[[], None] | None = None) -> None:
        self._file = file
        self._alive = alive or (lambda: None)
        self.failure: Exception | None = None

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        """As for any file."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """As for any file."""
        return self._file.tell()

    def readinto(self, buffer: Any) -> int:
        """As for any file; what is raised is kept."""
        try:
            content = self._file.read(len(buffer))
        except Exception as error:
            self.failure = error
            raise
        buffer[: len(content)] = content
        self._alive()
        return len(content)

    def close(self) -> None:
        """Close the file too."""
        self._file.close()
        super().close()


def opened(address: str, alive: Callable[[], None] | None = None) -> Watched:
    """A file to read.

    Args:
        address: of the file.
        alive: called after each piece that has been read.

    Raises:
        UnavailableError: it is missing or unreachable. While it is read, errors are the file system's own.
    """
    system, path = system_of(address)
    return Watched(_had(address, lambda: system.open(path, "rb")), alive)


def identity(address: str) -> str:
    """What changes when the file does; empty where it can't be had."""
    system, path = system_of(address)
    try:
        info = system.info(path)
    except Exception:  # whatever it is, reading the file says it better
        return ""
    kept = {key: str(info[key]) for key in ("size", "mtime", "ETag", "LastModified", "generation") if key in info}
    return ";".join(f"{key}={value}" for key, value in sorted(kept.items()))


def exists(address: str) -> bool:
    """Whether there is such a file or folder.

    Raises:
        UnavailableError: the storage is unreachable.
    """
    system, path = system_of(address)
    return bool(_had(address, lambda: system.exists(path)))


def listed(folder: str) -> set[str]:
    """Names in a folder of results, none of a missing one.

    Raises:
        OutputError: it is a file, it can't be read, or the storage is unreachable.
    """
    system, path = system_of(folder)
    try:
        found = _had(folder, lambda: system.ls(path, detail=False, refresh=True) if is_remote(folder) else _local(path))
    except UnavailableError as error:
        if error.kind == MISSING:
            return set()
        raise OutputError(str(error)) from None
    return {PurePosixPath(one).name for one in found}


def write(address: str, content: bytes) -> None:
    """Write a file whole or not at all: a rename on disk, one request elsewhere.

    Raises:
        OutputError: it can't be written.
    """
    if not is_remote(address):
        write_bytes(address, content)
        return
    system, path = system_of(address)
    try:
        system.pipe_file(path, content)
    except Exception as error:  # file systems raise what their clients do
        raise OutputError(f"{address}: can't be written ({_said(error)}).", "Check address and permissions.") from error


def create(address: str, content: bytes) -> bool:
    """Write a file that is not there yet; False where it is.

    Of several writers at once one alone succeeds, where the store knows such writes (S3, Google's and Azure's do).

    Raises:
        OutputError: it can't be written.
    """
    try:
        if exists(address):
            return False
        if is_remote(address):
            system, path = system_of(address)
            try:
                system.pipe_file(path, content, mode="create")
                return True
            except Exception:  # another was faster, or an answer was lost, or the store doesn't know such writes
                if exists(address):
                    return read(address) == content
    except UnavailableError as error:
        raise OutputError(str(error)) from None
    write(address, content)
    return True


def remove(address: str) -> None:
    """Remove a file, if it is there."""
    system, path = system_of(address)
    try:
        system.rm_file(path)
    except FileNotFoundError:
        pass
    except Exception as error:
        raise OutputError(f"{address}: can't be removed ({_said(error)}).", "Check its permissions.") from error


def prepare_folder(folder: str) -> None:
    """Make a folder on disk; object stores have none.

    Raises:
        OutputError: it can't be made.
    """
    if not is_remote(folder):
        make_folder(folder)


def unavailable(address: str, error: Exception) -> UnavailableError:
    """What an exception of a file system means."""
    if isinstance(error, UnavailableError):
        return error
    if isinstance(error, FileNotFoundError):
        return UnavailableError(MISSING, f"{_shown(address)}: there is no such file. Check the path.")
    return UnavailableError(
        UNREACHABLE, f"{_shown(address)}: can't be read ({_said(error)}). Check the address, then run it again."
    )


def _had(address: str, get: Callable[[], T]) -> T:
    try:
        return get()
    except LentigoError:
        raise
    except Exception as error:  # file systems raise what their clients do, and not all of that is an OSError
        raise unavailable(address, error) from None


def _local(path: str) -> list[str]:
    return os.listdir(path)  # noqa: PTH208


def _said(error: Exception) -> str:
    return reason(error) if isinstance(error, OSError) else str(error) or type(error).__name__


def _shown(address: str) -> str:
    return address.encode("utf-8", "backslashreplace").decode()
