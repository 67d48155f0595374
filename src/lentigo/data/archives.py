"""Unpack a downloaded zip archive without trusting it."""

import lzma
import shutil
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath

from lentigo.errors import DataError, OutputError, next_step, reason
from lentigo.progress import track

__all__ = ["MAX_FILES", "MAX_RATIO", "place_of", "unpack"]

MAX_FILES = 500_000
"""More entries than any data set here has."""
MAX_RATIO = 200
"""Unpacked over packed bytes: photographs and tables stay far below, a bomb is above 1,000."""
LONGEST = 255
"""Bytes of a name that every usual file system takes."""

_DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, NotImplementedError, ValueError)
"""What `zipfile` and its decompressors raise at damaged bytes; for bzip2 and for offsets it is an `OSError`."""


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a zip archive into a new folder, which appears whole or not at all.

    Refused before anything is written: entries that would land outside the folder (`..`, absolute names, drive
    letters, backslashes, names too long), links and other special files, two entries of one name, entries in another
    that is a file, encrypted entries, archives with more than `MAX_FILES` entries or that grow more than `MAX_RATIO`
    times, and those that don't fit on the disk. What an entry unpacks to can't exceed the size that was checked, and
    its checksum must hold.

    Some file systems don't tell names apart by case or by the form of their accents. Entries whose names differ in that
    alone are therefore refused too, unless they hold the same bytes: then only the first is unpacked (Kaggle's HAM10000
    has every image twice so).

    Args:
        archive: the zip file.
        folder: where to unpack to; it must not exist.

    Raises:
        DataError: no zip archive, damaged, or refused; the message names the entry.
    """
    if folder.exists():
        raise DataError(f"{folder}: already exists.", "Remove it to unpack the archive again.")
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # left by an interrupted run
    try:
        with _opened(archive) as packed:
            entries = _checked(archive, packed.infolist(), folder.parent)
            partial.mkdir(parents=True)
            for entry in track(entries, f"unpacking {archive.name}", len(entries)):
                target = partial / entry.filename
                if entry.is_dir():
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("xb") as file:
                    for chunk in _chunks(archive, packed, entry):
                        file.write(chunk)
        partial.replace(folder)
    except OSError as error:
        raise OutputError.of(error.filename or folder, error) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def _opened(archive: Path) -> Iterator[zipfile.ZipFile]:
    with _reading(archive):
        packed = zipfile.ZipFile(archive)
    with packed:
        yield packed


def _chunks(archive: Path, packed: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """What an entry holds, in pieces: only reading is in here, so that a full disk is never taken for damage."""
    with _reading(archive):
        source = packed.open(entry)
    with source:
        while True:
            with _reading(archive):
                chunk = source.read(1 << 20)
            if not chunk:
                return
            yield chunk


@contextmanager
def _reading(archive: Path) -> Iterator[None]:
    """Whatever is wrong with the archive, as an error that names it."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:  # it can't be opened
            raise DataError(f"{archive}: {reason(error)}.", next_step(error)) from None
        raise _damaged(archive, error) from None
    except _DAMAGE as error:
        raise _damaged(archive, error) from None


def _damaged(archive: Path, error: Exception) -> DataError:
    return DataError(f"{archive}: damaged, or not a zip archive ({error}).", "Delete it and download it again.")


def _checked(archive: Path, entries: list[zipfile.ZipInfo], place: Path) -> list[zipfile.ZipInfo]:
    """The entries to unpack, once nothing is found to refuse."""
    if len(entries) > MAX_FILES:
        raise _refused(archive, f"it has {len(entries):,} entries, more than {MAX_FILES:,}")
    first: dict[str, zipfile.ZipInfo] = {}
    for entry in entries:
        fault = _fault(entry)
        earlier = first.setdefault(place_of(entry.filename), entry)
        if fault is None and earlier is not entry:
            same = (earlier.CRC, earlier.file_size) == (entry.CRC, entry.file_size)
            if earlier.filename == entry.filename or not same:
                fault = f"has the name of {earlier.filename!r}"
        if fault:
            raise _refused(archive, f"its entry {entry.filename!r} {fault}")
    for entry in first.values():
        above = (first.get(str(parent)) for parent in PurePosixPath(place_of(entry.filename)).parents)
        if (inside := next((one for one in above if one is not None and not one.is_dir()), None)) is not None:
            raise _refused(archive, f"its entry {entry.filename!r} lies in {inside.filename!r}, which is a file")
    unpacked = sum(entry.file_size for entry in first.values())
    if unpacked > MAX_RATIO * max(archive.stat().st_size, 1):
        raise _refused(archive, f"it would grow more than {MAX_RATIO} times, to {unpacked:,} bytes")
    free = shutil.disk_usage(_existing(place)).free
    if unpacked > free:
        raise DataError(
            f"{place}: unpacking {archive.name} needs {unpacked:,} bytes, but only {free:,} are free.",
            "Free some space, or choose another folder.",
        )
    return list(first.values())


def place_of(name: str) -> str:
    """A name as the least exact file system compares it, and with whatever separator of folders."""
    return unicodedata.normalize("NFC", PurePosixPath(name).as_posix()).lower()


def _fault(entry: zipfile.ZipInfo) -> str | None:
    """What is wrong with an entry, as the end of a sentence."""
    name = entry.filename
    if "\\" in name or "\0" in name or PureWindowsPath(name).drive or not PurePosixPath(name).parts:
        return "has an unsafe name"
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        return "would land outside the folder"
    if any(len(part.encode("utf-8", "surrogateescape")) > LONGEST for part in PurePosixPath(name).parts):
        return "has a name that is too long"
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a special file"
    if entry.flag_bits & 0x1:
        return "is encrypted"
    return None


def _refused(archive: Path, reason: str) -> DataError:
    return DataError(f"{archive}: refused, because {reason}.", "Don't unpack it; download it from the publisher.")


def _existing(place: Path) -> Path:
    """The nearest folder above that exists already."""
    return place if place.exists() else _existing(place.parent)
