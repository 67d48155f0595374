"""Ends a worker that hangs: it stands still, or one image never ends. What it had in hand is then done by another."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread

__all__ = ["PATIENCE", "Watchdog"]

PATIENCE = 300.0
"""Seconds without a sign of life after which a worker is killed."""
_CHILD = """
import os, select, signal, sys
parent, patience = int(sys.argv[1]), float(sys.argv[2])
while select.select([0], [], [], patience)[0]:
    if not os.read(0, 4096):
        sys.exit()
os.kill(parent, signal.SIGKILL)
"""


class Watchdog:
    """A child process that kills this one unless it hears from it; a thread could be stopped with it.

    While something is in hand only its progress counts, else it is enough that threads run.

    Args:
        patience: seconds of silence.
    """

    def __init__(self, patience: float = PATIENCE) -> None:
        command = [sys.executable, "-I", "-S", "-c", _CHILD, str(os.getpid()), str(patience)]
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, bufsize=0)
        self._interval = min(1.0, patience / 10)
        self._last, self._busy = 0.0, False
        Thread(target=self._rest, daemon=True).start()

    def alive(self) -> None:
        """Say that something has been done; at most once a second, so that it costs nothing."""
        now = time.monotonic()
        if now - self._last >= self._interval:
            self._last = now
            with suppress(OSError):  # it was killed: then nothing watches, and all else goes on
                self._child.stdin.write(b".")  # type: ignore[union-attr]

    @contextmanager
    def busy(self) -> Iterator[None]:
        """While something is in hand."""
        self._busy = True
        self.alive()
        try:
            yield
        finally:
            self._busy = False

    def _rest(self) -> None:
        while True:
            time.sleep(self._interval)
            if not self._busy:
                self.alive()
