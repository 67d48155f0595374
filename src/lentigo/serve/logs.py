"""The log: one JSON object a line on standard error, without image content, file names or addresses of clients."""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import IO

__all__ = ["Log", "route_libraries"]

_LEVELS = ("debug", "info", "warning", "error")


class Log:
    """Writes lines of at least a level.

    Args:
        level: debug, info, warning or error.
        stream: where to; None is standard error.
    """

    def __init__(self, level: str = "info", stream: IO[str] | None = None) -> None:
        self._least = _LEVELS.index(level)
        self._stream = stream

    def write(self, level: str, event: str, **values: object) -> None:
        """Write one line; a log that can't be written never stops the service."""
        if _LEVELS.index(level) < self._least:
            return
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": time, "level": level, "event": event, **values}, default=str)
        try:
            stream = self._stream or sys.stderr
            stream.write(f"{line}\n")
            stream.flush()
        except (OSError, ValueError):  # a full disk, or a closed stream
            pass

    def failure(self, event: str, error: BaseException, **values: object) -> None:
        """Write where an error came from, but not its message, which may quote what a client sent."""
        places = [f"{f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(error.__traceback__)]
        self.write("error", event, error=type(error).__name__, places=places, **values)


class _Handler(logging.Handler):
    """Notes in the log that a library has logged something; not what, since it may quote what a client sent."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        level = {30: "warning", 40: "error", 50: "error"}.get(record.levelno, "debug")
        event, place = f"message of {record.name}", f"{record.pathname}:{record.lineno} {record.funcName}"
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            self._log.failure(event, error)
        else:
            self._log.write(level, event, places=[place])


def route_libraries(log: Log) -> None:
    """Let the messages of uvicorn and all other libraries go to the log."""
    root = logging.getLogger()
    root.handlers = [_Handler(log)]
    for name in ("uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
