"""The images in a tar shard, read from start to end without unpacking it; whatever is wrong with it is said."""

import bz2
import gzip
import io
import lzma
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

import zstandard

from lentigo.bulk import storage
from lentigo.errors import ImageError, LentigoError
from lentigo.runtime.formats import START, claimed_format, sniff
from lentigo.runtime.images import contents_of

__all__ = ["Member", "UnreadableShardError", "members"]

Member = tuple[str, bytes | LentigoError]
"""A member's name, and its content or why there is none."""


class UnreadableShardError(LentigoError):
    """A shard that is not a tar archive, is damaged, or ends too early.

    Attributes:
        spoils: whether the images that came before it may be damaged too: packed data are checked at their end only.
    """

    spoils = False


def members(file: storage.Watched, others: Counter[str]) -> Iterator[Member]:
    """The images of a shard, in order.

    WebDataset's other members, such as `0001.json` beside `0001.jpg`, are counted by suffix and not yielded.

    Args:
        file: the archive, packed with gzip, bzip2, xz, Zstandard, or not at all.
        others: counts what is not an image.

    Raises:
        UnreadableShardError: see there.
        Exception: what reading `file` raises.
    """
    packed = False
    try:
        plain = io.BufferedReader(file, 1 << 20)
        unpacked = _unpacked(plain)
        packed = unpacked is not plain
        with tarfile.open(fileobj=unpacked, mode="r|", tarinfo=_Header) as archive:
            for header in archive:
                yield from _member(archive, header, others, file)
            if not getattr(archive, "ended", False):
                raise UnreadableShardError("it ends too early: there is no end mark, or a header is damaged.")
            _refuse_more(archive.fileobj)
    except Exception as error:  # each kind of packing has its own errors
        if file.failure is not None:
            raise file.failure from None
        damage = error if isinstance(error, UnreadableShardError) else UnreadableShardError(_damaged(error))
        damage.spoils = packed
        raise damage from None


def _refuse_more(stream: Any) -> None:
    """Read to the end, where packed data have their checksum; shards that were joined would lose all but the first."""
    while block := stream.read(1 << 20):
        if block.strip(b"\0"):
            raise UnreadableShardError("more follows its end mark: perhaps several archives were joined.")


def _damaged(error: Exception) -> str:
    return f"it is damaged, or not a tar archive ({error})."


def _member(
    archive: tarfile.TarFile, header: tarfile.TarInfo, others: Counter[str], file: storage.Watched
) -> Iterator[Member]:
    name = PurePosixPath(header.name)
    claims = claimed_format(Path(name.name)) is not None and not name.name.startswith(".")
    if header.isdir():
        return
    if not header.isfile():
        if claims:
            yield header.name, ImageError("stored as a link.", "Store the image itself.")
        else:
            others["no file"] += 1
        return
    try:
        member = archive.extractfile(header)
        assert member is not None  # it is a file
        start = member.read(START)
        if name.name.startswith(".") or not (claims or sniff(start)):
            others[name.suffix.lower() or "no suffix"] += 1
            return
        content: bytes | LentigoError = start + contents_of(member)
    except ImageError as error:  # too large
        content = error
    except Exception as error:
        if file.failure is None:
            yield header.name, UnreadableShardError(f"the shard ends or is damaged in it ({error}).")
        raise
    yield header.name, content


class _Header(tarfile.TarInfo):
    """Notes the end mark: tarfile takes an end without one, and a damaged header, for the end."""

    @classmethod
    def fromtarfile(cls, tarfile: Any) -> "_Header":
        try:
            return super().fromtarfile(tarfile)
        except EOFHeaderError:
            tarfile.ended = True
            raise


EOFHeaderError: type[Exception] = tarfile.EOFHeaderError  # type: ignore[attr-defined]
"""What tarfile raises for a block of zeros."""


def _unpacked(file: "io.BufferedReader[Any]") -> IO[bytes]:
    """By the first bytes, not by name."""
    start = file.peek(6)
    if start.startswith(b"\x1f\x8b"):
        return cast(IO[bytes], gzip.GzipFile(fileobj=file))
    if start.startswith(b"BZh"):
        return cast(IO[bytes], bz2.BZ2File(file))
    if start.startswith(b"\xfd7zXZ\0"):
        return cast(IO[bytes], lzma.LZMAFile(file))
    if start.startswith(b"\x28\xb5\x2f\xfd"):
        return cast(IO[bytes], zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True))
    return cast(IO[bytes], file)
