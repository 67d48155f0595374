"""Which images records stand for: what a cache is keyed by, so that it never answers for other ones."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from lentigo.data.records import Records

__all__ = ["content_key", "content_marks"]

WHOLE = 1 << 16
"""Bytes up to which a file is read whole; of a larger one its beginning, middle and end are."""
SAMPLE = 1 << 14


def content_key(records: Records) -> str:
    """SHA-256, hexadecimal, over all `content_marks`."""
    return hashlib.sha256("\n".join(content_marks(records)).encode()).hexdigest()


def content_marks(records: Records) -> list[str]:
    """What each image is known by [N], hexadecimal: a hash over its id, its place and its content.

    The content of a file is known by its bytes, of a large one by three samples, and by size, inode, time of writing
    and time of change; the last changes whenever a file is written, even if the time of writing is set back. Of a
    source that holds its pixels as one array, the pixels themselves are taken. An absent file is a content as well.
    """
    paths = records.table["path"].tolist()
    if records.pixels is not None:
        rows = (records.pixels[int(path.rpartition("#")[2])] for path in paths)
        contents = (f"{row.shape}".encode() + row.tobytes() for row in rows)
        return [_hash(f"{i}\0".encode() + content) for i, content in zip(records.ids, contents, strict=True)]
    folders = {folder: os.path.realpath(folder) for folder in {os.path.dirname(path) for path in paths}}  # noqa: PTH120
    with ThreadPoolExecutor() as pool:
        found = pool.map(partial(_describe, folders), paths)
        return [
            _hash(f"{i}\0{one}".encode("utf-8", "surrogateescape")) for i, one in zip(records.ids, found, strict=True)
        ]


def _hash(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _describe(folders: dict[str, str], path: str) -> str:
    """Where a file lies, what it is and what is in it."""
    folder, name = os.path.split(path)
    place = f"{folders[folder]}\0{name}"
    try:
        with Path(path).open("rb", buffering=0) as file:
            stat = os.fstat(file.fileno())
            digest = hashlib.blake2b(digest_size=16)
            for start in (0,) if stat.st_size <= WHOLE else (0, stat.st_size // 2, stat.st_size - SAMPLE):
                file.seek(start)
                digest.update(file.read(WHOLE if stat.st_size <= WHOLE else SAMPLE))
    except OSError as error:  # for decoding to report; what is there later is another content
        return f"{place}\0{error.errno}"
    return f"{place}\0{stat.st_size},{stat.st_ino},{stat.st_mtime_ns},{stat.st_ctime_ns}\0{digest.hexdigest()}"
