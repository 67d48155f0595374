"""What a file says about itself, without its pixels."""

import io
from collections.abc import Callable
from contextlib import suppress
from typing import IO

import simplejpeg
from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from lentigo.errors import ImageError
from lentigo.runtime.codecs.dicom import read_dicom_header
from lentigo.runtime.codecs.simple import read_webp, webp_size
from lentigo.runtime.colour import exif_of
from lentigo.runtime.formats import START, sniff

__all__ = ["open_header", "picture_size", "read_exif"]

# WebP is missing: libwebp makes room for all its pixels at once.
_CLASSES: dict[str, Callable[[IO[bytes]], Image.Image]] = {
    "BMP": BmpImageFile,
    "GIF": GifImageFile,
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "TIFF": TiffImageFile,
}


def open_header(file: IO[bytes]) -> Image.Image:
    """Open an image of the format that its first bytes tell, and of no other; nothing is decoded and no size warned of.

    Args:
        file: open in binary mode, at its beginning, seekable.

    Raises:
        ImageError: a format whose header alone isn't read. Pillow raises others for damage.
    """
    kind = sniff(file.read(START))
    file.seek(0)
    if not kind or kind.name not in _CLASSES:
        raise ImageError("not an image whose header can be read.", "Use JPEG, PNG, BMP, TIFF, WebP or GIF.")
    return _CLASSES[kind.name](file)


def picture_size(data: bytes) -> tuple[int, int]:
    """Width and height as a file's header states them; nothing is decoded.

    Args:
        data: the bytes of a file in a format that `decode` reads.

    Raises:
        ImageError: another format, or a damaged header. Pillow and pydicom raise others for damage.
    """
    kind = sniff(data[:START])
    if kind and kind.name == "WebP":
        return webp_size(data)
    if kind and kind.name == "JPEG":
        with suppress(ValueError):  # what the library that decodes it doesn't read
            height, width, *_ = simplejpeg.decode_jpeg_header(data)
            return width, height
    if kind and kind.name == "DICOM":
        stated = read_dicom_header(data)
        return int(stated.Columns), int(stated.Rows)
    return open_header(io.BytesIO(data)).size


def read_exif(data: bytes) -> Image.Exif:
    """The Exif data of a file that Pillow reads; empty if it has none.

    Args:
        data: the bytes of the file.

    Raises:
        ImageError: another format, or damage. Pillow raises others for damage.
    """
    kind = sniff(data[:START])
    webp = kind is not None and kind.name == "WebP"
    return exif_of(read_webp(data) if webp else open_header(io.BytesIO(data)))
