"""Damaged images of every format, the same for the suite and for benchmarks/service_fuzz.py."""

import io
from collections.abc import Iterator
from importlib.util import find_spec

import numpy as np
from PIL import Image

__all__ = ["FORMATS", "dicom", "mutated", "originals"]

FORMATS = ("JPEG", "PNG", "WebP", "TIFF", "BMP", "GIF")
"""And DICOM, where pydicom is installed."""


def originals(photo: bytes) -> list[bytes]:
    """A photograph in every format, JPEG also progressive, PNG also with a palette, TIFF also compressed."""
    picture = Image.open(io.BytesIO(photo)).convert("RGB").resize((160, 120))
    kinds = [(name, {}) for name in FORMATS]
    kinds += [("JPEG", {"progressive": True}), ("TIFF", {"compression": "tiff_lzw"}), ("WebP", {"lossless": True})]
    found = [_saved(picture, name, **options) for name, options in kinds]
    found += [_saved(picture.convert("P"), "PNG"), _saved(picture.convert("L"), "TIFF", compression="packbits")]
    if find_spec("pydicom"):
        found += [dicom(picture), dicom(picture, frame=_saved(picture, "JPEG"))]
    return found


def dicom(picture: Image.Image, frame: bytes | None = None) -> bytes:
    """A DICOM file of a picture, uncompressed or with a JPEG frame."""
    import pydicom
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit

    file, meta = Dataset(), FileMetaDataset()
    meta.MediaStorageSOPClassUID = file.SOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.7"
    meta.MediaStorageSOPInstanceUID = file.SOPInstanceUID = "1.2.3.4"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian if frame is None else JPEGBaseline8Bit
    file.PatientName = "Doe^Jane"
    file.Columns, file.Rows = picture.size
    file.SamplesPerPixel, file.PlanarConfiguration, file.PixelRepresentation = 3, 0, 0
    file.PhotometricInterpretation = "RGB" if frame is None else "YBR_FULL_422"
    file.BitsAllocated, file.BitsStored, file.HighBit = 8, 8, 7
    file.PixelData = picture.tobytes() if frame is None else encapsulate([frame])
    file["PixelData"].VR = "OB"
    file.file_meta = meta
    written = io.BytesIO()
    pydicom.dcmwrite(written, file, enforce_file_format=True)
    return written.getvalue()


def mutated(contents: list[bytes], count: int, seed: int) -> Iterator[bytes]:
    """Files with a few bytes changed, a part removed, repeated or filled, or the end missing."""
    random = np.random.default_rng(seed)
    for i in range(count):
        content = bytearray(contents[i % len(contents)])
        for _ in range(int(random.integers(1, 4))):
            _damage(content, random)
        yield bytes(content)


def _damage(content: bytearray, random: np.random.Generator) -> None:
    # Half of the damage is in the header, where it does most.
    reach = len(content) if random.random() < 0.5 else min(len(content), 200)
    place = int(random.integers(0, max(1, reach)))
    length = int(random.integers(1, 64))
    kind = random.integers(0, 6)
    if kind == 0:
        content[place : place + length] = random.bytes(min(length, len(content) - place))
    elif kind == 1:
        content[place : place + 1] = bytes([int(random.integers(0, 256))])
    elif kind == 2:
        del content[place : place + length]
    elif kind == 3:
        content[place:place] = content[place : place + length]
    elif kind == 4:
        content[place : place + 4] = b"\xff\xff\xff\xff"[: len(content) - place]
    else:
        del content[max(1, place) :]


def _saved(picture: Image.Image, name: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, format=name, **options)
    return file.getvalue()
