"""What a file says about itself, without its pixels."""

from collections.abc import Callable
from typing import IO

from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from lentigo.errors import ImageError
from lentigo.runtime.formats import START, sniff

__all__ = ["open_header"]

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
        raise ImageError("not an image whose header can be read.")
    return _CLASSES[kind.name](file)
