"""DICOM in: the same pixels as the picture's file gives, or a refusal that says why."""

import io
import subprocess
import sys
from shutil import which

import numpy as np
import pytest
from PIL import Image

from lentigo.errors import ImageError
from lentigo.runtime import classify_files, decode

pydicom = pytest.importorskip("pydicom")
from pydicom import uid  # noqa: E402


def compressed(pixels, syntax, make_dicom, **elements):
    dataset = pydicom.dcmread(io.BytesIO(make_dicom(pixels, **elements)))
    dataset.compress(syntax, generate_instance_uid=False)
    written = io.BytesIO()
    dataset.save_as(written, enforce_file_format=True)
    return written.getvalue()


def test_a_jpeg_in_dicom_has_the_pixels_of_its_file(make_dicom, pixels, lesion_jpeg):
    assert (decode(make_dicom()) == pixels).all()
    assert (decode(make_dicom(kind="1.2.840.10008.5.1.4.1.1.7")) == pixels).all()


def test_a_verdict_from_dicom_is_that_of_its_jpeg(lenient, make_dicom, lesion_jpeg):
    assert lenient.classify(make_dicom()).probabilities == lenient.classify(lesion_jpeg).probabilities


@pytest.mark.parametrize(
    "syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.DeflatedExplicitVRLittleEndian]
)
def test_uncompressed_pixels_are_exact(make_dicom, pixels, syntax):
    assert (decode(make_dicom(pixels, syntax=syntax)) == pixels).all()


@pytest.mark.parametrize("syntax", [uid.RLELossless, uid.JPEG2000Lossless, uid.JPEGLSLossless])
def test_lossless_compression_is_exact(make_dicom, pixels, syntax):
    assert (decode(compressed(pixels, syntax, make_dicom)) == pixels).all()


def test_planes_are_woven(make_dicom, pixels):
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1)).tobytes()
    assert (decode(make_dicom(pixels, PlanarConfiguration=1, PixelData=planes)) == pixels).all()


def test_ybr_full_is_converted(make_dicom, pixels):
    ybr = np.asarray(Image.fromarray(pixels).convert("YCbCr"))
    found = decode(make_dicom(ybr, PhotometricInterpretation="YBR_FULL"))
    assert np.abs(found.astype(int) - pixels).max() <= 3


def test_ybr_full_422_is_widened_and_converted(make_dicom):
    grey = np.linspace(40, 200, 64 * 64).astype(np.uint8).reshape(64, 32, 2)
    packed = np.stack([grey[..., 0], grey[..., 1], np.full((64, 32), 128), np.full((64, 32), 128)], -1).astype(np.uint8)
    wide = np.zeros((64, 64, 3), np.uint8)
    found = decode(make_dicom(wide, PhotometricInterpretation="YBR_FULL_422", PixelData=packed.tobytes()))
    assert np.abs(found[..., 0].astype(int) - grey.reshape(64, 64)).max() <= 1


def test_grey_in_both_directions_and_any_depth(make_dicom, pixels):
    grey = pixels[..., 0]
    expected = np.repeat(grey[..., None], 3, axis=2)
    wide = grey.astype(np.uint16)
    assert (decode(make_dicom(grey)) == expected).all()
    assert (decode(make_dicom(255 - grey, PhotometricInterpretation="MONOCHROME1")) == expected).all()
    assert (decode(make_dicom(grey, WindowCenter=128, WindowWidth=256)) == expected).all()
    assert (decode(make_dicom(wide, BitsStored=8, HighBit=7)) == expected).all()
    assert (decode(make_dicom(wide << 4, BitsStored=12, HighBit=11)) == expected).all()
    assert (decode(make_dicom(wide << 8)) == expected).all()
    bright = decode(make_dicom(wide, BitsStored=12, HighBit=11, WindowCenter=128, WindowWidth=256))
    assert np.abs(bright.astype(int) - expected).max() <= 1


