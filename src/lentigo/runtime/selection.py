"""Expand files, folders and patterns to the files to classify, and count everything else."""

import glob
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from lentigo.errors import ImageError
from lentigo.runtime.matching import match
from lentigo.runtime.walking import Skipped, survey

__all__ = ["Selection", "select"]


@dataclass
class Selection:
    """What the user's files, folders and patterns expand to.

    Args:
        files: what gets a row each: images, images of unsupported formats, and everything named explicitly.
        others: files in named folders that are not images.
        skipped: hidden files, system files, broken links and unreadable folders in named folders.
    """

    files: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)

    @property
    def notice(self) -> str:
        """One line that counts the files without a row; empty if nothing was left out."""
        counts = Counter(path.suffix.lower() or "no suffix" for path in self.others)
        parts = [f"{_files(len(self.others))} ({_listed(counts)})"] if self.others else []
        harmless = sum(s.harmless for s in self.skipped)
        parts += [f"{harmless} hidden or system files"] if harmless else []
        parts += [f"{s.path} ({s.kind}: {s.reason})" for s in self.skipped if not s.harmless]
        return f"Not classified: {'; '.join(parts)}." if parts else ""


def select(paths: Iterable[str | os.PathLike[str]]) -> Selection:
    """Files, the images in folders, and what patterns match; a file that is named twice counts once.

    Raises:
        ImageError: a pattern without a match, or no image at all.
    """
    selection = Selection()
    for named in [paths] if isinstance(paths, str | os.PathLike) else paths:
        given = os.fspath(named)
        path = Path(given).expanduser()
        if path.is_dir():
            _add_folder(path, selection)
        elif not path.exists() and glob.has_magic(given):
            _add_matches(path, given, selection)
        else:
            selection.files.append(path)  # if it is missing or not an image, its row says so
    if not selection.files:
        raise ImageError(f"No images found. {selection.notice}".strip(), "Give files, folders or patterns.")
    # Two spellings of the same path count once; a link beside its target keeps its own row.
    once: dict[str, Path] = {}
    for path in selection.files:
        once.setdefault(os.path.abspath(path), path)  # noqa: PTH100 - it removes '..', which Path.absolute keeps
    selection.files = list(once.values())
    return selection


def _add_folder(folder: Path, selection: Selection) -> None:
    found = survey(folder)
    images = sorted([*found.images, *(path for path, _ in found.foreign)])
    selection.files += images
    selection.others += found.others
    selection.skipped += found.skipped
    if not images:
        selection.skipped.append(Skipped(folder, "folder", "no image in it"))


def _add_matches(pattern: Path, given: str, selection: Selection) -> None:
    """Matches of a pattern count as named explicitly; matching folders are searched."""
    found, skipped = match(pattern)
    selection.skipped += skipped
    if not found:
        raise ImageError(f"{given}: no file matches this pattern. {selection.notice}".strip(), "Check the pattern.")
    for path in found:
        if not path.is_dir():
            selection.files.append(path)
        elif "**" not in given:  # which matches the files below anyway
            _add_folder(path, selection)


def _files(count: int) -> str:
    return "1 file that is not an image" if count == 1 else f"{count} files that are not images"


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])))
