"""DICOM: photographs of the skin, that is dermoscopic and other visible-light images and secondary captures.

Which objects are read is decided by their SOP class; a CT or a structured report is not a photograph. JPEG inside
DICOM is decoded as a JPEG file is, to the same pixels; the rest is pydicom's. Errors quote no values: those may be a
patient's.

Source: DICOM PS3.3 C.7.6.3 (image pixel) and C.11 (look-up tables), PS3.5 section 8 (encoded pixel data).
"""

import io
import logging
import warnings
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lentigo.errors import ImageError, install_command
from lentigo.runtime.codecs.jpeg import read_jpeg
from lentigo.runtime.codecs.limits import MAX_PIXELS, damaged, refuse_size, refuse_unused_range

__all__ = ["SOP_CLASSES", "TRANSFER_SYNTAXES", "is_dicom_heatmap", "read_dicom", "read_dicom_header"]

SOP_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.77.1.4": "VL Photographic Image",
    "1.2.840.10008.5.1.4.1.1.77.1.7": "Dermoscopic Photography Image",
    "1.2.840.10008.5.1.4.1.1.7": "Secondary Capture Image",
    "1.2.840.10008.5.1.4.1.1.7.2": "Multi-frame Grayscale Byte Secondary Capture Image",
    "1.2.840.10008.5.1.4.1.1.7.3": "Multi-frame Grayscale Word Secondary Capture Image",
    "1.2.840.10008.5.1.4.1.1.7.4": "Multi-frame True Color Secondary Capture Image",
}
"""What is read, by SOP class UID."""

_JPEG = {f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 57, 70)}
_JPEG_LS = {f"1.2.840.10008.1.2.4.{n}" for n in (80, 81)}
_JPEG_2000 = {f"1.2.840.10008.1.2.4.{n}" for n in (90, 91)}
_DEFLATED = "1.2.840.10008.1.2.1.99"
_NATIVE = {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", _DEFLATED}
_RLE = "1.2.840.10008.1.2.5"
TRANSFER_SYNTAXES = tuple(sorted(_NATIVE | _JPEG | _JPEG_LS | _JPEG_2000 | {_RLE}))
"""UIDs of the transfer syntaxes that are read."""

HEATMAP = "lentigo heat map"
"""What marks lentigo's own pictures: a PNG's `Software`, and what a JPEG's comment or the Derivation Description of a
secondary capture starts with."""

_EXPORT = "Export the image as PNG or JPEG from its viewer or archive."
_AGAIN = "Send or export it again."
_RGB = ("RGB", "YBR_ICT", "YBR_RCT")
_COLOURS = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "YBR_FULL", "YBR_FULL_422", *_RGB)


def read_dicom(data: bytes) -> Image.Image | NDArray[np.uint8]:
    """Read a DICOM file with one photograph.

    Raises:
        ImageError: not a photograph, several frames, no pixels, damaged, too large, an unsupported transfer syntax or
            ambiguous colours, or pydicom is not installed.
    """
    dataset = read_dicom_header(data)
    _refuse_other_objects(dataset)
    refuse_size(dataset.Columns, dataset.Rows)
    _refuse_depth(dataset)
    return _coloured(dataset, _decoded(dataset))


def read_dicom_header(data: bytes) -> Any:
    """A DICOM file as pydicom's Dataset; its pixels are not decoded.

    Raises:
        ImageError: damaged, or pydicom is not installed.
    """
    try:
        from pydicom import dcmread
        from pydicom.uid import ExplicitVRLittleEndian
    except ImportError:
        raise ImageError(
            "reading DICOM needs packages that are not installed.",
            f"Run: {install_command('clinic')}; or export the image as PNG or JPEG from its viewer or archive.",
        ) from None
    # Odd values of elements that are not read here are no concern of whoever classifies the image.
    warnings.filterwarnings("ignore", module="pydicom")
    logging.getLogger("pydicom").setLevel(logging.ERROR)
    try:
        _refuse_inflation(data)
        dataset = dcmread(io.BytesIO(data), force=True)
        if "TransferSyntaxUID" not in dataset.file_meta and not dataset.original_encoding[0]:
            dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian  # old files without a preamble
        len(str(dataset.get("SOPClassUID", "")))  # parsed only when it is read
    except ImageError:
        raise
    except Exception as error:
        raise damaged(f"not a whole DICOM file: {type(error).__name__}") from None
    return dataset


def is_dicom_heatmap(data: bytes) -> bool:
    """Whether a DICOM file is a secondary capture of a heat map drawn by lentigo; False for what can't be read."""
    if HEATMAP.encode() not in data:
        return False
    try:
        return str(read_dicom_header(data).get("DerivationDescription", "")).startswith(HEATMAP)
    except ImageError:
        return False


def _refuse_inflation(data: bytes) -> None:
    """A deflated file is unpacked as a whole when it is opened: not beyond what a picture can need."""
    from pydicom.filereader import read_partial

    head = read_partial(io.BytesIO(data), stop_when=lambda tag, vr, length: tag.group != 2, force=True)
    if head.file_meta.get("TransferSyntaxUID") != _DEFLATED:
        return
    start = 144 + int(head.file_meta.get("FileMetaInformationGroupLength", 0))
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    unpacker.decompress(data[start:], 8 * MAX_PIXELS)
    if unpacker.unconsumed_tail:
        raise ImageError("unpacked, it is larger than any image that is decoded.", _EXPORT)


