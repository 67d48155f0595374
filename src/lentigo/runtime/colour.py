"""Conversion from an image's declared colour space to sRGB, which the models were trained on.

Embedded profiles are applied with relative colorimetric intent and black-point compensation; one equivalent to sRGB
changes no bit. An RGB profile on a grey image applies to equal channels. Without a profile, RGB and grey are assumed
sRGB, as on the web and in most cameras, and Exif's mark of Adobe RGB (DCF option R03) as Adobe RGB. CMYK
without a profile, a damaged profile, and a profile for another colour mode are refused: their colours would be a guess.
"""

import io
import struct
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from lentigo.errors import ImageError

__all__ = ["ADOBE_RGB_PRIMARIES", "SRGB_PRIMARIES", "cielab", "exif_of", "make_profile", "to_rgb"]

Primaries = tuple[float, ...]
"""CIE x and y of white, red, green and blue."""

SRGB_PRIMARIES: Primaries = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
ADOBE_RGB_PRIMARIES: Primaries = (0.3127, 0.3290, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
ADOBE_RGB_GAMMA = 563 / 256

# IEC 61966-2-1: linear sRGB to XYZ, over the white point D65.
_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
_TO_XYZ /= _TO_XYZ.sum(axis=1, keepdims=True)

_EXPORT = "Export the image again, in sRGB."
_EXIF_IFD, _INTEROPERABILITY_IFD = 0x8769, 0xA005
_SPACES = {b"GRAY": "L", b"RGB ": "RGB", b"CMYK": "CMYK", b"Lab ": "LAB"}
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_D50 = np.array([0.9642, 1.0, 0.8249])


def to_rgb(image: Image.Image) -> NDArray[np.uint8]:
    """A loaded image of 8 bits a channel as uint8 sRGB [H, W, 3]; transparency is composited on white.

    Raises:
        ImageError: its colours or value range are ambiguous.
    """
    if image.mode.startswith(("I", "F")):
        raise ImageError(
            f"{'floating-point' if image.mode == 'F' else '32-bit integer'} grey with no stated white level.",
            "Save it with 8 bits per channel, adjusted to look correct on screen.",
        )
    profile = _stated_profile(image)
    if image.has_transparency_data:
        image = image.convert({"La": "LA", "RGBa": "RGBA"}.get(image.mode, image.mode))
        image = image if image.mode == "LA" else image.convert("RGBA")
        laid = _to_srgb(image.convert("L" if image.mode == "LA" else "RGB"), profile).convert("RGBA")
        laid.putalpha(image.getchannel("A"))
        return np.asarray(Image.alpha_composite(Image.new("RGBA", image.size, "white"), laid).convert("RGB"))
    if image.mode not in ("L", "CMYK", "LAB"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    return np.asarray(_to_srgb(image, profile))


def exif_of(image: Image.Image) -> Image.Exif:
    """The Exif data of an image; empty if there are none or they can't be read."""
    try:
        return image.getexif()
    except Exception:  # it may raise anything; the image is still worth reading without it
        return Image.Exif()


def make_profile(gamma: float, primaries: Primaries) -> bytes:
    """An ICC profile from a gamma and primaries, as PNG and DCF state them (ICC.1:2001-04, a three-component matrix).

    Raises:
        ImageError: numbers that no colour space can have.
    """
    white, *colours = [np.array([x / y, 1.0, (1 - x - y) / y]) if y else np.zeros(3) for x, y in _pairs(primaries)]
    try:
        columns = np.stack(colours, axis=1)
        columns = columns * np.linalg.solve(columns, white)
        adapt = np.linalg.inv(_BRADFORD) @ np.diag(_BRADFORD @ _D50 / (_BRADFORD @ white)) @ _BRADFORD
        matrix = adapt @ columns
        curve = b"curv" + struct.pack(">4xIHxx", 1, round(gamma * 256))
        points = [_xyz(_D50), *(_xyz(matrix[:, i]) for i in range(3))]
    except (np.linalg.LinAlgError, struct.error, ValueError, OverflowError):
        raise ImageError("its colour space is specified with impossible values.", _EXPORT) from None
    tags = dict(zip((b"wtpt", b"rXYZ", b"gXYZ", b"bXYZ"), points, strict=True))
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    start = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        table += name + struct.pack(">II", start + len(body), len(content))
        body += content
    header = struct.pack(">I4xI4s4s4s", start + len(body), 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    header += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", *(round(v * 65536) for v in _D50))
    return header + bytes(128 - len(header)) + table + body


def _pairs(values: Primaries) -> list[tuple[float, float]]:
    return list(zip(values[::2], values[1::2], strict=True))


def _xyz(point: NDArray[np.floating]) -> bytes:
    return b"XYZ " + struct.pack(">4x3i", *(round(float(v) * 65536) for v in point))


def _stated_profile(image: Image.Image) -> bytes | None:
    profile: bytes | None = image.info.get("icc_profile")
    if profile or image.mode in ("CMYK", "LAB") or not ("exif" in image.info or image.format == "TIFF"):
        return profile or None
    try:
        exif = exif_of(image)
        exif.get_ifd(_EXIF_IFD)
        space = exif.get_ifd(_INTEROPERABILITY_IFD).get(1)
    except Exception:  # as in `exif_of`
        return None
    return make_profile(ADOBE_RGB_GAMMA, ADOBE_RGB_PRIMARIES) if str(space).startswith("R03") else None


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """An image of mode L, RGB, CMYK or LAB as RGB."""
    if image.mode == "LAB":
        if profile:
            raise ImageError("Lab colours that carry a colour profile.", _EXPORT)
        return _apply(_lab_transform(), image)
    if not profile:
        if image.mode == "CMYK":
            raise ImageError("CMYK without a colour profile: its colours are undefined.", _EXPORT)
        return image.convert("RGB")
    space = _SPACES.get(profile[16:20], "")
    if space == "RGB" and image.mode == "L":
        image = image.convert("RGB")
    if len(profile) < 132 or profile[36:40] != b"acsp":
        raise ImageError("its colour profile is damaged.", _EXPORT)
    if space != image.mode:
        kind = profile[16:20].decode("latin-1").strip()
        raise ImageError(f"{image.mode} pixels with a colour profile for {kind or 'nothing'}.", _EXPORT)
    transform = _transform(profile, image.mode)
    return _apply(transform, image) if transform else image.convert("RGB")


def _apply(transform: ImageCms.ImageCmsTransform, image: Image.Image) -> Image.Image:
    converted: Image.Image = transform.apply(image)
    return converted


@lru_cache(maxsize=8)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The transform from a profile to sRGB; None for sRGB (within one level of 255), which stays unchanged.

    Raises:
        ImageError: a damaged profile.
    """
    try:
        transform = _build(ImageCms.ImageCmsProfile(io.BytesIO(profile)), mode)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        raise ImageError("its colour profile is damaged.", _EXPORT) from None
    if mode == "CMYK":
        return transform
    levels = np.arange(256) if mode == "L" else np.linspace(0, 255, 18).round()
    grid = np.stack(np.meshgrid(*[levels] * (1 if mode == "L" else 3), indexing="ij"), axis=-1).astype(np.uint8)
    probe = Image.fromarray(grid.reshape(1, -1) if mode == "L" else grid.reshape(1, -1, 3))
    before, after = (np.asarray(im).astype(int) for im in (probe.convert("RGB"), transform.apply(probe)))
    return None if np.abs(after - before).max() <= 1 else transform


@lru_cache(maxsize=1)
def _lab_transform() -> ImageCms.ImageCmsTransform:
    """CIE L*a*b* under D50, as TIFF has it, to sRGB."""
    return _build(ImageCms.createProfile("LAB"), "LAB")


def _build(profile: Any, mode: str) -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(
        profile,
        ImageCms.createProfile("sRGB"),
        mode,
        "RGB",
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )


def cielab(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """CIELAB of sRGB pixels, D65: L* of 0 to 100, a*, b*; [..., 3] to [..., 3] (CIE 15:2018)."""
    levels = np.arange(256) / 255
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)[rgb]
    xyz = linear @ _TO_XYZ.T
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)
