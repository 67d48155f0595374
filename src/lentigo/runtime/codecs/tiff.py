"""TIFF: a frame that holds nearly anything, so what is read is listed and the rest is refused by name."""

import io
import zlib
from collections.abc import Iterator
from itertools import count
from math import ceil
from typing import Any, Literal

import numpy as np
from PIL import Image, ImageOps
from PIL.TiffImagePlugin import (
    BITSPERSAMPLE,
    COMPRESSION,
    ICCPROFILE,
    IMAGELENGTH,
    IMAGEWIDTH,
    JPEGTABLES,
    PHOTOMETRIC_INTERPRETATION,
    PLANAR_CONFIGURATION,
    ROWSPERSTRIP,
    SAMPLEFORMAT,
    SAMPLESPERPIXEL,
    STRIPBYTECOUNTS,
    STRIPOFFSETS,
    TILEBYTECOUNTS,
    TILELENGTH,
    TILEOFFSETS,
    TILEWIDTH,
    YCBCRSUBSAMPLING,
    ImageFileDirectory_v2,
    TiffImageFile,
)

from lentigo.errors import ImageError
from lentigo.runtime.codecs.jpeg import check_jpeg
from lentigo.runtime.codecs.limits import (
    damaged,
    from_16_bits,
    refuse_several,
    refuse_size,
    refuse_unused_range,
)

__all__ = ["read_tiff"]

_SUBFILE, _DNG, _SHORT_PAGES = 254, 50706, 32

_WHITE_IS_ZERO, _GREY, _RGB, _PALETTE, _INKS, _YCBCR, _LAB = 0, 1, 2, 3, 5, 6, 8
_DEPTHS = {
    _WHITE_IS_ZERO: {1, 2, 4, 8, 16},
    _GREY: {1, 2, 4, 8, 12, 16},
    _RGB: {8, 16},
    _PALETTE: {1, 2, 4, 8},
    _INKS: {8},
    _YCBCR: {8},
    _LAB: {8},
}
"""Bits a sample that are read, by kind of colour."""
_KINDS = {_WHITE_IS_ZERO: "grey", _GREY: "grey", _RGB: "RGB", _PALETTE: "palette", _INKS: "CMYK", _LAB: "Lab"}

_PLANES = {(_RGB, 3), (_GREY, 1), (_WHITE_IS_ZERO, 1), (_PALETTE, 1)}
"""Kinds of colour and numbers of channels that may lie one after the other."""

_MEANINGFUL = {*range(254, 340), JPEGTABLES, YCBCRSUBSAMPLING, ICCPROFILE}
"""Tags that pixels and colours depend on."""

_RAW, _JPEG, _DEFLATE = 1, 7, (8, 32946)
_COMPRESSIONS = {_RAW, 5, _JPEG, *_DEFLATE, 32773, 34925, 50000, 50001}
"""Those whose decoder reports damage; that of fax, for one, goes on."""

_SAVE = "Save it as PNG, or as TIFF of 8 bits a channel."


def read_tiff(data: bytes) -> Image.Image:
    """Read a TIFF of one picture; further pages may only be marked as smaller copies or masks of it.

    Returns:
        A loaded image, upright, of mode 1, L, LA, P, RGB, RGBA, CMYK, YCbCr or LAB.

    Raises:
        ImageError: damaged, too large, several pictures, or of a kind that TIFF allows and that isn't supported.
            Pillow may raise others.
    """
    tags = _first_tags(data)
    refuse_size(tags.get(IMAGEWIDTH, 0), tags.get(IMAGELENGTH, 0))
    bits = _refuse_unknown(tags)
    _refuse_damage(tags, data)
    inverted = tags[PHOTOMETRIC_INTERPRETATION] == _WHITE_IS_ZERO and bits == 16
    if inverted:
        data = _as_black_is_zero(data, tags.offset)
    try:
        image = TiffImageFile(io.BytesIO(data))
    except SyntaxError:
        raise ImageError("a kind of TIFF that isn't supported.", _SAVE) from None
    _refuse_pages(data)
    if tags.get(PLANAR_CONFIGURATION, 1) == 2 and bits == 16:
        _read_deep_planes(image)
    image.load()
    if image.mode.startswith("I"):
        values = np.asarray(image)
        grey = from_16_bits(values << 4 if bits == 12 else values)
        grey = ImageOps.invert(grey) if inverted else grey
        grey.info = image.info
        return grey
    if bits == 16:
        refuse_unused_range(np.asarray(image)[..., :3])
    return image


def _first_tags(data: bytes) -> ImageFileDirectory_v2:
    """What the file says about its first picture."""
    if data.startswith(b"MM\0+"):
        raise ImageError("a big-endian TIFF of the kind for more than 4 GB, which isn't supported.", _SAVE)
    tags = ImageFileDirectory_v2(data[: 16 if data[2] == 43 else 8])
    file = io.BytesIO(data)
    file.seek(tags.next)
    tags.load(file)
    if lost := _MEANINGFUL & _entries(data, tags.offset).keys() - tags.keys():
        raise damaged(f"its tag {min(lost)} is cut off")  # which Pillow only warns of
    return tags


