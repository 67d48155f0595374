import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lentigo.runtime.formats import FOREIGN, READABLE, claimed_format, image_format, sniff


def box(brand: bytes, *compatible: bytes) -> bytes:
    body = b"ftyp" + brand + bytes(4) + b"".join(compatible)
    return (len(body) + 4).to_bytes(4, "big") + body


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "TIFF", "WebP", "GIF", "DIB"])
def test_what_pillow_writes_is_recognised(kind):
    file = io.BytesIO()
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(file, kind.upper())
    found = sniff(file.getvalue()[:512])
    if kind == "DIB":  # a bitmap without its file header has no mark of its own
        assert found is None
    else:
        assert found.name == kind
        assert found.readable
        assert not found.next_step


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (box(b"heic"), "HEIC"),
        (box(b"mif1", b"mif1", b"heic"), "HEIC"),
        (box(b"mif1", b"mif1", b"avif"), "AVIF"),
        (box(b"msf1", b"hevc"), "HEIC"),
        (box(b"avif", b"mif1"), "AVIF"),
        (box(b"crx "), "camera raw"),
        (bytes(128) + b"DICM\2\0\0\0UL", "DICOM"),
        (b"\2\0\0\0UL\4\0", "DICOM"),
        (b"\x08\0\x05\0CS\n\0ISO_IR 100", "DICOM"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"\xff\x4f\xff\x51\0\0", "JPEG 2000"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"\xff\x0a\0\0", "JPEG XL"),
        (b"\xff\xd8\xff\xf7\0\x0b", "JPEG-LS"),
        (b"II*\0\x10\0\0\0CR\2\0", "camera raw"),
        (b"FUJIFILMCCD-RAW 0201", "camera raw"),
        (b"8BPS\0\1", "Photoshop"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "PostScript"),
        (b"<?xml version='1.0'?><svg xmlns=''/>", "SVG"),
        (b"P6\n# made by hand\n3 2\n255\n", "netpbm"),
        (b"\0\0\1\0\1\0\x10\x10\0\0", "icon"),
    ],
)
def test_images_that_are_not_read_here_are_named_with_a_next_step(start, name):
    found = sniff(start)
    assert found.name == name
    assert not found.readable
    assert found.next_step.endswith(".")


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"image_id,dx\n",
        b"BMI,age\n22,40\n and more of it",
        b"P1 patient notes",
        b"GIF is a format",
        b"%PDF-1.7",
        b"PK\3\4",
        b"<!doctype html><p>an <svg> far below</p>"[:20],
        box(b"isom", b"mp42"),  # a film
        box(b"M4A "),
        bytes(512),
    ],
)
def test_what_is_no_image_is_not_taken_for_one(start):
    assert sniff(start) is None


def test_content_counts_more_than_the_name(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(box(b"heic"))
    assert image_format(path).name == "HEIC"
    path.write_bytes(b"<html>404</html>")
    assert image_format(path).name == "JPEG"  # so that it gets a row that says what it is
    bare = tmp_path / "photo"
    bare.write_bytes(b"\x89PNG\r\n\x1a\n")
    assert image_format(bare).name == "PNG"
    assert image_format(tmp_path / "notes.txt") is None


@pytest.mark.parametrize("name", ["A.JPE", "a.jfif", "a.JPG", "a.jpeg"])
def test_the_many_names_of_jpeg(name):
    assert claimed_format(Path(name)).name == "JPEG"


def test_no_two_formats_claim_one_suffix():
    suffixes = [suffix for kind in (*READABLE, *FOREIGN) for suffix in kind.suffixes]
    assert len(suffixes) == len(set(suffixes))
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in suffixes)
