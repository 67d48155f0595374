"""Adding to an audit log: all or nothing, durable, in any number of threads and processes."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from lentigo.atomic import appended, make_folder, write_text
from lentigo.audit_log.lines import START, is_begun, is_hash, make_line, parsed, read_anchor, side_file
from lentigo.errors import DataError, OutputError, needs_extra
from lentigo.runtime import Failure, Verdict

__all__ = ["AuditLog"]

NOT_READ = "not read"
"""The decision for an image that could not be read."""
_LOCK_SECONDS = 30
_LONGEST_LINE = 4096


class AuditLog:
    """An append-only log, for any number of threads and processes at once.

    Attributes:
        path: the file; `path` + '.head' is its side file, `path` + '.lock' its lock.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        _filelock()  # what is missing is said before anything is classified
        self.path = Path(path)
        if self.path.is_dir():
            raise OutputError(f"{self.path}: this is a folder.", "Name a file.")

    def __repr__(self) -> str:
        return f"AuditLog({str(self.path)!r})"

    def append(self, results: Verdict | Failure | Sequence[Verdict | Failure], images: str | Sequence[str]) -> str:
        """Log results, durably: all are on disk when it returns, or it raises and none is logged.

        Many at once take as long as one: the time goes into waiting for the disk.

        Args:
            results: one result or several.
            images: SHA-256 of each image's file, hexadecimal.

        Returns:
            The hash of the last line, for those who keep it elsewhere.

        Raises:
            OutputError: it can't be written; the disk is full, for example.
            DataError: the log was damaged or shortened since it was last written, or a hash is not one.
            MissingExtraError: the package filelock is not installed.
        """
        several = [results] if isinstance(results, Verdict | Failure) else list(results)
        hashes = [images] if isinstance(images, str) else list(images)
        if len(several) != len(hashes):
            raise DataError(f"{len(several)} results with {len(hashes)} hashes of images.", "Give one hash for each.")
        if wrong := next((h for h in hashes if not is_hash(h)), None):
            raise DataError(f"{wrong!r} is not a SHA-256.", "Give 64 hexadecimal digits in lower case.")
        with _locked(self.path):
            number, head = self._tail()
            if not several:
                return head
            lines = []
            for result, image in zip(several, hashes, strict=True):
                number += 1
                line, head = make_line(number, _values(result, image), head)
                lines.append(line)
            self._write(b"".join(lines), number, head)
        return head

    def _tail(self) -> tuple[int, str]:
        """Number and hash of the last line. What a killed process left of a line is cut off: nobody was answered."""
        try:
            number, head, whole = _last_line(self.path)
        except FileNotFoundError:
            number, head, whole = 0, START, 0
        except OSError as error:
            raise OutputError.of(self.path, error) from error
        anchor = read_anchor(self.path)
        if anchor and (number < anchor[0] or (number == anchor[0] and head != anchor[1])):
            raise DataError(
                f"{self.path}: the log ends at line {number}, but its side file knows line {anchor[0]}: lines were "
                "removed or changed.",
                "Keep both files as evidence, check them with `lentigo audit-log verify`, and start another log.",
            )
        try:
            if self.path.stat().st_size > whole:
                os.truncate(self.path, whole)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise OutputError.of(self.path, error) from error
        return number, head

    def _write(self, content: bytes, number: int, head: str) -> None:
        """Write lines and side file; a failure leaves neither."""
        make_folder(self.path.parent)
        # Once the side file knows the lines they stay: an interrupt can come after it was replaced.
        known = partial(self._is_known, number, head)
        with appended(self.path, content, mode=0o600, stays=known):
            write_text(side_file(self.path), json.dumps({"lines": number, "hash": head}) + "\n")

    def _is_known(self, number: int, head: str) -> bool:
        return read_anchor(self.path) == (number, head)


def _values(result: Verdict | Failure, image: str) -> dict[str, object]:
    """What is logged of a result: no name of a file, no pixels."""
    decision, diagnosis = (result.decision, result.top) if isinstance(result, Verdict) else (NOT_READ, None)
    return {
        "time": datetime.now(UTC).isoformat(timespec="microseconds"),
        "image_sha256": image,
        "model": result.model,
        "model_sha256": result.model_sha256,
        "decision": decision,
        "diagnosis": diagnosis,
    }


def _last_line(path: Path) -> tuple[int, str, int]:
    """Number and hash of the last whole line, and the number of bytes up to its end.

    Raises:
        DataError: the last whole line was changed, or is not a line of a log.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        # Batches are written at once, so that an interrupted write may have left several whole lines and a part of one.
        start = max(0, size - 2 * _LONGEST_LINE)
        file.seek(start)
        tail = file.read()
    end = tail.rfind(b"\n")
    values = parsed(tail[tail.rfind(b"\n", 0, end) + 1 : end]) if end >= 0 else None
    # What follows is cut off, and must be what lentigo began to write: another file is never touched.
    if end < 0 and start == 0 and is_begun(tail, 1):
        return 0, START, 0
    if values is not None and not is_begun(tail[end + 1 :], values["line"] + 1):
        values = None
    if values is None:
        raise DataError(
            f"{path}: it does not end in a line of an audit log.",
            f"Nothing is added to it. Check it (lentigo audit-log verify {path}), and name another file.",
        )
    return values["line"], values["hash"], start + end + 1


def _filelock() -> Any:
    with needs_extra("The audit log", "clinic"):
        import filelock
    return filelock


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    filelock = _filelock()
    make_folder(path.parent)
    lock = filelock.FileLock(path.with_name(path.name + ".lock"), timeout=_LOCK_SECONDS)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise OutputError(
            f"{path}: another process has held it for {_LOCK_SECONDS} seconds.", "Stop that one."
        ) from None
    except OSError as error:
        raise OutputError.of(path, error) from error
    try:
        yield
    finally:
        lock.release()