def _refuse_other_objects(dataset: Any) -> None:
    """Only a single photograph is classified."""
    kind = str(dataset.get("SOPClassUID", "") or dataset.file_meta.get("MediaStorageSOPClassUID", ""))
    if kind and kind not in SOP_CLASSES:
        from pydicom.uid import UID

        name = UID(kind).name if UID(kind).name != kind else "an object of an unknown kind"
        raise ImageError(
            f"a DICOM object of another kind than photographs ({name}).",
            f"Classify dermoscopic, photographic or secondary capture images. {_EXPORT}",
        )
    if "PixelData" not in dataset:
        raise ImageError(
            "a DICOM file without pixel data.", f"{_AGAIN} It may have been cut, or refer to an image only."
        )
    try:
        frames = int(dataset.get("NumberOfFrames", 1) or 1)
        present = all(int(dataset[name].value) >= 0 for name in ("Rows", "Columns", "BitsAllocated", "SamplesPerPixel"))
    except (KeyError, TypeError, ValueError):
        raise damaged("its pixel data are not described") from None
    if frames != 1 or not present:
        raise ImageError(
            f"a multi-frame DICOM file ({frames} frames): which one is meant isn't stated.",
            "Export the frame that is meant as a single image.",
        )


def _refuse_depth(dataset: Any) -> None:
    """Whole numbers without a sign, of a stated depth and colour space."""
    colours = str(dataset.get("PhotometricInterpretation", ""))
    if colours not in _COLOURS:
        raise ImageError(
            f"its photometric interpretation {colours if colours.isascii() and len(colours) < 17 else ''} isn't "
            "supported.".replace("  ", " "),
            _EXPORT,
        )
    grey = colours.startswith(("MONO", "PALETTE"))
    if int(dataset.SamplesPerPixel) != (1 if grey else 3):
        raise damaged(f"{dataset.SamplesPerPixel} samples per pixel for {colours}")
    if int(dataset.BitsAllocated) not in (8, 16) or dataset.get("PixelRepresentation", 0) not in (0, None):
        raise ImageError("its pixels are not 8 or 16 bits without a sign.", _EXPORT)
    stored = int(dataset.get("BitsStored", dataset.BitsAllocated))
    if not 8 <= stored <= int(dataset.BitsAllocated) or int(dataset.get("HighBit", stored - 1)) != stored - 1:
        raise ImageError(f"pixels of {stored} stored bits, placed unusually.", _EXPORT)
    if not grey and stored > 8:
        raise ImageError(f"colours of {stored} bits a channel.", _EXPORT)


def _decoded(dataset: Any) -> Image.Image | NDArray[np.integer]:
    """A loaded image, or stored values [H, W], or RGB [H, W, 3]."""
    syntax = str(dataset.file_meta.get("TransferSyntaxUID", ""))
    if syntax not in TRANSFER_SYNTAXES:
        raise ImageError("its transfer syntax isn't supported, or isn't stated.", _EXPORT)
    if syntax not in _NATIVE:
        frame = _frame(dataset)
        if syntax in _JPEG:
            return _from_jpeg(dataset, frame)
        if syntax != _RLE:
            _refuse_other_size(dataset, frame, jpeg_2000=syntax in _JPEG_2000)
    from pydicom.pixels import pixel_array

    try:
        values: NDArray[np.integer] = pixel_array(dataset, raw=False)
    except (MemoryError, ImageError):
        raise
    except Exception as error:
        if "missing dependencies" in str(error):
            raise ImageError("its transfer syntax needs packages that are not installed.", _EXPORT) from None
        raise damaged(f"its pixel data can't be decoded: {type(error).__name__}") from None
    if values.shape[:2] != (dataset.Rows, dataset.Columns):
        raise damaged("two sizes in one file")
    return values


def _frame(dataset: Any) -> bytes:
    """The compressed picture, whole as far as its end shows."""
    from pydicom.encaps import generate_frames

    try:
        frames = list(generate_frames(dataset.PixelData, number_of_frames=1))
    except Exception as error:
        raise damaged(f"its pixel data are not whole: {type(error).__name__}") from None
    if len(frames) != 1 or not frames[0]:
        raise damaged("its pixel data are not whole")
    return frames[0]


