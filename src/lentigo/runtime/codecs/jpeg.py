"""JPEG through libjpeg-turbo with every warning an error.

Pillow throws libjpeg's warnings away and fills what is missing with grey. simplejpeg gives the same pixels, three times
as fast, and stops at the first warning. What libjpeg itself doesn't warn of is a scan that never came, so the
scans of multi-scan files are counted here. A stream has no checksum: a few wrong bytes that still decode to the very
end can't be seen by anyone.
"""

import io
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from lentigo.errors import ImageError
from lentigo.runtime.codecs.limits import damaged, refuse_size

__all__ = ["check_jpeg", "read_jpeg"]

MAX_SCANS = 100
"""Progressive files have about ten; each one costs a pass over the whole picture."""

_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])", re.DOTALL)
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_END, _SCAN, _TEMPORARY = 0xD9, 0xDA, 0x01
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_COLOURS = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}


def read_jpeg(data: bytes) -> Image.Image | NDArray[np.uint8]:
    """Read a JPEG, also the first picture of an MPO file, and whatever follows its end.

    Returns:
        The pixels as uint8 RGB [H, W, 3] if the file says nothing on colours or rotation; else a loaded image of mode
        L, RGB or CMYK with what it says in `info`.

    Raises:
        ImageError: damaged, too large, or a colour profile that isn't whole. Pillow may raise others.
    """
    header = JpegImageFile(io.BytesIO(data))
    refuse_size(*header.size)
    _refuse_lost_profile(header)
    pixels = check_jpeg(data, _COLOURS.get(header.mode, "RGB"))
    if pixels.shape[:2] != header.size[::-1]:
        raise damaged("two sizes in one file")
    if header.mode == "CMYK":
        header.load()  # Pillow knows which programs store the inks upside down
        return header
    told: dict[str | tuple[int, int], Any] = {
        key: header.info[key] for key in ("exif", "xmp", "icc_profile") if key in header.info
    }
    if not told:
        return pixels if header.mode == "RGB" else np.repeat(pixels.reshape(*pixels.shape[:2], 1), 3, axis=2)
    image = Image.fromarray(pixels.squeeze(2) if header.mode == "L" else pixels)
    image.info.update(told)
    return image


def check_jpeg(data: bytes, colours: str) -> NDArray[np.uint8]:
    """The pixels of a JPEG in a colour space of simplejpeg, if all of them are there.

    Raises:
        ImageError: a warning of libjpeg, or a scan that is missing.
    """
    _refuse_missing_scans(data)
    try:
        pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(data, colours, strict=True)
    except ValueError as error:
        if "Invalid SOS parameters for sequential JPEG" in str(error) and (whole := _with_plain_scans(data)) != data:
            return check_jpeg(whole, colours)
        if "subsampling level" in str(error):
            raise ImageError("a JPEG of unusual subsampling, which isn't supported.", "Save it as PNG.") from None
        raise damaged(error) from None
    return pixels


def _segments(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Marker, place and content of each segment, up to the end of the image."""
    place = 2
    while marker := _MARKER.search(data, place):
        code, start = marker.group(1)[0], marker.end()
        if code == _END:
            return
        place = start
        if code != _TEMPORARY:
            place = start + int.from_bytes(data[start : start + 2], "big")
            yield code, start + 2, data[start + 2 : place]


def _refuse_missing_scans(data: bytes) -> None:
    """Every coefficient of every component must have come in full precision by the end of the file."""
    wanted: dict[int, list[int]] = {}  # for each component the bits that are still to come, a coefficient
    scans, progressive = 0, False
    for code, _, body in _segments(data):
        if code in _FRAMES:
            wanted = {body[6 + 3 * i]: [16] * 64 for i in range(body[5])}
            progressive = code in _PROGRESSIVE
        if code == _SCAN:
            scans += 1
            members = [body[1 + 2 * i] for i in range(body[0])]
            if not progressive and set(members) == set(wanted):
                return  # one scan holds everything, as in most files
            first, last, low = (body[-3], body[-2], body[-1] & 15) if progressive else (0, 63, 0)
            for member in members:
                wanted[member][first : last + 1] = [low] * (last + 1 - first)
        if scans > MAX_SCANS:
            raise ImageError("a JPEG of more scans than any camera writes.", "Save it again as PNG or JPEG.")
    if any(any(bits) for bits in wanted.values()):
        raise damaged("a part of its scans is missing")


def _with_plain_scans(data: bytes) -> bytes:
    """A sequential file with the three numbers in its scans that mean nothing there, and that some phones get wrong."""
    changed = bytearray(data)
    for code, start, body in _segments(data):
        if code == _SCAN:
            changed[start + len(body) - 3 : start + len(body)] = b"\0\x3f\0"
    return bytes(changed)


def _refuse_lost_profile(header: JpegImageFile) -> None:
    """A profile comes in numbered pieces; Pillow forgets it where one is missing."""
    pieces = any(name == "APP2" and body.startswith(b"ICC_PROFILE\0") for name, body in header.applist)
    if pieces and not header.info.get("icc_profile"):
        raise ImageError("a part of its colour profile is missing.", "Export the image again, in sRGB.")
