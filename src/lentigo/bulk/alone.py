"""One run for each folder of results: a lock of the system on disk; in an object store, a file that is written again
and again while its run lives.
"""

import json
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from lentigo.bulk import storage
from lentigo.bulk.plan import has_plan
from lentigo.errors import OutputError, needs_extra
from lentigo.owners import is_dead, owner

__all__ = ["alone"]

LOCK = ".lock"
BEAT = 10.0
"""Seconds between two signs of life in an object store."""
SILENCE = 60.0
"""Seconds without one after which a run counts as dead, by the clock of whoever waits."""
_WAIT = "Wait for it, or stop it."


@contextmanager
def alone(out: str) -> Iterator[Callable[[], None]]:
    """While a folder of results is this run's alone; gives what to call now and then: it raises if it no longer is.

    Raises:
        OutputError: another run writes there, or the lock can't be written.
        MissingExtraError: the extra is not installed.
    """
    has_plan(out)  # a folder of something else gets no lock
    with _lease(out) if storage.is_remote(out) else _lock(out) as check:
        yield check


@contextmanager
def _lock(out: str) -> Iterator[Callable[[], None]]:
    with needs_extra("Bulk classification", "bulk"):
        from filelock import FileLock, Timeout
    storage.prepare_folder(out)
    try:
        lock = FileLock(storage.joined(out, LOCK), timeout=0)
        lock.acquire()
    except Timeout:
        raise OutputError(f"{out}: another run writes here.", _WAIT) from None
    except OSError as error:
        raise OutputError.of(out, error) from error
    try:
        yield lambda: None
    finally:
        lock.release()


@contextmanager
def _lease(out: str) -> Iterator[Callable[[], None]]:
    lease = _Lease(out)
    lease.take()
    thread = threading.Thread(target=lease.keep, daemon=True)
    thread.start()
    try:
        yield lease.check
    finally:
        lease.over.set()
        thread.join()
        lease.leave()


class _Lease:
    """A file in an object store that says which run writes beside it."""

    def __init__(self, out: str) -> None:
        self._out, self._address = out, storage.joined(out, LOCK)
        self._mine: dict[str, Any] = {**owner(), "run": secrets.token_hex(8), "beat": 0}
        self._lost = False
        self.over = threading.Event()

    def take(self) -> None:
        """Write it, when no other run's is there, or that run is dead.

        Raises:
            OutputError: that run lives.
        """
        first, since = self._there(), time.monotonic()
        told = False
        while True:
            now = self._there()
            if now is None:
                if storage.create(self._address, self._text()) and self._is_mine(self._there()):
                    return
            elif first is not None and now != first:
                where = f"{now.get('host', '?')}, process {now.get('process', '?')}"
                raise OutputError(f"{self._out}: another run writes here ({where}).", _WAIT)
            elif is_dead(now) or time.monotonic() - since > SILENCE:
                storage.remove(self._address)
                continue
            first = first or now
            if not told:
                print(f"{self._out}: looking whether the run that has its lock lives.", file=sys.stderr)
            told = True
            time.sleep(BEAT / 5)

    def keep(self) -> None:
        """Write it again and again, as long as it is this run's."""
        while not self.over.wait(BEAT):
            try:
                there = self._there()
                self._mine["beat"] += 1
                if there is None:  # whoever removed it doesn't get it
                    storage.create(self._address, self._text())
                elif self._is_mine(there):
                    storage.write(self._address, self._text())
                else:
                    self._lost = True
                    return
            except OutputError:  # the store is away for a moment
                continue

    def check(self) -> None:
        """See that it is this run's still.

        Raises:
            OutputError: another run took it, for this one had been silent.
        """
        if self._lost:
            raise OutputError(
                f"{self._out}: another run has taken this folder over, because this one had not been heard of.",
                "Let that one finish; what this one finished stays.",
            )

    def leave(self) -> None:
        """Remove it, unless it is another's."""
        with suppress(OutputError):  # then it is silent, and given up after a minute
            if self._is_mine(self._there()):
                storage.remove(self._address)

    def _is_mine(self, said: dict[str, Any] | None) -> bool:
        return said is not None and said.get("run") == self._mine["run"]

    def _text(self) -> bytes:
        return json.dumps(self._mine).encode()

    def _there(self) -> dict[str, Any] | None:
        """What the file says; None where there is none.

        Raises:
            OutputError: the store can't be read.
        """
        try:
            said = json.loads(storage.read(self._address))
        except storage.UnavailableError as error:
            if error.kind == storage.MISSING:
                return None
            raise OutputError(str(error)) from None
        except ValueError:
            said = {}
        return said if isinstance(said, dict) else {}
