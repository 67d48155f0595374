"""Checking an audit log: every change shows, within what a file can show of itself."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lentigo.audit_log.lines import START, is_hash, parsed, read_anchor, side_file
from lentigo.errors import DataError

__all__ = ["AuditReport", "verify_audit_log"]


@dataclass(frozen=True)
class AuditReport:
    """What `verify_audit_log` found.

    Attributes:
        path: the log.
        lines: number of lines.
        head: hash of the last line.
        problems: a sentence for each line that is not as it was written, or that is missing.
        notes: what could not be checked, and how to.
    """

    path: Path
    lines: int
    head: str
    problems: tuple[str, ...] = field(default=())
    notes: tuple[str, ...] = field(default=())

    @property
    def intact(self) -> bool:
        """Whether no problem was found; `notes` say what was not checked."""
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return {
            "path": str(self.path),
            "intact": self.intact,
            "lines": self.lines,
            "head": self.head,
            "problems": list(self.problems),
            "notes": list(self.notes),
        }

    def to_text(self) -> str:
        """As lines for people."""
        found = "no line was changed, removed, moved or inserted" if self.intact else "NOT INTACT"
        return "\n".join(
            [f"{self.path}: {self.lines} lines, {found}.", *self.problems, *self.notes, f"Head: {self.head}"]
        )


def verify_audit_log(path: str | os.PathLike[str], *, head: str | None = None) -> AuditReport:
    """Find every line of an audit log that was changed, removed, moved or inserted, and a missing end.

    A missing end shows only against the side file or `head`. A log that was written anew as a whole, together with its
    side file, shows only against a `head` that was kept elsewhere.

    Args:
        path: the log.
        head: the hash of a line that was noted earlier; everything up to that line is then as it was at that time.

    Raises:
        DataError: there is no such file, it can't be read, or `head` is not a hash.
    """
    file = Path(path)
    if head is not None and not is_hash(head):
        raise DataError(f"{head!r} is not the hash of a line.", "Give the 64 hexadecimal digits that verify printed.")
    # The side file first: a line that is written meanwhile then only makes the log longer.
    anchor, problem = _anchor_or_problem(file)
    try:
        content = file.read_bytes()
    except OSError as error:
        missing = " Its side file exists: the log was removed." if anchor else ""
        raise DataError(f"{file}: can't be read ({error.strerror}).{missing}", "Check the path.") from None
    problems, hashes = _chain(content)
    problems += [problem] if problem else []
    notes = []
    if anchor:
        problems += _against(anchor[0], anchor[1], hashes)
        if (more := len(hashes) - anchor[0]) > 0:
            notes.append(
                f"The side file vouches for {anchor[0]} lines; the {more} after them are vouched for by nothing: "
                "a writer was interrupted, writes just now, or they were appended by something else."
            )
    elif not problem:
        notes.append(
            f"Its side file {side_file(file).name} is missing: whether lines are missing at the end can't be said"
            + (" beyond the given head." if head else ". Give a head hash that was noted earlier (--head).")
        )
    if head is None:
        notes.append("A log that was rewritten as a whole shows only against a head that was kept elsewhere (--head).")
    elif head in hashes:
        notes.append(f"{len(hashes) - hashes.index(head) - 1} lines were added after the given head.")
    else:
        problems.append("No line has the given head: lines are missing at the end, or all were rewritten.")
    return AuditReport(file, len(hashes), hashes[-1] if hashes else START, tuple(problems), tuple(notes))


def _chain(content: bytes) -> tuple[list[str], list[str]]:
    """Problems of the lines among themselves, and the hash that each line states."""
    problems, hashes = [], []
    previous, expected = START, 1
    *lines, rest = content.split(b"\n")
    for place, line in enumerate(lines, 1):
        values = parsed(line)
        if values is None:
            problems.append(f"Line {place}: not a line of an audit log, or changed.")
            hashes.append("")
            previous, expected = "", expected + 1
            continue
        number = values["line"]
        if number != expected:
            problems.append(
                f"Line {place}: numbered {number} instead of {expected}: {_what_happened(number, expected)}."
            )
        elif previous and values["previous"] != previous:
            problems.append(f"Line {place}: does not follow the line before it: one of them was changed or replaced.")
        hashes.append(values["hash"])
        previous, expected = values["hash"], number + 1
    if rest:
        problems.append(f"Line {len(lines) + 1}: incomplete. Its writing was interrupted, or its end was removed.")
    return problems, hashes


def _what_happened(number: int, expected: int) -> str:
    if number > expected:
        return f"{number - expected} removed before it, or moved"
    return "inserted, repeated or moved"


def _against(lines: int, head: str, hashes: list[str]) -> list[str]:
    """Problems of the log against its side file."""
    if lines > len(hashes):
        return [f"The side file knows {lines} lines, the log has {len(hashes)}: lines are missing."]
    if lines and hashes[lines - 1] != head:
        return [f"The side file knows another line {lines}: it was changed, or lines before it were."]
    return []


def _anchor_or_problem(path: Path) -> tuple[tuple[int, str] | None, str]:
    try:
        return read_anchor(path), ""
    except DataError as error:
        return None, error.message
