"""Decode images into pixels: exact where the format defines them, refused where it doesn't. Torch-free."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from lentigo.errors import ImageError
from lentigo.runtime import codecs
from lentigo.runtime.codecs.limits import MAX_PIXELS, damaged, from_16_bits, refuse_size
from lentigo.runtime.colour import exif_of, to_rgb
from lentigo.runtime.formats import START, claimed_format, sniff

__all__ = ["MAX_BYTES", "MAX_PIXELS", "ImageSource", "contents_of", "decode"]

MAX_BYTES = 8 * MAX_PIXELS
"""Maximum file size: the largest image with four uncompressed channels of 16 bits."""

ImageSource = str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | NDArray | Image.Image

_OPEN_IT = "Open it in binary mode: open(path, 'rb')."
_READABLE = "Use JPEG, PNG, BMP, TIFF, WebP or GIF."
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_READERS: dict[str, Callable[[bytes], Image.Image | NDArray[np.uint8]]] = {
    "JPEG": codecs.read_jpeg,
    "PNG": codecs.read_png,
    "BMP": codecs.read_bmp,
    "TIFF": codecs.read_tiff,
    "WebP": codecs.read_webp,
    "GIF": codecs.read_gif,
    "DICOM": codecs.read_dicom,  # where pydicom is installed
}


def decode(source: ImageSource) -> NDArray[np.uint8]:
    """Read one image as uint8 sRGB [H, W, 3], upright.

        The first bytes determine the format, not the name. Colour profiles are converted to sRGB (see
        `lentigo.runtime.colour`), Exif orientation is applied, grey is replicated over three channels, 16-bit channels
        keep their high bytes, transparency is composited on white. Ambiguous input is refused: CMYK without a profile,
    floats and integers without a stated white level, 12 bits stored as 16, animations and several pages (of the
        stereo or gain-map pairs of phones the main image is read). Damaged files are refused where the format reveals
        the damage.

        Args:
            source: a path, the bytes of a file, an open binary file, a Pillow image, or an array uint8 [H, W], [H, W,
                1], [H, W, 3] or [H, W, 4], values 0 to 255, taken as sRGB.

        Raises:
            ImageError: missing, empty, not an image, damaged, truncated, ambiguous colours or depth, larger than
                `MAX_PIXELS` or `MAX_BYTES`, or an unsupported type.
    """
    name = _name(source)
    try:
        return _upright_rgb(_read(source))
    except ImageError as error:
        raise ImageError(f"{name}: {error.message}", error.hint) from None
    except MemoryError:
        raise ImageError(f"{name}: not enough memory to decode it.", "Downscale it first.") from None
    except Exception as error:  # Pillow reports damage with any kind of exception, depending on the format.
        refusal = damaged(error)
        raise ImageError(f"{name}: {refusal.message}", refusal.hint) from None


def _read(source: ImageSource) -> Image.Image | NDArray[np.uint8]:
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, Image.Image):
        return _from_pillow(source)
    if isinstance(source, bytes | bytearray | memoryview):
        return _from_bytes(bytes(source))
    if isinstance(source, str | os.PathLike):
        path = Path(os.fsdecode(source))
        return _from_bytes(_contents_of_path(path), path)
    if hasattr(source, "read"):
        return _from_bytes(contents_of(source))
    raise ImageError(
        f"{type(source).__name__} is not an image.",
        "Pass a path, the bytes of a file, an open binary file, a Pillow image or a uint8 array.",
    )


def _from_bytes(data: bytes, path: Path | None = None) -> Image.Image | NDArray[np.uint8]:
    """Decode a whole file with the reader for its first bytes; `path` helps to name an unsupported format."""
    if not data:
        raise ImageError("the file is empty, not an image.", "Download or export the image again.")
    kind = sniff(data[:START])
    if kind and kind.name in _READERS:
        return _READERS[kind.name](data)
    kind = kind or (claimed_format(path) if path else None)
    if kind and not kind.readable and kind.name not in _READERS:
        raise ImageError(f"{kind.name} files are not supported.", kind.next_step)
    raise ImageError("not an image in a supported format.", _READABLE)


def _contents_of_path(path: Path) -> bytes:
    try:
        _refuse_length(path.stat().st_size)
        return path.read_bytes()
    except FileNotFoundError:
        raise ImageError("there is no such file.", "Check the path.") from None
    except IsADirectoryError:
        raise ImageError("this is a folder.", "Give an image file.") from None
    except (OSError, ValueError) as error:
        if path.is_dir():  # which Windows reports as missing permission
            raise ImageError("this is a folder.", "Give an image file.") from None
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"can't be read ({reason}).", "Check the path and permissions.") from None


def contents_of(file: IO[bytes]) -> bytes:
    """The content of an open binary file from its current position.

    Raises:
        ImageError: opened as text, closed, unreadable, or longer than `MAX_BYTES`.
    """
    contents = bytearray()
    while part := _next_part(file):
        if not isinstance(part, bytes | bytearray | memoryview):
            raise ImageError("a file that does not yield bytes.", _OPEN_IT)
        contents += part
        _refuse_length(len(contents))
    return bytes(contents)


def _next_part(file: IO[bytes]) -> bytes:
    try:
        return file.read(1 << 20)
    except (OSError, ValueError) as error:  # also of a closed file, and of one that was opened as text
        raise ImageError(f"a file that can't be read ({error}).", _OPEN_IT) from None


def _refuse_length(length: int) -> None:
    if length > MAX_BYTES:
        raise ImageError(f"larger than the limit of {MAX_BYTES:,} bytes.", "Downscale it first.")


def _from_pillow(image: Image.Image) -> Image.Image | NDArray[np.uint8]:
    """A Pillow image: decoded from its file like any other if that is open and no pixels have been loaded."""
    if isinstance(image, ImageFile.ImageFile) and image.tile and image.tell() == 0:
        file = image.fp
        if file is None or file.closed:
            raise ImageError("its file was closed before it was loaded.", "Call load() while the file is open.")
        place = file.tell()
        file.seek(0)
        try:
            return _from_bytes(contents_of(file))
        finally:
            file.seek(place)
    refuse_size(*image.size)
    image.load()
    if image.mode.startswith("I;16"):
        grey = from_16_bits(np.asarray(image))
        grey.info = image.info
        return grey
    return image


def _from_array(values: NDArray) -> Image.Image | NDArray[np.uint8]:
    if values.dtype != np.uint8 or values.ndim not in (2, 3) or 0 in values.shape or np.ma.is_masked(values):
        raise ImageError(
            f"an array of dtype {values.dtype} and shape {values.shape} is not an image.",
            "Pass uint8 [H, W], [H, W, 3] or [H, W, 4], values 0 to 255; scale and convert it first.",
        )
    channels = values.shape[2] if values.ndim == 3 else 1
    if channels not in (1, 3, 4):
        raise ImageError(f"an array with {channels} channels is not an image.", "Pass 1, 3 or 4 channels, last.")
    refuse_size(values.shape[1], values.shape[0])
    values = np.ascontiguousarray(values)
    if channels == 3:
        return values
    return Image.fromarray(values.reshape(values.shape[:2]) if channels == 1 else values)


def _upright_rgb(image: Image.Image | NDArray[np.uint8]) -> NDArray[np.uint8]:
    if isinstance(image, np.ndarray):
        return image
    turn = _TURNS.get(exif_of(image).get(_ORIENTATION, 1))
    return to_rgb(image if turn is None else image.transpose(turn))


def _name(source: object) -> str:
    """The name of a source in errors; undecodable bytes in a file name are escaped."""
    name: object
    if isinstance(source, str | os.PathLike):
        name = os.fsdecode(source)
    else:
        name = getattr(source, "name", None) or getattr(source, "filename", None)
    if not (isinstance(name, str) and name):
        return "the given image"
    return name.encode("utf-8", "backslashreplace").decode()
