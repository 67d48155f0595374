"""Bundles packed with Zstandard, `NAME.onnx.zst`: one frame that states its size, unpacked within a limit.

What a file is, its first bytes tell and not its name. A packed bundle holds exactly what the plain file does, its
content hash included, so that both are the same model.

Source: RFC 8878, 'Zstandard Compression and the application/zstd Media Type'.
"""

import zstandard

from lentigo.errors import BundleError

__all__ = ["MAX_UNPACKED", "SUFFIX", "is_packed", "pack", "unpacked"]

SUFFIX = ".onnx.zst"
"""End of a packed bundle's name."""
MAX_UNPACKED = 512 * 2**20
"""Largest size that a packed bundle may unpack to, in bytes: five times a ResNet-50."""

_LEVEL = 19
_MAGIC = b"\x28\xb5\x2f\xfd"
_SKIPPABLE = range(0x50, 0x60), b"\x2a\x4d\x18"
_PIECE = 1024
"""Bytes unpacked at a time: a block takes four bytes at least and gives 128 KiB at most, so that no piece gives more
than 32 MiB before the size is looked at again."""
_AGAIN = "Copy or export it again."


def is_packed(content: bytes) -> bool:
    """Whether a file's content starts as Zstandard does."""
    skippable = content[:1] != b"" and content[0] in _SKIPPABLE[0] and content[1:4] == _SKIPPABLE[1]
    return content[:4] == _MAGIC or skippable


def pack(content: bytes) -> bytes:
    """One frame at level 19, with its size and a checksum; the same bytes from the same version of Zstandard.

    Raises:
        BundleError: larger than `MAX_UNPACKED`, which nobody could open.
    """
    if len(content) > MAX_UNPACKED:
        raise BundleError(
            f"A bundle of {len(content):,} bytes is too large to pack: the limit is {MAX_UNPACKED:,}.",
            "Ship the plain .onnx file.",
        )
    return zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(content)


def unpacked(content: bytes, name: object) -> bytes:
    """What a packed file holds.

    Args:
        content: for which `is_packed` is true.
        name: of the file, for errors.

    Raises:
        BundleError: truncated or damaged, more than one frame or anything after it, a frame that does not state its
            size or states or gives more than `MAX_UNPACKED`, or one that needs a dictionary.
    """
    stated = _stated_size(content, name)
    try:
        return _one_frame(content, stated, name)
    except zstandard.ZstdError as error:
        raise BundleError(f"{name}: damaged Zstandard data ({error}).", _AGAIN) from None


def _stated_size(content: bytes, name: object) -> int:
    """The size in the frame's header, checked before anything is unpacked."""
    if content[:4] != _MAGIC:
        raise BundleError(f"{name}: starts with a skippable Zstandard frame, not with a bundle.", _AGAIN)
    try:
        header = zstandard.get_frame_parameters(content)
    except zstandard.ZstdError as error:
        raise BundleError(f"{name}: damaged or truncated Zstandard data ({error}).", _AGAIN) from None
    if header.dict_id:
        raise BundleError(f"{name}: compressed with a dictionary.", "Compress it without: `lentigo export`.")
    if header.content_size in (zstandard.CONTENTSIZE_UNKNOWN, zstandard.CONTENTSIZE_ERROR):
        raise BundleError(
            f"{name}: does not state its unpacked size, so that it can't be checked.",
            "Compress it with `lentigo export`, or unpack it with zstd first if you trust it.",
        )
    if header.content_size > MAX_UNPACKED:
        raise BundleError(
            f"{name}: would unpack to {header.content_size:,} bytes; the limit is {MAX_UNPACKED:,}.",
            "Don't open it unless you trust it; then unpack it with zstd first.",
        )
    return int(header.content_size)


def _one_frame(content: bytes, stated: int, name: object) -> bytes:
    """The frame's content, which must be as long as stated and all that the file holds."""
    frame = zstandard.ZstdDecompressor(max_window_size=MAX_UNPACKED).decompressobj()
    found = bytearray()
    end = 0
    while end < len(content) and not frame.eof:
        found += frame.decompress(content[end : end + _PIECE])
        end += _PIECE
        if len(found) > stated:
            raise BundleError(f"{name}: unpacks to more than the {stated:,} bytes that it states.", "Don't use it.")
    if not frame.eof:
        raise BundleError(f"{name}: truncated: it ends before its Zstandard data do.", _AGAIN)
    if frame.unused_data or end < len(content):
        raise BundleError(f"{name}: something follows the bundle (a second frame, or bytes added to it).", _AGAIN)
    if len(found) != stated:
        raise BundleError(f"{name}: unpacks to {len(found):,} bytes instead of the {stated:,} that it states.", _AGAIN)
    return bytes(found)
