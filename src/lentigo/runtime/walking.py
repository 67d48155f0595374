"""Every file below a folder, following links, with nothing silently skipped.

One walk serves `classify` and the readers of data sets: content decides what is an image, and anything not
selected is reported with the reason.
"""

import os
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from lentigo.runtime.formats import Format, image_format

__all__ = ["Skipped", "Survey", "Walk", "find_images", "survey", "walk"]

_LITTER = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"})
_LITTER_FOLDERS = frozenset({"__macosx", "@eadir", "$recycle.bin", "system volume information", "lost+found"})
"""Folders left by operating systems and archives; `@eaDir` contains thumbnails."""


@dataclass(frozen=True)
class Skipped:
    """A file or folder that was skipped.

    Args:
        path: its location.
        kind: 'hidden', 'system', 'broken link', 'unreadable folder', 'unreadable file', 'special file' or
            'linked again'.
        reason: what is wrong with it, as a clause.
        first: of a folder that is linked again, the path under which its files are listed.
    """

    path: Path
    kind: str
    reason: str
    first: Path | None = None

    @property
    def harmless(self) -> bool:
        """Whether nobody would expect it to be included: hidden and system files."""
        return self.kind in ("hidden", "system")


@dataclass(frozen=True)
class Walk:
    """The regular files below a folder, and what was skipped; both sorted by path."""

    files: tuple[Path, ...]
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True)
class Survey:
    """The files below a folder by kind; each is in exactly one of the four.

    Args:
        images: files of a supported format by content or, if that is unknown, by name: sorted.
        foreign: images of unsupported formats, with the format: sorted by path.
        others: files that are not images: tables, texts, archives.
        skipped: hidden files, system files, broken links, unreadable folders, and unreadable files whose name
            suggests no image.
    """

    images: tuple[Path, ...]
    foreign: tuple[tuple[Path, Format], ...]
    others: tuple[Path, ...]
    skipped: tuple[Skipped, ...]


def walk(root: str | os.PathLike[str]) -> Walk:
    """All files below a folder, sorted; linked files and folders are followed.

    Each real folder is visited once, at its own path rather than through a link if it has both, so cyclic links
    end. A link to a folder that contains `root` is not followed: it would leave the folder that the user named.
    """
    root = Path(root)
    files: list[Path] = []
    skipped: list[Skipped] = []
    seen: dict[tuple[int, int], Path] = {}
    above = {_identity(parent) for parent in root.resolve().parents}
    # Links wait until all real folders found so far have been visited.
    real, linked = deque([root]), deque[Path]()
    while real or linked:
        folder = real.popleft() if real else linked.popleft()
        try:
            identity = _identity(folder)
            if identity in above:
                skipped.append(Skipped(folder, "linked again", f"a link to a folder that contains {root}"))
                continue
            if identity in seen:
                skipped.append(Skipped(folder, "linked again", f"the same folder as {seen[identity]}", seen[identity]))
                continue
            seen[identity] = folder
            with os.scandir(folder) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            skipped.append(Skipped(folder, "unreadable folder", error.strerror or str(error)))
            continue
        for entry in listed:
            path = folder / entry.name
            if reason := _passed_over(entry):
                skipped.append(Skipped(path, *reason))
            elif entry.is_dir():
                (linked if entry.is_symlink() else real).append(path)
            else:
                files.append(path)
    return Walk(tuple(sorted(files)), tuple(sorted(skipped, key=lambda s: s.path)))


def survey(root: str | os.PathLike[str]) -> Survey:
    """All files below a folder by what they are; the first bytes of each are read."""
    found = walk(root)
    images, foreign, others, skipped = [], [], [], list(found.skipped)
    for path in found.files:
        kind = image_format(path)
        if kind is None and (reason := _unreadable(path)):
            skipped.append(Skipped(path, "unreadable file", reason))
        elif kind is None:
            others.append(path)
        elif kind.readable:
            images.append(path)
        else:
            foreign.append((path, kind))
    skipped.sort(key=lambda s: s.path)
    return Survey(tuple(images), tuple(foreign), tuple(others), tuple(skipped))


def find_images(folder: str | os.PathLike[str]) -> list[Path]:
    """The supported images below a folder, by content, sorted by path; `survey` also lists the rest."""
    return list(survey(folder).images)


def _passed_over(entry: os.DirEntry[str]) -> tuple[str, str] | None:
    """Kind and reason if an entry of a folder must be skipped."""
    if entry.name.startswith("."):
        return "hidden", "its name starts with a dot"
    try:
        if entry.name.lower() in (_LITTER_FOLDERS if entry.is_dir() else _LITTER):
            return "system", "left by the operating system or an archive"
        if entry.is_file() or entry.is_dir():
            return None
        if entry.is_symlink():  # and its target is neither file nor folder
            there = os.path.exists(entry.path)  # noqa: PTH110 - a DirEntry's path is a string
            return ("special file", "not a regular file") if there else ("broken link", "its target does not exist")
    except OSError as error:  # a cyclic link, a name that is too long, a share that went offline
        return "broken link" if entry.is_symlink() else "special file", error.strerror or str(error)
    return "special file", "not a regular file"


def _unreadable(path: Path) -> str:
    """Why a file can't be opened; empty if it can."""
    try:
        with path.open("rb"):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def _identity(folder: Path) -> tuple[int, int]:
    """Device and inode of a folder: the same for all its names, including mounts and junctions."""
    state = folder.stat()
    return state.st_dev, state.st_ino
