"""What a pattern such as 'clinic/**/*.jpg' matches, each entry of a folder once, wherever links lead.

Python's `glob` goes through cyclic links as far as the system lets it, which takes a time that doubles with each round.
Here a folder is gone through once for each part of the pattern.
"""

import glob
import os
from collections import deque
from fnmatch import fnmatch
from pathlib import Path

from lentigo.runtime.walking import Skipped

__all__ = ["match"]


def match(pattern: str | os.PathLike[str]) -> tuple[list[Path], list[Skipped]]:
    """Files, folders and broken links that a pattern matches, sorted, and what was not gone through.

    `**` stands for any folders, none included. Hidden entries match only a part that begins with a dot. Of several
    paths to one entry of a folder the shortest is kept; a link to a file keeps its own place. Folders that links lead
    to again, unreadable ones and special files, which may never end, are skipped.
    """
    return _Matching(Path(pattern)).run(folders_only=os.fspath(pattern).endswith(os.sep))


class _Matching:
    """One pattern: its parts, the places still to go to (a folder, and the number of the part that is matched in it),
    and what has been found."""

    def __init__(self, pattern: Path) -> None:
        # A second `**` in a row matches nothing more.
        given = pattern.parts[bool(pattern.anchor) :]
        self.parts = [part for i, part in enumerate(given) if part != "**" or given[i - 1 : i] != ("**",)]
        self.places = deque([(Path(pattern.anchor), 0)])
        self.seen: dict[tuple[str, int], Path] = {}
        self.found: dict[tuple[str, str], Path] = {}
        self.skipped: dict[Path, Skipped] = {}

    def run(self, *, folders_only: bool) -> tuple[list[Path], list[Skipped]]:
        while self.places:
            folder, number = self.places.popleft()
            real = os.path.realpath(folder)
            first = self.seen.setdefault((real, number), folder)
            if first != folder:
                self.skipped[folder] = Skipped(folder, "linked again", f"the same folder as {first}")
            else:
                self._match_in(folder, real, number)
        found = [path for path in self.found.values() if path.is_dir() or not folders_only]
        return sorted(found), [self.skipped[path] for path in sorted(self.skipped)]

    def _match_in(self, folder: Path, real: str, number: int) -> None:
        part, last = self.parts[number], number == len(self.parts) - 1
        if part == "**" and not last:  # no folder at all: before those below, so that shorter paths come first
            self.places.appendleft((folder, number + 1))
        for name in self._names(folder, part):
            path = folder / name
            if last:
                self._keep(path, real)
            if path.is_dir() and (part == "**" or not last):
                self.places.append((path, number if part == "**" else number + 1))

    def _names(self, folder: Path, part: str) -> list[str]:
        """Names in a folder that a part of the pattern matches, sorted."""
        if not glob.has_magic(part):
            return [part] if os.path.lexists(folder / part) else []
        try:
            names = sorted(path.name for path in folder.iterdir())
        except OSError as error:
            self.skipped[folder] = Skipped(folder, "unreadable folder", error.strerror or str(error))
            return []
        if part == "**":
            return [name for name in names if not name.startswith(".")]
        return [name for name in names if fnmatch(name, part) and (part.startswith(".") or not name.startswith("."))]

    def _keep(self, path: Path, real: str) -> None:
        if path.is_file() or path.is_dir() or not path.exists():
            self.found.setdefault((real, path.name), path)
        else:
            self.skipped[path] = Skipped(path, "special file", "not a regular file")
