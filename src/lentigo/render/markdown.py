"""Tables in Markdown, and cells of tables."""

from collections.abc import Iterable, Sequence

__all__ = ["once", "p_value", "table"]


def table(head: Sequence[object], rows: Iterable[Sequence[object]], *, right: Sequence[int] = ()) -> str:
    """A table whose cells are the text of what is given; a row with one reason in all its cells says it once.

    Args:
        head: names of the columns.
        rows: as many cells as there are columns.
        right: columns, by position, whose cells are numbers and stand to the right.
    """
    rule = ["--:" if column in right else "---" for column in range(len(head))]
    lines = [list(map(_cell, head)), rule, *(once(list(map(_cell, row))) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def once(cells: Sequence[str], *, starts: tuple[str, ...] = ("undefined (", "– (")) -> list[str]:
    """A row in which a reason why there is no number is in the first cell that has it and is a dash in the others."""
    seen: set[str] = set()
    found = []
    for cell in cells:
        found.append("–" if cell in seen else cell)
        if cell.startswith(starts):
            seen.add(cell)
    return found


def p_value(p: float | None) -> str:
    """The p of a test, never 0: a small one is not an impossible one."""
    if p is None:
        return "–"
    return "below 0.001" if p < 0.001 else f"{p:.3f}"


def _cell(value: object) -> str:
    """Text that doesn't end its cell."""
    return str(value).replace("|", "\\|").replace("\n", " ")
