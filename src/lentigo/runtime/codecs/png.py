"""PNG with all its checksums, and with the colour space and transparency that its chunks state."""

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from lentigo.errors import ImageError
from lentigo.runtime.codecs.limits import damaged, from_16_bits, refuse_several, refuse_size, refuse_unused_range
from lentigo.runtime.colour import SRGB_PRIMARIES, make_profile

__all__ = ["read_png"]

_GREY = 0
_KEPT = ("exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif")
_SRGB_GAMMA = 1 / 2.2
_EXPORT = "Export the image again, in sRGB."


def read_png(data: bytes) -> Image.Image:
    """Read a PNG.

    Returns:
        A loaded image of mode 1, L, LA, P, RGB or RGBA; `info` holds the profile that it embeds or states.

    Raises:
        ImageError: damaged, too large, animated, or of colours or depth that can't be told. Pillow may raise others.
    """
    chunks = dict(_chunks(data))
    header = chunks.get(b"IHDR", b"")
    if len(header) != 13 or data[12:16] != b"IHDR":
        raise damaged("it doesn't begin with a header")
    width, height, depth, colour = struct.unpack(">IIBB", header[:10])
    refuse_size(width, height)
    if b"acTL" in chunks:
        refuse_several(int.from_bytes(chunks[b"acTL"][:4], "big"))
    image: Image.Image = PngImageFile(io.BytesIO(data))
    image.load()
    told: dict[str | tuple[int, int], Any] = {key: image.info[key] for key in _KEPT if key in image.info}
    profile = _profile(chunks, image)
    if b"tRNS" in chunks and colour == _GREY:
        image = _with_transparent_grey(image, depth, int.from_bytes(chunks[b"tRNS"][:2], "big"))
    elif depth == 16:
        image = _in_8_bits(image, chunks)
    image.info = {**image.info, **told, "icc_profile": profile}
    return image


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Names and contents of all chunks but the pixels.

    Raises:
        ImageError: a wrong checksum, which Pillow doesn't look at for the pixels, or no end.
    """
    view, place = memoryview(data), 8
    while place + 12 <= len(data):
        length = int.from_bytes(view[place : place + 4], "big")
        end = place + 8 + length
        name = bytes(view[place + 4 : place + 8])
        if zlib.crc32(view[place + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            raise damaged(f"the checksum of its part {name.decode('latin-1')!r} is wrong")
        yield name, b"" if name == b"IDAT" else bytes(view[place + 8 : end])
        if name == b"IEND":
            return
        place = end + 4
    raise damaged("its end is missing")


def _in_8_bits(image: Image.Image, chunks: dict[bytes, bytes]) -> Image.Image:
    """The high bytes of 16 bits a channel; of more than one channel Pillow reads no more than them anyway."""
    if image.mode.startswith("I"):
        return from_16_bits(np.asarray(image))
    if b"tRNS" in chunks:
        raise ImageError("a colour of 16 bits a channel is marked as transparent, which isn't supported.", _EXPORT)
    refuse_unused_range(np.asarray(image)[..., :3])
    return image


def _with_transparent_grey(image: Image.Image, depth: int, transparent: int) -> Image.Image:
    """Grey with the one value that is transparent; Pillow compares it before it scales 2 and 4 bits, and not in 16."""
    if depth == 16:
        values = np.asarray(image).astype(np.uint16)
        grey, clear = from_16_bits(values), values == transparent
    else:
        grey = image.convert("L")
        clear = np.asarray(grey) == transparent * 255 // (2**depth - 1)
    return Image.merge("LA", [grey, Image.fromarray(np.where(clear, 0, 255).astype(np.uint8))])


def _profile(chunks: dict[bytes, bytes], image: Image.Image) -> bytes | None:
    """The colour profile that a PNG embeds, or that its numbers amount to; None for sRGB and where nothing is said.

    The order in which the chunks count is the PNG specification's (third edition, 4.3).
    """
    if b"cICP" in chunks and chunks[b"cICP"][:2] != bytes([1, 13]):
        raise ImageError("its colours are coded for video or HDR, which isn't supported.", _EXPORT)
    if b"cICP" in chunks:
        return None
    if b"iCCP" in chunks:
        profile: bytes | None = image.info.get("icc_profile")
        if not profile:
            raise ImageError("its colour profile is damaged.", _EXPORT)
        return profile
    if b"sRGB" in chunks:
        return None
    gamma = struct.unpack(">I", chunks[b"gAMA"])[0] / 100_000 if b"gAMA" in chunks else _SRGB_GAMMA
    primaries = SRGB_PRIMARIES
    if b"cHRM" in chunks:
        primaries = tuple(value / 100_000 for value in struct.unpack(">8I", chunks[b"cHRM"]))
    is_srgb = abs(gamma - _SRGB_GAMMA) < 0.01 and np.allclose(primaries, SRGB_PRIMARIES, atol=0.01)
    return None if is_srgb else make_profile(1 / gamma, primaries)
