"""What became of a watched folder's images: a line for each, so that none is handled twice, even after a kill."""

import csv
import io
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lentigo.atomic import appended, write_text
from lentigo.errors import OutputError

__all__ = ["JOURNAL", "REPORT", "Journal"]

JOURNAL, REPORT = "journal.jsonl", "not_classified.csv"
_BEGIN = b'{"time": "'
DONE, REFUSED, REPEATED = "done", "refused", "repeated"


class Journal:
    """The journal of an output folder, and its report of what was not classified.

    Attributes:
        entries: what was handled, in order.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / JOURNAL
        self._report = folder / REPORT
        self.entries = _read(self._path)
        self._contents = {e["sha256"] for e in self.entries}
        self._known = {(e["sha256"], e["name"]) for e in self.entries}

    def knows(self, sha256: str, name: str) -> bool:
        """Whether this content was handled under this name."""
        return (sha256, name) in self._known

    def has_content(self, sha256: str) -> bool:
        """Whether this content was handled under any name."""
        return sha256 in self._contents

    def add(self, sha256: str, name: str, state: str, files: list[str], remark: str = "") -> None:
        """Note, durably, that an image was handled.

        Raises:
            OutputError: it can't be written; then it was not noted.
        """
        entry = {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "sha256": sha256,
            "name": name,
            "state": state,
            "files": files,
            "remark": remark,
        }
        with appended(self._path, json.dumps(entry).encode() + b"\n"):
            pass
        self.entries.append(entry)
        self._contents.add(sha256)
        self._known.add((sha256, name))
        if state != DONE or remark:
            self.write_report()

    def write_report(self) -> None:
        """Rewrite the report: what was refused or repeated, and why.

        Raises:
            OutputError: it can't be written.
        """
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(["time", "name", "state", "remark", "sha256"])
        for e in self.entries:
            if e["state"] != DONE or e["remark"]:
                table.writerow([e["time"], e["name"], e["state"], e["remark"], e["sha256"]])
        write_text(self._report, text.getvalue().encode("utf-8", "backslashreplace").decode())


def _read(path: Path) -> list[dict[str, Any]]:
    """The whole lines; what a killed process left of a last one is cut off."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise OutputError.of(path, error) from error
    whole = content.rfind(b"\n") + 1
    entries: list[dict[str, Any]] = []
    known: set[tuple[str, str]] = set()
    for number, line in enumerate(content[:whole].split(b"\n")[:-1], 1):
        entry = _entry(line)
        if entry is None or (entry["sha256"], entry["name"]) in known:
            raise _damaged(path, f"line {number} is " + ("none of its lines" if entry is None else "there twice"))
        known.add((entry["sha256"], entry["name"]))
        entries.append(entry)
    rest = content[whole:]
    if rest[: len(_BEGIN)] != _BEGIN[: len(rest)]:  # not what was being written: another file is never touched
        raise _damaged(path, "it ends in what is none of its lines")
    if rest:
        try:
            os.truncate(path, whole)
        except OSError as error:
            raise OutputError.of(path, error) from error
    return entries


def _entry(line: bytes) -> dict[str, Any] | None:
    """What a line says, if it says what every line does."""
    try:
        found = json.loads(line)
        texts = [found[name] for name in ("time", "sha256", "name", "state", "remark")]
        fits = all(isinstance(text, str) for text in texts) and isinstance(found["files"], list)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return found if fits and found["state"] in (DONE, REFUSED, REPEATED) else None


def _damaged(path: Path, what: str) -> OutputError:
    return OutputError(
        f"{path}: the journal is damaged: {what}.", "Name a new output folder; all images are then classified again."
    )
