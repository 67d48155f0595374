"""New files of a watched folder, each once it is whole.

A file is whole when its size and time have not changed for a while, nobody has it open for writing (where the operating
system says so), and its name is not that of an unfinished one.
"""

import os
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lentigo.runtime.walking import walk

__all__ = ["Incoming", "Whole"]

PATIENCE = 10
"""A file that can't be read is tried once more after this many times the settling time: a writer may have paused."""
_UNFINISHED = re.compile(r".*(\.(part|partial|tmp|temp|crdownload|filepart|download|!ut|swp)|~)", re.IGNORECASE)

_State = tuple[int, int, int]
"""Size, time of change and inode."""


@dataclass
class _Seen:
    state: _State
    since: float
    handled: bool = False
    tried: bool = False


@dataclass(frozen=True)
class Whole:
    """A file that is whole.

    Attributes:
        path: the file.
        last: whether it has waited so long that what can't be read now never will be.
    """

    path: Path
    last: bool


class Incoming:
    """The files below a folder, which is only read.

    Args:
        folder: the folder.
        settle: seconds for which a file must not have changed.
    """

    def __init__(self, folder: Path, settle: float) -> None:
        self.folder = folder
        self.settle = settle
        self._seen: dict[Path, _Seen] = {}

    def whole(self) -> Iterator[Whole]:
        """Files that are whole and were not handled since they last changed."""
        now = time.monotonic()
        found = {path: state for path in walk(self.folder).files if (state := _state(path))}
        self._seen = {path: seen for path, seen in self._seen.items() if path in found}
        for path, state in found.items():
            seen = self._seen.get(path)
            if seen is None or seen.state != state:
                seen = self._seen[path] = _Seen(state, now - self._age(path))
            waited = now - seen.since
            last = waited >= PATIENCE * self.settle
            due = last if seen.tried or _UNFINISHED.fullmatch(path.name) else waited >= self.settle
            if not seen.handled and due and not _open_for_writing(path):
                yield Whole(path, last)

    def handled(self, path: Path) -> None:
        """Leave a file alone until it changes."""
        self._seen[path].handled = True

    def try_again(self, path: Path) -> None:
        """Come back to a file that could not be read, once, when it has not changed for longer."""
        self._seen[path].tried = True

    @property
    def waiting(self) -> bool:
        """Whether a file is not handled yet."""
        return any(not seen.handled for seen in self._seen.values())

    def _age(self, path: Path) -> float:
        """For how long a file that is new here has surely not changed: by its time, unless that lies in the future."""
        state = _state(path)
        return 0.0 if state is None else max(0.0, min(time.time() - state[1] / 1e9, self.settle))


def _state(path: Path) -> _State | None:
    try:
        found = path.stat()
    except OSError:  # removed meanwhile
        return None
    return found.st_size, max(found.st_mtime_ns, found.st_ctime_ns), found.st_ino


def _open_for_writing(path: Path) -> bool:
    """Whether a process has the file open for writing; False where the operating system can't say.

    Linux grants a read lease only on a file that nobody writes. Should a writer come while it is held, the signal is
    one that is ignored by default, and the writer waits for the instant until the lease is given back.
    """
    try:
        import fcntl

        lease, signals = fcntl.F_SETLEASE, fcntl.F_SETSIG
    except (ImportError, AttributeError):
        return False
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.fcntl(handle, signals, signal.SIGURG)
        fcntl.fcntl(handle, lease, fcntl.F_RDLCK)
        fcntl.fcntl(handle, lease, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except OSError:  # another user's file, or a file system without leases
        return False
    finally:
        os.close(handle)
    return False
