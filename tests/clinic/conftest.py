"""Synthetic DICOM files: the same picture in every form that is read."""

import io
import subprocess
from shutil import which

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def make_dicom(lesion_jpeg):
    """Makes the bytes of a dermoscopic DICOM file of `lesion_jpeg`, or of `pixels`, with further elements."""
    pydicom = pytest.importorskip("pydicom")
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit, generate_uid

    def make(pixels=None, *, frame=None, syntax=None, kind="1.2.840.10008.5.1.4.1.1.77.1.7", **elements):
        file, meta = Dataset(), FileMetaDataset()
        if pixels is None:
            frame = lesion_jpeg if frame is None else frame
            width, height = Image.open(io.BytesIO(lesion_jpeg)).size
            syntax = syntax or JPEGBaseline8Bit
            colours, samples, bits = "YBR_FULL_422", 3, 8
            content = encapsulate([frame])
        else:
            height, width = pixels.shape[:2]
            syntax = syntax or ExplicitVRLittleEndian
            samples, bits = (3 if pixels.ndim == 3 else 1), pixels.dtype.itemsize * 8
            colours = "RGB" if samples == 3 else "MONOCHROME2"
            content = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
            content += b"\0" * (len(content) % 2)
        meta.MediaStorageSOPClassUID = file.SOPClassUID = kind
        meta.MediaStorageSOPInstanceUID = file.SOPInstanceUID = generate_uid(entropy_srcs=["instance", str(elements)])
        meta.TransferSyntaxUID = syntax
        values = {
            "StudyInstanceUID": generate_uid(entropy_srcs=["study"]),
            "SeriesInstanceUID": generate_uid(entropy_srcs=["series"]),
            "PatientName": "Doe^Jane",
            "PatientID": "4711",
            "PatientBirthDate": "19700101",
            "PatientSex": "F",
            "StudyDate": "20260102",
            "StudyTime": "120000",
            "StudyID": "1",
            "AccessionNumber": "A1",
            "ReferringPhysicianName": "",
            "Modality": "DMS",
            "Rows": height,
            "Columns": width,
            "SamplesPerPixel": samples,
            "PhotometricInterpretation": colours,
            "BitsAllocated": bits,
            "BitsStored": bits,
            "HighBit": bits - 1,
            "PixelRepresentation": 0,
            **({"PlanarConfiguration": 0} if samples == 3 else {}),
            "PixelData": content,
        } | elements
        for name, value in values.items():
            if value is not None:
                setattr(file, name, value)
        if "PixelData" in file:
            file["PixelData"].VR = "OB" if pixels is None or bits == 8 else "OW"
        file.file_meta = meta
        written = io.BytesIO()
        pydicom.dcmwrite(written, file, enforce_file_format=True)
        return written.getvalue()

    return make


@pytest.fixture(scope="session")
def pixels(lesion_jpeg) -> np.ndarray:
    """The pixels of `lesion_jpeg`, uint8 [H, W, 3]."""
    from lentigo.runtime import decode

    return decode(lesion_jpeg)


@pytest.fixture(scope="session")
def dciodvfy():
    """Checks a DICOM file with `dciodvfy`: gives the errors that it prints."""
    if not which("dciodvfy"):
        pytest.skip("needs dciodvfy: apt-get install dicom3tools")

    def check(path):
        told = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False)
        return [line for line in (told.stdout + told.stderr).splitlines() if line.startswith("Error")]

    return check
