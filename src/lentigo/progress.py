"""One progress bar for all long work, and remarks, on standard error so that piped output stays clean."""

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

__all__ = ["note", "track"]

T = TypeVar("T")


def track(items: Iterable[T], description: str, total: int, *, done: int = 0) -> Iterator[T]:
    """Yield `items` while a bar counts them from `done` to `total`; silent when standard error is not a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(description, total=total, completed=done)
        for item in items:
            yield item
            bar.advance(task)


def note(remark: str) -> None:
    """Print a remark as one line on standard error; what it can't encode is escaped."""
    encoding = sys.stderr.encoding or "utf-8"
    print(remark.encode(encoding, "backslashreplace").decode(encoding), file=sys.stderr)