def _refuse_unknown(tags: ImageFileDirectory_v2) -> int:
    """Bits a sample of a picture whose kind is read here."""
    if tags.get(_SUBFILE, 0) & 1 or _DNG in tags or tags.get(PHOTOMETRIC_INTERPRETATION) in (32803, 34892):
        raise ImageError(
            "a camera raw file, or one whose first picture is a small copy.",
            "Develop or export it to JPEG or PNG with the program that it came from.",
        )
    colour, compression = tags.get(PHOTOMETRIC_INTERPRETATION, -1), tags.get(COMPRESSION, _RAW)
    if set(np.atleast_1d(tags.get(SAMPLEFORMAT, 1))) != {1}:
        raise ImageError("a TIFF of signed or real numbers, whose black and white aren't stated.", _SAVE)
    depths = set(np.atleast_1d(tags.get(BITSPERSAMPLE, 1)).tolist())
    if len(depths) != 1 or not depths <= _DEPTHS.get(colour, set()):
        bits = "/".join(map(str, sorted(depths)))
        kind = _KINDS.get(colour, f"colour kind {colour}")
        raise ImageError(f"a TIFF of {kind} with {bits} bits a channel, which isn't supported.", _SAVE)
    if compression not in _COMPRESSIONS:
        raise ImageError(f"TIFF compression {compression}, which isn't supported.", _SAVE)
    if tags.get(PLANAR_CONFIGURATION, 1) == 2 and (colour, tags.get(SAMPLESPERPIXEL, 1)) not in _PLANES:
        raise ImageError("a TIFF of separate channels that aren't red, green and blue.", _SAVE)
    if colour == _YCBCR and compression != _JPEG and tags.get(YCBCRSUBSAMPLING) != (1, 1):
        raise ImageError("a TIFF of subsampled YCbCr without JPEG, which isn't supported.", _SAVE)
    return int(depths.pop())


def _entries(data: bytes, start: int) -> dict[int, int]:
    """Where the entry of each tag lies in the file, for the list of tags that begins at `start`."""
    head, size = (8, 20) if data[2] == 43 else (2, 12)
    order = _order(data)
    places = range(start + head, len(data), size)
    count = int.from_bytes(data[start : start + head], order)
    return {
        int.from_bytes(data[place : place + 2], order): place for place, _ in zip(places, range(count), strict=False)
    }


def _order(data: bytes) -> Literal["big", "little"]:
    return "big" if data[:2] == b"MM" else "little"


def _as_black_is_zero(data: bytes, start: int) -> bytes:
    """The file with its picture declared as black is zero: inverted in 16 bits, Pillow reads no or wrong pixels."""
    value = _entries(data, start)[PHOTOMETRIC_INTERPRETATION] + (12 if data[2] == 43 else 8)
    return data[:value] + (_GREY).to_bytes(2, _order(data)) + data[value + 2 :]


def _refuse_pages(data: bytes) -> None:
    """Refuse further pictures, except for smaller copies and masks of the first."""
    pages = TiffImageFile(io.BytesIO(data))
    for page in count(1):
        try:
            pages.seek(page)
        except EOFError:
            return
        if page > _SHORT_PAGES or not pages.tag_v2.get(_SUBFILE, 0) & 5:
            refuse_several(2)


def _refuse_damage(tags: ImageFileDirectory_v2, data: bytes) -> None:
    """Every piece of the picture must be there in full length and, where it has a checksum, agree with it."""
    compression = tags.get(COMPRESSION, _RAW)
    tables = bytes(tags.get(JPEGTABLES, b""))
    for piece, size in _pieces(tags, data):
        if compression == _RAW and len(piece) < size:
            raise damaged("a part of its pixels is missing")
        if compression in _DEFLATE:
            stream = zlib.decompressobj()
            if len(stream.decompress(piece, size + 1)) < size or not stream.eof:
                raise damaged("a part of its pixels is missing")
        if compression == _JPEG:
            inks = tags[PHOTOMETRIC_INTERPRETATION] == _INKS
            check_jpeg(tables[:-2] + piece[2:] if tables else piece, "CMYK" if inks else "RGB")


def _pieces(tags: ImageFileDirectory_v2, data: bytes) -> Iterator[tuple[bytes, int]]:
    """Strips or tiles as they lie in the file, with the bytes that each has when it isn't compressed."""
    width, height, planar = tags[IMAGEWIDTH], tags[IMAGELENGTH], tags.get(PLANAR_CONFIGURATION, 1) == 2
    samples = tags.get(SAMPLESPERPIXEL, 1)
    if TILEOFFSETS in tags:
        offsets, lengths = tags.get(TILEOFFSETS, ()), tags.get(TILEBYTECOUNTS, ())
        columns, each = tags[TILEWIDTH], tags[TILELENGTH]
        down, across, last = ceil(height / each), ceil(width / columns), each
    else:
        offsets, lengths = tags.get(STRIPOFFSETS, ()), tags.get(STRIPBYTECOUNTS, ())
        columns, each = width, min(tags.get(ROWSPERSTRIP, height), height)
        down, across = ceil(height / each), 1
        last = height - (down - 1) * each
    if not lengths and len(offsets) == 1:  # which the oldest programs left out
        lengths = (len(data) - offsets[0],)
    planes = samples if planar else 1
    if not planes * down * across == len(offsets) == len(lengths):
        raise damaged("it doesn't say where all its pixels are")
    bits = tags[BITSPERSAMPLE][0] if BITSPERSAMPLE in tags else 1
    row_bytes = ceil(columns * bits * samples / planes / 8)
    sizes = ([each * row_bytes] * across * (down - 1) + [last * row_bytes] * across) * planes
    for offset, length, size in zip(offsets, lengths, sizes, strict=True):
        if not 0 < length <= len(data) - offset:
            raise damaged("a part of its pixels is missing")
        yield data[offset : offset + length], size


def _read_deep_planes(image: TiffImageFile) -> None:
    """Uncompressed channels of 16 bits that lie one after the other: Pillow would take them for 8 bits."""
    suffix = ";16B" if image.tag_v2.prefix == b"MM" else ";16L"
    for i, tile in enumerate(image.tile):
        arguments: Any = tile.args  # band, bytes a row, direction
        if tile.codec_name == "raw" and len(arguments[0]) == 1:
            image.tile[i] = tile._replace(args=(arguments[0] + suffix, *arguments[1:]))
