"""Recognise a file by its first bytes: a supported image format, an unsupported one, or not an image.

Names mislead in both directions (a JPEG without suffix, a web page called .jpg), so a name only counts where the
content is unknown.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["FOREIGN", "READABLE", "Format", "claimed_format", "image_format", "sniff"]

_CONVERT = "Convert it to PNG or JPEG"


@dataclass(frozen=True)
class Format:
    """A kind of image file.

    Args:
        name: what people call it.
        suffixes: how its files are named.
        next_step: what to do with an unsupported one; empty for supported formats.
    """

    name: str
    suffixes: frozenset[str]
    next_step: str = ""

    @property
    def readable(self) -> bool:
        """Whether `decode` reads it."""
        return not self.next_step


def _format(name: str, suffixes: str, next_step: str = "") -> Format:
    return Format(name, frozenset(suffixes.split()), next_step)


_JPEG = _format("JPEG", ".jpg .jpeg .jpe .jfif .jif .mpo")
_PNG = _format("PNG", ".png .apng")
_BMP = _format("BMP", ".bmp .dib")
_TIFF = _format("TIFF", ".tif .tiff")
_WEBP = _format("WebP", ".webp")
_GIF = _format("GIF", ".gif")

READABLE = (_JPEG, _PNG, _BMP, _TIFF, _WEBP, _GIF)
"""The formats that `decode` reads."""

_HEIC = _format("HEIC", ".heic .heif .hif", f"{_CONVERT} (on a phone: share or export it as JPEG).")
_AVIF = _format("AVIF", ".avif .avifs", f"{_CONVERT}.")
_DICOM = _format("DICOM", ".dcm .dicom .dic", "Export it as PNG or JPEG from its viewer or archive.")
_JP2 = _format("JPEG 2000", ".jp2 .j2k .j2c .jpc .jpx .jpf", f"{_CONVERT}.")
_JXL = _format("JPEG XL", ".jxl", f"{_CONVERT}.")
_JLS = _format("JPEG-LS", ".jls", f"{_CONVERT}.")
_JXR = _format("JPEG XR", ".jxr .wdp .hdp", f"{_CONVERT}.")
_RAW = _format(
    "camera raw",
    ".cr2 .cr3 .crw .nef .nrw .arw .sr2 .srw .dng .raf .orf .rw2 .pef .raw .3fr .iiq .x3f",
    "Develop it to JPEG or PNG with the camera's software.",
)
_PSD = _format("Photoshop", ".psd .psb", f"{_CONVERT} with all layers merged.")
_EPS = _format("PostScript", ".eps .ps .epsf", f"{_CONVERT}.")
_SVG = _format("SVG", ".svg .svgz", f"{_CONVERT}.")
_ICO = _format("icon", ".ico .cur .icns", f"{_CONVERT}.")
_PNM = _format("netpbm", ".ppm .pgm .pbm .pnm .pam", f"{_CONVERT}.")
_OTHER = _format("rarely used image", ".tga .pcx .exr .hdr .dds .sgi .rgb .xcf .fits .emf .wmf", f"{_CONVERT}.")

FOREIGN = (_HEIC, _AVIF, _DICOM, _JP2, _JXL, _JLS, _JXR, _RAW, _PSD, _EPS, _SVG, _ICO, _PNM, _OTHER)
"""The image formats that are known by content or name and not read here; and DICOM, which is read where the extra
`clinic` is installed, but of which data sets are not made."""

_STARTS = (
    (b"\xff\xd8\xff\xf7", _JLS),
    (b"\xff\xd8\xff", _JPEG),
    (b"\x89PNG", _PNG),
    (b"GIF87a", _GIF),
    (b"GIF89a", _GIF),
    (b"IIU\0", _RAW),  # Panasonic
    (b"IIRO", _RAW),  # Olympus
    (b"IIRS", _RAW),
    (b"MMOR", _RAW),
    (b"FUJIFILMCCD-RAW", _RAW),
    (b"FOVb", _RAW),  # Sigma
    (b"II\x1a\0\0\0HEAPCCDR", _RAW),  # Canon before 2004
    (b"II\xbc", _JXR),
    (b"II*\0", _TIFF),
    (b"MM\0*", _TIFF),
    (b"II+\0", _TIFF),  # more than 4 GB
    (b"MM\0+", _TIFF),
    (b"\0\0\0\x0cjP  \r\n\x87\n", _JP2),
    (b"\xff\x4f\xff\x51", _JP2),
    (b"\0\0\0\x0cJXL \r\n\x87\n", _JXL),
    (b"\xff\x0a", _JXL),
    (b"8BPS", _PSD),
    (b"%!PS", _EPS),
    (b"\xc5\xd0\xd3\xc6", _EPS),
    (b"icns", _ICO),
    (b"v/1\x01", _OTHER),  # OpenEXR
    (b"#?RADIANCE", _OTHER),
    (b"DDS ", _OTHER),
    (b"gimp xcf", _OTHER),
)

# Shorter signatures that a text or table could start with by chance: what follows them is checked too.
_PATTERNS = (
    (re.compile(rb"BM.{4}\0{4}.{4}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0\0\0", re.DOTALL), _BMP),
    (re.compile(rb"\0\0[\1\2]\0[^\0]\0...\0", re.DOTALL), _ICO),
    (re.compile(rb"P[1-6]\s+(#|\d+\s+\d+)|P7\nWIDTH"), _PNM),
)

_BRANDS = {
    b"heic": _HEIC,
    b"heix": _HEIC,
    b"heim": _HEIC,
    b"heis": _HEIC,
    b"hevc": _HEIC,
    b"hevx": _HEIC,
    b"hevm": _HEIC,
    b"hevs": _HEIC,
    b"avif": _AVIF,
    b"avis": _AVIF,
    b"crx ": _RAW,  # Canon CR3
    b"mif1": _HEIC,  # any still in this container; a more specific brand above takes precedence
    b"msf1": _HEIC,
}

START = 512
"""Number of leading bytes that `sniff` examines."""


def sniff(start: bytes) -> Format | None:
    """The format of a file from its first bytes (512 are enough), or None for no known image format."""
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return _WEBP
    if start[4:8] == b"ftyp":
        return _brand(start)
    if start[:4] in (b"II*\0", b"MM\0*") and start[8:10] == b"CR":
        return _RAW  # Canon CR2
    if start[128:132] == b"DICM" or _is_bare_dicom(start):
        return _DICOM
    weak = next((kind for pattern, kind in _PATTERNS if pattern.match(start)), None)
    if weak:
        return weak
    if b"<svg" in start.lower() and start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return _SVG
    return next((kind for magic, kind in _STARTS if start.startswith(magic)), None)


def claimed_format(path: Path) -> Format | None:
    """The image format that a file's name suggests, or None."""
    suffix = path.suffix.lower()
    return next((kind for kind in (*READABLE, *FOREIGN) if suffix in kind.suffixes), None)


def image_format(path: str | os.PathLike[str]) -> Format | None:
    """A file's image format by its content or, if that is unknown or unreadable, by its name; None for other files."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            found = sniff(file.read(START))
    except OSError:
        found = None  # `decode` gives the reason
    return found or claimed_format(path)


def _brand(start: bytes) -> Format | None:
    """HEIC, AVIF and CR3 share a container; its brands follow 'ftyp', the major one first."""
    length = min(int.from_bytes(start[:4], "big"), len(start))
    names = [start[8:12], *(start[i : i + 4] for i in range(16, length, 4))]
    known = [_BRANDS[name] for name in names if name in _BRANDS]
    if names[0] in (b"mif1", b"msf1"):
        return _AVIF if _AVIF in known else _HEIC
    return _BRANDS.get(names[0])


def _is_bare_dicom(start: bytes) -> bool:
    """DICOM without its preamble, as old devices write it: a first element of group 2 or 8 with its type."""
    groups = (b"\x02\0", b"\x08\0")
    return start[:2] in groups and start[3:4] == b"\0" and start[4:6] in (b"UL", b"OB", b"CS", b"UI", b"DA", b"LO")
