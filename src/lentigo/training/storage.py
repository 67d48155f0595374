"""Where a search keeps its trials: a journal in a file, or a database, either of which several workers can share."""

import os
import random
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from filelock import FileLock
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, OperationalError, ProgrammingError, SQLAlchemyError

from lentigo.errors import OutputError, RunError, reason
from lentigo.progress import note

__all__ = ["lock_of", "named", "open_storage", "reached"]

PATIENCE = 60
"""Seconds that SQLite waits for another worker's write to end."""
REACH = 15
"""Seconds that PostgreSQL's server has to answer; the system would try for minutes."""
ATTEMPTS = 4
"""To open a database that others may be creating."""


def open_storage(place: str | os.PathLike[str]) -> BaseStorage:
    """Open the storage of a search, or begin it.

    Args:
        place: a file for Optuna's journal, or the URL of a database that SQLAlchemy has a driver for, such as
            sqlite:///trials.db or postgresql+psycopg://user@host/name. A journal needs a file system that all workers
            see; SQLite a local disk; other databases nothing but the network.

    Raises:
        RunError: the file holds something else, the database can't be reached, or its driver isn't installed.
        OutputError: the file can't be written.
    """
    text = os.fspath(place)
    if "://" in text:
        return _database(text)
    path = Path(text)
    _check_journal(path)
    try:
        backend = JournalFileBackend(str(path))
        _drop_unfinished(path)
        return JournalStorage(backend)
    except OSError as error:
        raise OutputError.of(path, error) from error
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, AssertionError) as error:
        raise RunError(
            f"{path}: this journal is damaged ({reason(error)}).", "Restore the file, or search in another folder."
        ) from None


def named(place: str | os.PathLike[str]) -> str:
    """How a storage is called where others read it: a file's whole path, a database's URL without its password."""
    text = os.fspath(place)
    return make_url(text).render_as_string(hide_password=True) if "://" in text else str(Path(text).absolute())


def lock_of(place: str | os.PathLike[str]) -> AbstractContextManager[object]:
    """What a worker holds while it takes a trial.

    Journals and servers let only one of two workers take a trial; SQLite lets both, for it locks no single row.
    """
    text = os.fspath(place)
    if not text.startswith("sqlite"):
        return nullcontext()
    file = make_url(text).database
    return FileLock(f"{file}.lock") if file and file != ":memory:" else nullcontext()


@contextmanager
def reached(place: str | os.PathLike[str]) -> Iterator[None]:
    """What uses a storage, and may lose it at any time.

    Raises:
        RunError: the database failed, or can't be reached.
    """
    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        reason = str(error.__cause__ or error).strip().splitlines()[0].rstrip(".")
        hint = "Check the address, and that the database is running; then run the same again: it resumes."
        raise RunError(f"{named(place)}: {reason}.", hint) from None


def _check_journal(path: Path) -> None:
    """Nothing is appended to a file that isn't a journal."""
    if path.is_dir():
        raise RunError(f"{path}: this is a folder.", "Name a file for the journal, or the URL of a database.")
    if not path.parent.is_dir():
        raise RunError(f"{path}: there is no folder {path.parent}.", "Create it, or name another file.")
    try:
        with path.open("rb") as file:
            start = file.read(20)
    except FileNotFoundError:
        return
    except OSError as error:
        raise OutputError.of(path, error) from error
    if start.startswith(b"SQLite format"):
        raise RunError(f"{path}: this is an SQLite database.", f"Name it as sqlite:///{path}")
    if start and not start.startswith(b'{"op_code"'):
        raise RunError(f"{path}: this file is not a journal of Optuna.", "Name a new file, or the journal of a search.")


def _drop_unfinished(path: Path) -> None:
    """Take off the half line of a process that was killed while it wrote: what is appended to it can't be read.

    Whoever appends holds Optuna's lock, so that under it an unfinished line is nobody's.
    """
    if _cut_off(path) is None:
        return
    lock = JournalFileSymlinkLock(str(path))
    lock.acquire()
    try:
        whole = _cut_off(path)
        if whole is not None:
            note(f"{path}: its last line was cut off when it was written, and is left out.")
            os.truncate(path, whole)
    finally:
        lock.release()


def _cut_off(path: Path) -> int | None:
    """Bytes of the whole lines, where something follows them; else None."""
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    return whole if whole < len(content) else None


def _database(text: str) -> BaseStorage:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise RunError("The storage's URL can't be read.", "Write it as sqlite:///FILE, or name a file.") from None
    try:
        with reached(text):
            return _open_database(text, _options(url))
    except ImportError as error:
        hint = "Install its driver: SQLAlchemy's documentation names them."
        raise RunError(f"{named(text)}: {str(error).rstrip('.')}.", hint) from None
    except (RuntimeError, OSError) as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise RunError(f"{named(text)}: {reason}.", "Check the address, and that the database is running.") from None


def _options(url: URL) -> dict[str, Any]:
    """How to connect: SQLite's file may be locked, and a server may have closed a connection meanwhile."""
    if url.get_backend_name() == "sqlite":
        return {"connect_args": {"timeout": PATIENCE}}
    libpq = url.get_backend_name() == "postgresql" and url.get_driver_name() in ("psycopg", "psycopg2")
    waiting = libpq and "connect_timeout" not in url.query
    return {"pool_pre_ping": True} | ({"connect_args": {"connect_timeout": REACH}} if waiting else {})


def _open_database(url: str, options: dict[str, Any]) -> BaseStorage:
    """Open it, or create its tables; another worker may be about to do so too."""
    for left in reversed(range(ATTEMPTS)):
        try:
            return RDBStorage(url, engine_kwargs=options)
        except (IntegrityError, OperationalError, ProgrammingError) as error:
            away = isinstance(error, OperationalError) and not url.startswith("sqlite")
            if away or not left:
                raise
            time.sleep(random.uniform(0.2, 1))
    raise AssertionError("unreachable")
