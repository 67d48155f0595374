"""Freed memory goes back to the system, however large it was."""

import ctypes
from contextlib import suppress

__all__ = ["keep_memory_flat"]

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_MOST_KEPT = 4 << 20


def keep_memory_flat() -> None:
    """Let this process hold on to no more than a few megabytes of memory that it has freed.

    The GNU C library learns from each large block that is freed to keep twice its size for the next one: one damaged
    image that claimed millions of pixels, or one large body, made a process larger for ever. Setting the thresholds
    switches that off; other C libraries have no such rule. Source: mallopt(3), "dynamic mmap threshold".
    """
    with suppress(AttributeError, OSError, TypeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, _MOST_KEPT)
        mallopt(_TRIM_THRESHOLD, _MOST_KEPT)