def test_a_palette_gives_its_colours(make_dicom):
    indices = np.arange(64 * 64, dtype=np.uint8).reshape(64, 64)
    palette = {}
    for k, name in enumerate(("Red", "Green", "Blue")):
        palette[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        table = (np.roll(np.arange(256), 50 * k).astype(np.uint16) * 257).tobytes()
        palette[f"{name}PaletteColorLookupTableData"] = table
    found = decode(make_dicom(indices, PhotometricInterpretation="PALETTE COLOR", **palette))
    assert (found[..., 1] == np.roll(np.arange(256), 50)[indices]).all()


def test_a_jpeg_without_marker_has_the_colours_that_dicom_states(make_dicom, pixels, lesion_jpeg):
    bare = lesion_jpeg[:2] + lesion_jpeg[20:]  # without JFIF
    assert (decode(make_dicom(frame=bare)) == pixels).all()
    as_rgb = decode(make_dicom(frame=bare, PhotometricInterpretation="RGB"))
    raw = np.asarray(Image.open(io.BytesIO(lesion_jpeg)).convert("YCbCr"))
    assert np.abs(as_rgb.astype(int) - raw).mean() < 4
    with pytest.raises(ImageError, match="JPEG says YBR colours, and DICOM says RGB"):
        decode(make_dicom(PhotometricInterpretation="RGB"))


def test_a_colour_profile_is_applied(make_dicom, pixels):
    from lentigo.runtime.colour import ADOBE_RGB_PRIMARIES, make_profile

    profile = make_profile(2.2, ADOBE_RGB_PRIMARIES)
    expected = io.BytesIO()
    Image.fromarray(pixels).save(expected, "PNG", icc_profile=profile)
    padded = profile + b"\0" * (len(profile) % 2)
    assert (decode(make_dicom(pixels, ICCProfile=padded)) == decode(expected.getvalue())).all()


GREY = {"PhotometricInterpretation": "MONOCHROME2", "PlanarConfiguration": None}
REFUSED = {
    "several frames": ({"NumberOfFrames": 3}, "multi-frame"),
    "a CT": ({"kind": "1.2.840.10008.5.1.4.1.1.2"}, "another kind than photographs"),
    "a slide": ({"kind": "1.2.840.10008.5.1.4.1.1.77.1.6"}, "another kind than photographs"),
    "a report": ({"kind": "1.2.840.10008.5.1.4.1.1.88.34", "PixelData": None}, "another kind than photographs"),
    "no pixels": ({"PixelData": None}, "without pixel data"),
    "no rows": ({"Rows": None}, "not described"),
    "too large": ({"Rows": 60000, "Columns": 60000}, "more than the"),
    "two sizes": ({"Rows": 64}, "two sizes"),
    "unknown colours": ({"PhotometricInterpretation": "CMYK"}, "photometric interpretation"),
    "no colours": ({"PhotometricInterpretation": None}, "photometric interpretation"),
    "a video": ({"syntax": "1.2.840.10008.1.2.4.102"}, "transfer syntax"),
    "a JPEG of 12 bits": (
        {"BitsAllocated": 16, "BitsStored": 12, "HighBit": 11, "SamplesPerPixel": 1, **GREY},
        "JPEG of 12 bits",
    ),
    "colours of 16 bits": ({"BitsAllocated": 16, "BitsStored": 16, "HighBit": 15}, "colours of 16 bits"),
    "signed": ({"PixelRepresentation": 1}, "without a sign"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_single_photograph_is_refused_with_a_next_step(make_dicom, case, tmp_path):
    elements, said = REFUSED[case]
    path = tmp_path / "lesion.dcm"
    path.write_bytes(make_dicom(**elements))
    with pytest.raises(ImageError, match=said) as caught:
        decode(path)
    assert caught.value.hint and str(path) in caught.value.message
    assert "Doe" not in str(caught.value) and "4711" not in str(caught.value)


@pytest.mark.parametrize("form", ["jpeg", "raw", "rle", "j2k", "jls"])
def test_no_cut_file_is_read(make_dicom, pixels, form):
    forms = {"rle": uid.RLELossless, "j2k": uid.JPEG2000Lossless, "jls": uid.JPEGLSLossless}
    whole = (
        compressed(pixels, forms[form], make_dicom) if form in forms else make_dicom(pixels if form == "raw" else None)
    )
    for keep in (0.999, 0.9, 0.5, 0.2):
        with pytest.raises(ImageError):
            decode(whole[: int(len(whole) * keep) - 16])
    with pytest.raises(ImageError, match=r"may have been cut|damaged"):
        decode(whole[:200])


def test_a_deflated_bomb_is_not_unpacked(make_dicom, pixels, monkeypatch):
    from lentigo.runtime.codecs import dicom

    monkeypatch.setattr(dicom, "MAX_PIXELS", 100)
    with pytest.raises(ImageError, match="unpacked"):
        decode(make_dicom(pixels, syntax=uid.DeflatedExplicitVRLittleEndian))


def test_damaged_bytes_never_escape_as_another_error(make_dicom, pixels):
    draw = np.random.default_rng(0)
    whole = [make_dicom(), make_dicom(pixels[:40, :40])]
    for i in range(150):
        content = bytearray(whole[i % 2])
        for place in draw.integers(0, min(len(content), 1600), 4):
            content[place] = draw.integers(256)
        try:
            assert decode(bytes(content)).dtype == np.uint8
        except ImageError as error:
            assert "Doe" not in str(error)


def test_classify_takes_dicom_by_content_and_names_the_extra_without_it(make_dicom, tmp_path, monkeypatch, lenient):
    (tmp_path / "IM0001").write_bytes(make_dicom())
    (tmp_path / "bare.dcm").write_bytes(make_dicom()[132:])
    for result in classify_files([tmp_path], model=lenient.bundle.path):
        assert not getattr(result, "error", "")
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(ImageError, match=r"not installed.*\[clinic\]"):
        decode(tmp_path / "IM0001")


@pytest.mark.skipif(not which("dcmcjpeg"), reason="needs dcmcjpeg: apt-get install dcmtk")
@pytest.mark.parametrize("options", [["+el"], ["+e1"], ["+eb", "+cr", "+q", "98"], ["+eb", "+cy", "+q", "98"]])
def test_jpegs_of_dcmtk_are_read(make_dicom, pixels, tmp_path, options):
    """Lossless ones exactly, lossy ones closely, in either colour space."""
    (tmp_path / "a.dcm").write_bytes(make_dicom(pixels))
    subprocess.run(["dcmcjpeg", *options, tmp_path / "a.dcm", tmp_path / "b.dcm"], check=True)
    difference = np.abs(decode(tmp_path / "b.dcm").astype(int) - pixels)
    assert difference.mean() < 6 if "+eb" in options else difference.max() == 0
