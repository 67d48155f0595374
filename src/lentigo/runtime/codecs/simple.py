"""BMP, GIF and WebP: Pillow reads their pixels rightly; what it passes over is looked at here."""

import io

from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.WebPImagePlugin import WebPImageFile

from lentigo.errors import ImageError
from lentigo.runtime.codecs.limits import damaged, refuse_several, refuse_size

__all__ = ["read_bmp", "read_gif", "read_webp", "webp_size"]

_EXPORT = "Export the image again, in sRGB."


def read_bmp(data: bytes) -> Image.Image:
    """Read a BMP, with the profile that its newest kind can embed."""
    image = BmpImageFile(io.BytesIO(data))
    refuse_size(*image.size)
    image.load()
    if int.from_bytes(data[14:18], "little") >= 124:  # BITMAPV5HEADER
        space, start, length = data[70:74], *(int.from_bytes(data[i : i + 4], "little") for i in (126, 130))
        if space == b"DEBM":  # 'MBED', little-endian
            image.info["icc_profile"] = data[14 + start : 14 + start + length]
        if space == b"KNIL":
            raise ImageError("its colour profile is in another file.", _EXPORT)
    return image


def read_gif(data: bytes) -> Image.Image:
    """Read a GIF of one picture."""
    image = GifImageFile(io.BytesIO(data))
    refuse_size(*image.size)
    if b"ICCRGBG1012" in data:
        raise ImageError("a GIF with a colour profile, which isn't supported.", _EXPORT)
    image.load()
    refuse_several(2 if image.is_animated else 1)
    return image


def read_webp(data: bytes) -> Image.Image:
    """Read a WebP of one picture."""
    if len(data) < 8 + int.from_bytes(data[4:8], "little"):
        raise damaged("its end is missing")
    refuse_size(*webp_size(data))  # libwebp makes room for the picture as soon as it is opened
    image = WebPImageFile(io.BytesIO(data))
    refuse_size(*image.size)
    refuse_several(getattr(image, "n_frames", 1))
    image.load()
    return image


def webp_size(data: bytes) -> tuple[int, int]:
    """Width and height from the first chunk, as the container's specification has them."""
    kind, body = data[12:16], data[20:30]
    if kind == b"VP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if kind == b"VP8L":
        packed = int.from_bytes(body[1:5], "little")
        return 1 + (packed & 0x3FFF), 1 + (packed >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    raise damaged("it doesn't begin with a header")
