"""Which process does something, and whether it still lives: what is in its name is free when it doesn't."""

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["is_dead", "owner"]


def owner() -> dict[str, object]:
    """This process, by machine and number."""
    return {"host": _host(), "process": os.getpid()}


def is_dead(known: Mapping[str, Any]) -> bool:
    """Whether a process has ended, as far as this machine can know: false of those of other machines."""
    return known.get("host") == _host() and not _runs(int(known.get("process", 0)))


def _host() -> str:
    """This machine, or this container of it: what process numbers are unique in."""
    space = Path("/proc/self/ns/pid")
    return f"{socket.gethostname()} {space.readlink() if space.is_symlink() else ''}".strip()


def _runs(process: int) -> bool:
    if os.name == "nt":  # where signal 0 isn't a question
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
