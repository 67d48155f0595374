"""Tables and numbers in Markdown."""

from collections.abc import Iterable, Sequence

__all__ = ["number", "printed", "table"]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; bars in its cells are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def number(value: float | None) -> str:
    """Whole numbers with commas, others with as many digits as tell something; nothing for None."""
    if value is None:
        return ""
    if value == int(value) and abs(value) >= 10:
        return f"{int(value):,}"
    return f"{value:,.1f}" if abs(value) >= 10_000 else f"{value:.2f}" if abs(value) >= 10 else f"{value:.3f}"


def printed(value: float) -> str:
    """A published number with all the digits that it was printed with."""
    return f"{value:,.10g}"
