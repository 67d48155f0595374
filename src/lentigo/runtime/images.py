"""Decode pictures into pixels, with guards against bombs and nonsense. Torch-free."""

import io
import os
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from lentigo.errors import ImageError
from lentigo.runtime.formats import image_format, sniff

__all__ = ["MAX_PIXELS", "ImageSource", "decode"]

MAX_PIXELS = 64_000_000
"""Largest image that is decoded, in pixels: above any dermatoscope or phone camera, below what exhausts memory."""

ImageSource = str | os.PathLike[str] | bytes | NDArray | Image.Image


def decode(source: ImageSource) -> NDArray[np.uint8]:
    """Read one image as uint8 RGB [H, W, 3], upright.

    Rotation flags of cameras are applied, grey is spread over three channels, CMYK and palettes are converted, 16-bit
    greys keep their 8 high bits, transparency is laid on white, and of an animation the first picture is taken.

    Args:
        source: a path, the bytes of a file, a Pillow image, or an array uint8 [H, W], [H, W, 3] or [H, W, 4].

    Raises:
        ImageError: the file is absent, empty, no image, damaged, truncated, or larger than `MAX_PIXELS`.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    name = "the given image" if isinstance(source, bytes | Image.Image) else str(Path(source))
    try:
        with _open(source) as image:
            _refuse_bomb(image, name)
            return _to_rgb(image)
    except FileNotFoundError:
        raise ImageError(f"{name}: there is no such file.", "Check the path.") from None
    except IsADirectoryError:
        raise ImageError(f"{name}: this is a folder.", "Give an image file.") from None
    except UnidentifiedImageError:
        raise _unidentified(source, name) from None
    except Image.DecompressionBombError as bomb:
        raise ImageError(f"{name}: too large to decode ({bomb}).", "Scale it down first.") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # from the system, not from Pillow
            raise ImageError(f"{name}: can't be read ({error.strerror}).", "Check the path and permissions.") from None
        # Pillow reports damage with any of these, depending on the format.
        raise ImageError(f"{name}: damaged or truncated ({error}).", "Fetch or export the image again.") from None


def _open(source: str | os.PathLike[str] | bytes | Image.Image) -> AbstractContextManager[Image.Image]:
    """The image without its pixels, which Pillow decodes when they are first asked for."""
    if isinstance(source, Image.Image):
        return nullcontext(source)
    if isinstance(source, bytes):
        return Image.open(io.BytesIO(source))
    return Image.open(Path(source))


def _unidentified(source: str | os.PathLike[str] | bytes | Image.Image, name: str) -> ImageError:
    kind = sniff(source) if isinstance(source, bytes) else image_format(name)
    if kind and not kind.readable:
        return ImageError(f"{name}: {kind.name} files are not read here.", kind.next_step)
    return ImageError(f"{name}: not an image that can be read.", "Use JPEG, PNG, BMP, TIFF, WebP or GIF.")


def _refuse_bomb(image: Image.Image, name: str) -> None:
    """Stop before decoding: the header alone tells the size."""
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"{name}: {width}x{height} pixels is more than the {MAX_PIXELS:,} that are decoded.", "Scale it down first."
        )


def _to_rgb(image: Image.Image) -> NDArray[np.uint8]:
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":
        return _from_array(_to_8_bits(np.asarray(image)))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image)
    return np.asarray(image.convert("RGB"))


def _to_8_bits(values: NDArray) -> NDArray[np.uint8]:
    """Greys deeper than 8 bits.

    16-bit integers keep the high byte; wider integers may hold 8 or 16 bits, real numbers 0 to 1 or 0 to 255, and the
    largest value tells which.
    """
    if np.issubdtype(values.dtype, np.unsignedinteger):
        return (values >> 8).astype(np.uint8)
    values = np.nan_to_num(values)
    largest = values.max()
    if np.issubdtype(values.dtype, np.integer):
        return (np.clip(values, 0, 65535) >> (8 if largest > 255 else 0)).astype(np.uint8)
    return np.clip(values * (255.0 if largest <= 1.0 else 1.0), 0, 255).astype(np.uint8)


def _from_array(values: NDArray) -> NDArray[np.uint8]:
    if values.dtype != np.uint8 or values.ndim not in (2, 3) or 0 in values.shape:
        raise ImageError(
            f"An array of dtype {values.dtype} and shape {values.shape} is not an image.",
            "Give uint8 [H, W], [H, W, 3] or [H, W, 4], values 0 to 255.",
        )
    if values.ndim == 3 and values.shape[2] == 3:
        return np.ascontiguousarray(values)
    if values.ndim == 3 and values.shape[2] not in (1, 4):
        raise ImageError(f"An array with {values.shape[2]} channels is not an image.", "Give 1, 3 or 4 channels.")
    return _to_rgb(Image.fromarray(values.squeeze(2) if values.ndim == 3 and values.shape[2] == 1 else values))