def _from_jpeg(dataset: Any, frame: bytes) -> Image.Image | NDArray[np.integer]:
    """Decoded as a JPEG file is; where neither JFIF nor Adobe states the colours, DICOM does."""
    if int(dataset.get("BitsStored", 8)) > 8:
        raise ImageError(f"a JPEG of {dataset.BitsStored} bits.", _EXPORT)
    frame = frame.rstrip(b"\0")
    if not frame.endswith(b"\xff\xd9"):
        raise damaged("its JPEG has no end")
    colours = str(dataset.PhotometricInterpretation)
    three = int(dataset.SamplesPerPixel) == 3
    stated = _stated_colours(frame)
    if three and stated and stated != ("RGB" if colours == "RGB" else "YBR"):
        raise ImageError(f"its JPEG says {stated} colours, and DICOM says {colours}.", _EXPORT)
    if three and not stated:
        adobe = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0" + (b"\0" if colours == "RGB" else b"\1")
        frame = frame[:2] + adobe + frame[2:]
    found = read_jpeg(frame)
    size = found.shape[1::-1] if isinstance(found, np.ndarray) else found.size
    if tuple(size) != (dataset.Columns, dataset.Rows):
        raise damaged("two sizes in one file")
    if isinstance(found, np.ndarray) and not three:
        return found[..., 0]
    return found


def _stated_colours(frame: bytes) -> str:
    """'RGB' or 'YBR' if the JPEG itself states it, by an Adobe or a JFIF marker; else empty."""
    start = frame[: frame.find(b"\xff\xda")]
    adobe = start.find(b"Adobe", 0)
    if adobe >= 4 and start[adobe - 4 : adobe - 2] == b"\xff\xee":
        return "RGB" if start[adobe + 11 : adobe + 12] == b"\0" else "YBR"
    return "YBR" if b"JFIF\0" in start[:64] else ""


def _refuse_other_size(dataset: Any, frame: bytes, *, jpeg_2000: bool) -> None:
    """A picture that is larger than its file says would be decoded first and noticed later; a cut one not at all."""
    if not frame.rstrip(b"\0").endswith(b"\xff\xd9"):
        raise damaged("its pixel data have no end")
    if jpeg_2000:
        at = frame.find(b"\xff\x4f\xff\x51")
        numbers = [int.from_bytes(frame[at + i : at + i + 4], "big") for i in (8, 12, 16, 20)]
        width, height = numbers[0] - numbers[2], numbers[1] - numbers[3]
    else:
        at = frame.find(b"\xff\xf7")
        height, width = (int.from_bytes(frame[at + i : at + i + 2], "big") for i in (5, 7))
    if at < 0 or (width, height) != (dataset.Columns, dataset.Rows):
        raise damaged("two sizes in one file")


def _coloured(dataset: Any, values: Image.Image | NDArray[np.integer]) -> Image.Image | NDArray[np.uint8]:
    """Stored values as 8 bits of sRGB, or as an image with its colour profile."""
    colours = str(dataset.PhotometricInterpretation)
    if isinstance(values, np.ndarray):
        if colours.startswith("MONO"):
            values = _grey(dataset, values)
        elif colours == "PALETTE COLOR":
            values = _from_palette(dataset, values)
    profile = dataset.get("ICCProfile")
    if not profile:
        if isinstance(values, Image.Image):
            return values
        plain = np.ascontiguousarray(values, np.uint8)
        return plain if plain.ndim == 3 else np.repeat(plain[..., None], 3, axis=2)
    image = values if isinstance(values, Image.Image) else Image.fromarray(np.ascontiguousarray(values, np.uint8))
    own = image.info.get("icc_profile")
    if own and bytes(own).rstrip(b"\0") != bytes(profile).rstrip(b"\0"):
        raise ImageError("its JPEG and DICOM state two colour profiles.", _EXPORT)
    image.info["icc_profile"] = bytes(profile)
    return image


def _grey(dataset: Any, values: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Grey levels as a screen shows them: through the stated window, dark for MONOCHROME1's high values."""
    from pydicom.pixels import apply_rescale, apply_windowing

    if "ModalityLUTSequence" in dataset or "VOILUTSequence" in dataset:
        raise ImageError("grey levels with a look-up table.", _EXPORT)
    white = 2 ** int(dataset.get("BitsStored", dataset.BitsAllocated)) - 1
    if values.max(initial=0) > white:
        raise damaged("values beyond its stated depth")
    if "WindowCenter" in dataset and "WindowWidth" in dataset:
        try:
            low, high = (float(v) for v in apply_rescale(np.array([0, white], np.float64), dataset))
            shown = apply_windowing(apply_rescale(values.astype(np.float64), dataset), dataset)
        except Exception:
            raise damaged("its window is invalid") from None
        if not high > low:
            raise ImageError("grey levels that are rescaled unusually.", _EXPORT)
        levels = np.clip((shown - low) / (high - low) * 255, 0, 255).round().astype(np.uint8)
    else:
        levels = (values >> (white.bit_length() - 8)).astype(np.uint8)
        if white > 255:
            refuse_unused_range(levels)
    return 255 - levels if dataset.PhotometricInterpretation == "MONOCHROME1" else levels


def _from_palette(dataset: Any, values: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Colours by the palette, in 8 bits."""
    from pydicom.pixels import apply_color_lut

    try:
        colours = apply_color_lut(values, dataset)
    except Exception as error:
        raise damaged(f"its palette is invalid: {type(error).__name__}") from None
    if colours.dtype != np.uint16:
        return np.asarray(colours[..., :3], np.uint8)
    high_bytes = (colours[..., :3] >> 8).astype(np.uint8)
    refuse_unused_range(high_bytes)
    return high_bytes
