"""What `decode` takes and what it refuses; `test_images_formats` and `_colour` go through what files hold."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import lentigo
from lentigo.errors import ImageError
from lentigo.runtime import images
from lentigo.runtime.codecs.header import open_header
from lentigo.runtime.colour import ADOBE_RGB_GAMMA, ADOBE_RGB_PRIMARIES, make_profile
from lentigo.runtime.images import decode
from tests.runtime.made import chunk, encode, ink_profile, png

WIDTH, HEIGHT = 40, 24


@pytest.fixture
def picture() -> Image.Image:
    """Red left half, blue right half, so that turning and swapping of channels shows."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
    pixels[:, : WIDTH // 2, 0] = 200
    pixels[:, WIDTH // 2 :, 2] = 100
    return Image.fromarray(pixels)


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises a size and holds almost nothing."""
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    whole = png([bytes(10_000)], 1, 8, 2)
    return whole[:8] + chunk(b"IHDR", header) + whole[33:]


def _samples() -> list[bytes]:
    """Small files of every format and of several kinds within them."""
    pixels = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    rgb = Image.fromarray(pixels)
    deep = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
    profile = make_profile(ADOBE_RGB_GAMMA, ADOBE_RGB_PRIMARIES)
    exif = Image.Exif()
    exif[0x0112] = 6
    made = [encode(rgb, kind) for kind in ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF")]
    made += [encode(rgb, kind, icc_profile=profile, exif=exif) for kind in ("JPEG", "PNG", "TIFF", "WEBP")]
    made += [encode(rgb, "TIFF", compression=c) for c in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits")]
    made += [encode(deep, "PNG"), encode(deep, "TIFF"), encode(rgb.convert("1"), "TIFF", compression="group4")]
    made += [encode(rgb.quantize(8), "PNG", transparency=0), encode(rgb, "JPEG", progressive=True)]
    made += [encode(rgb.convert("CMYK"), "JPEG", icc_profile=ink_profile()), encode(rgb, "WEBP", lossless=True)]
    return made


SAMPLES = _samples()


# The correct results


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP", "GIF"])
def test_lossless_formats_are_read_exactly(picture, kind, tmp_path):
    path = tmp_path / "picture"  # the content tells the format, not the name
    path.write_bytes(encode(picture, kind, **({"lossless": True} if kind == "WEBP" else {})))
    pixels = decode(path)
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, np.asarray(picture))


def test_jpeg_is_read_in_rgb_order(picture):
    pixels = decode(encode(picture, "JPEG", quality=95))
    assert np.abs(pixels[12, 5].astype(int) - [200, 0, 0]).max() < 10
    assert np.abs(pixels[12, 35].astype(int) - [0, 0, 100]).max() < 10


def test_one_pixel_is_an_image():
    assert decode(encode(Image.new("RGB", (1, 1), (1, 2, 3)), "PNG")).tolist() == [[[1, 2, 3]]]


def test_grey_is_spread_over_three_channels():
    assert decode(encode(Image.new("L", (3, 2), 77), "PNG")).tolist() == [[[77] * 3] * 3] * 2


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_keeps_its_high_bits(kind):
    deep = np.array([[0, 255, 256, 65535]], dtype=np.uint16)
    assert decode(encode(Image.fromarray(deep), kind))[0, :, 0].tolist() == [0, 0, 1, 255]


def test_16_bit_grey_of_the_other_byte_order():
    deep = np.array([[0, 255, 256, 65535]], dtype=">u2")
    assert decode(Image.frombytes("I;16B", (4, 1), deep.tobytes()))[0, :, 0].tolist() == [0, 0, 1, 255]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_laid_on_white(mode):
    colour = (0, 0, 0, 0) if mode == "RGBA" else (0, 0)
    assert decode(encode(Image.new(mode, (2, 2), colour), "PNG")).min() == 255
    half = (0, 0, 0, 128) if mode == "RGBA" else (0, 128)
    assert abs(int(decode(encode(Image.new(mode, (2, 2), half), "PNG"))[0, 0, 0]) - 127) <= 1


def test_transparent_palette_is_laid_on_white():
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putdata([0, 1])
    assert decode(encode(image, "PNG", transparency=0)).tolist() == [[[255, 255, 255], [40, 50, 60]]]


def test_broken_exif_does_not_cost_the_picture(picture):
    assert decode(encode(picture, "JPEG", exif=b"Exif\0\0not a tiff header")).shape == (HEIGHT, WIDTH, 3)


# Sources


class Unnamed:
    """A stream that can only be read, as those of the network and of archives."""

    def __init__(self, data: bytes) -> None:
        self.data = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self.data.read(min(size, 100))  # less than was asked for


def test_every_kind_of_source_gives_the_same_pixels(picture, tmp_path):
    path = tmp_path / "picture.png"
    picture.save(path)
    expected = np.asarray(picture)
    data = path.read_bytes()
    for source in (path, str(path), data, bytearray(data), memoryview(data), io.BytesIO(data), Unnamed(data)):
        assert np.array_equal(decode(source), expected)
    for source in (picture, expected, picture.convert("RGBA"), Image.open(path), Image.open(io.BytesIO(data))):
        assert np.array_equal(decode(source), expected)
    with path.open("rb") as file:
        assert np.array_equal(decode(file), expected)


def test_a_pillow_image_is_left_as_it_was(picture):
    opened = Image.open(io.BytesIO(encode(picture, "PNG")))
    for image in (opened, picture, picture.convert("P")):
        before = image.mode, image.size, dict(image.info)
        decode(image)
        assert np.array_equal(decode(image), np.asarray(image.convert("RGB")))
        assert (image.mode, image.size, image.info) == before


def test_pixels_that_were_changed_in_pillow_are_the_ones_that_count(picture):
    image = Image.open(io.BytesIO(encode(picture, "WEBP", lossless=True)))
    image.load()
    image.putpixel((0, 0), (1, 2, 3))
    assert decode(image)[0, 0].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    "source", [None, 3, 0.5, [1, 2], {"a": 1}, object(), np.float32(3), decode], ids=lambda s: type(s).__name__
)
def test_what_can_be_no_image_is_refused_by_type(source):
    with pytest.raises(ImageError, match="is not an image") as caught:
        decode(source)
    assert "a path" in caught.value.hint


def test_streams_of_text_and_ends_of_streams_are_refused(picture, tmp_path):
    path = tmp_path / "picture.png"
    picture.save(path)
    with path.open(encoding="latin-1") as file, pytest.raises(ImageError, match="not yield bytes") as caught:
        decode(file)
    assert "open(path, 'rb')" in caught.value.hint
    with path.open("rb") as file:
        file.read()
        with pytest.raises(ImageError, match=r"picture\.png: the file is empty"):
            decode(file)


def test_a_pillow_image_whose_file_is_closed_is_refused(picture, tmp_path):
    path = tmp_path / "picture.png"
    picture.save(path)
    with Image.open(path) as image:
        pass
    with pytest.raises(ImageError, match=r"picture\.png: .*closed"):
        decode(image)


@pytest.mark.parametrize("mode", ["I", "F"])
def test_pillow_images_without_a_stated_white_are_refused(mode):
    for image in (Image.new(mode, (2, 2)), Image.new(mode, (2, 2), 255)):
        with pytest.raises(ImageError, match="no stated white level"):
            decode(image)


# Clear errors


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not an image"),
        (b"The patient has a mole on the back.", "not an image"),
        (b"<html><body>404 Not Found</body></html>", "not an image"),
        (b"\xff\xd8\xff\xe0" + bytes(100), "damaged|not an image"),
    ],
    ids=["empty", "text", "web page", "header alone"],
)
def test_what_is_no_image_is_refused_by_name(content, reason, tmp_path):
    path = tmp_path / "lesion.jpg"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=rf"lesion\.jpg: .*({reason})") as caught:
        decode(path)
    assert caught.value.hint


def test_corrupt_jpeg_is_refused(picture, tmp_path):
    path = tmp_path / "corrupt.jpg"
    data = bytearray(encode(picture, "JPEG"))
    start = data.index(b"\xff\xda")  # from the first scan on, nothing makes sense
    data[start + 2 :] = bytes(len(data) - start - 2)
    path.write_bytes(bytes(data))
    with pytest.raises(ImageError, match=r"corrupt\.jpg: damaged or truncated"):
        decode(path)


def test_corrupt_png_is_refused(picture, tmp_path):
    path = tmp_path / "corrupt.png"
    data = bytearray(encode(picture, "PNG"))
    data[data.index(b"IDAT") + 6] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(ImageError, match=r"corrupt\.png: damaged or truncated"):
        decode(path)


def test_a_damaged_pillow_image_is_refused(picture):
    data = encode(picture, "PNG")
    with pytest.raises(ImageError, match="the given image: damaged or truncated"):
        decode(Image.open(io.BytesIO(data[: len(data) - 30])))


def test_a_large_image_below_the_limit_is_tried():
    # It holds fewer pixels than it promises, so it ends as a damaged file and not as a bomb.
    with pytest.raises(ImageError, match="damaged or truncated"):
        decode(png_header(4_000, 2_000))


def test_absent_files_and_folders_are_said_to_be_so(tmp_path):
    with pytest.raises(ImageError, match=r"nowhere\.jpg: there is no such file"):
        decode(tmp_path / "nowhere.jpg")
    with pytest.raises(ImageError, match="this is a folder"):
        decode(tmp_path)
    file = tmp_path / "file"
    file.write_bytes(b"")
    with pytest.raises(ImageError, match="can't be read"):
        decode(file / "below.jpg")


@pytest.mark.parametrize(
    ("content", "name", "hint"),
    [
        (b"\0\0\0\x18ftypheic", "HEIC", "as JPEG"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000", "Convert it"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "PostScript", "Convert it"),
        (b"P6 1 1 255 abc", "netpbm", "Convert it"),
    ],
)
def test_other_image_formats_are_named_with_the_next_step(content, name, hint, tmp_path):
    path = tmp_path / "lesion.jpg"
    path.write_bytes(content)
    for source in (path, content, io.BytesIO(content)):
        with pytest.raises(ImageError, match=f"{name} files are not supported") as caught:
            decode(source)
        assert hint in caught.value.hint
    unknown = tmp_path / "lesion.HEIC"
    unknown.write_bytes(b"something else")
    with pytest.raises(ImageError, match="HEIC files are not supported"):
        decode(unknown)


def test_postscript_never_reaches_ghostscript(monkeypatch):
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *a, **k: pytest.fail("Ghostscript was called"))
    eps = encode(Image.new("RGB", (8, 8)), "EPS")
    for source in (eps, Image.open(io.BytesIO(eps))):
        with pytest.raises(ImageError, match="PostScript files are not supported"):
            decode(source)


def test_nothing_in_the_package_opens_images_by_another_way():
    package = Path(lentigo.__file__).parent
    loose = re.compile(r"Image\.open\(|cv2\.im(read|decode)|plt\.imread|imageio|decode_image\(|read_image\(")
    found = [str(path) for path in package.rglob("*.py") if loose.search(path.read_text(encoding="utf-8"))]
    assert found == []


@pytest.mark.parametrize(("width", "height"), [(20_000, 20_000), (8_001, 8_000), (100_000, 1_000), (0, 5)])
@pytest.mark.filterwarnings("error")
def test_bombs_are_refused_before_they_are_decoded(width, height, tmp_path):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_header(width, height))
    with pytest.raises(ImageError, match=r"bomb\.png: .*(more than the 64,000,000|0x5 pixels)"):
        decode(path)


@pytest.mark.filterwarnings("error")
def test_a_header_alone_is_read_without_a_warning_of_its_size_and_of_known_formats_only():
    assert open_header(io.BytesIO(png_header(20_000, 20_000))).size == (20_000, 20_000)
    for content in (encode(Image.new("RGB", (8, 8)), "EPS"), b"text", encode(Image.new("RGB", (8, 8)), "WEBP")):
        with pytest.raises(ImageError, match="header"):
            open_header(io.BytesIO(content))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF"])
@pytest.mark.filterwarnings("error")
def test_every_format_tells_its_size_before_it_is_decoded(kind, picture, monkeypatch):
    data = encode(picture, kind)
    monkeypatch.setattr("lentigo.runtime.codecs.limits.MAX_PIXELS", WIDTH * HEIGHT - 1)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda image: pytest.fail("it was decoded"))
    monkeypatch.setattr("simplejpeg.decode_jpeg", lambda *a, **k: pytest.fail("it was decoded"))
    with pytest.raises(ImageError, match="40x24 pixels is more than") as caught:
        decode(data)
    assert caught.value.hint == "Downscale it first."
    for source in (picture, np.asarray(picture)):
        with pytest.raises(ImageError, match="40x24 pixels is more than"):
            decode(source)


def test_files_that_are_too_long_are_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "MAX_BYTES", 100)
    path = tmp_path / "long.png"
    path.write_bytes(b"\x89PNG" + bytes(97))
    with pytest.raises(ImageError, match="limit of 100 bytes"):
        decode(path)


@pytest.mark.parametrize("name", ["a\0b.jpg", "x" * 5000, "", "caf\udce9.jpg", "lesion[/b].jpg"])
def test_hostile_names_end_in_an_image_error_that_can_be_printed(name):
    with pytest.raises(ImageError) as caught:
        decode(name)
    str(caught.value).encode("utf-8")


# Damage


@pytest.mark.filterwarnings("ignore:(Corrupt EXIF|Truncated File|Tag data|.*Metadata Warning)")
@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_any_damage_ends_in_pixels_or_in_an_image_error(data):
    content = bytearray(data.draw(st.sampled_from(SAMPLES)))
    for _ in range(data.draw(st.integers(1, 6))):
        # Half of the changes hit the header, where they matter most.
        last = data.draw(st.sampled_from([min(200, len(content)), len(content)])) - 1
        content[data.draw(st.integers(0, last))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))]
    try:
        decoded = decode(bytes(content))
    except ImageError as error:
        assert error.hint
    else:
        assert decoded.dtype == np.uint8
        assert decoded.ndim == 3
        assert decoded.shape[2] == 3


# Arrays


@pytest.mark.parametrize("shape", [(5, 4), (5, 4, 1), (5, 4, 3), (5, 4, 4)])
def test_arrays_of_one_three_and_four_channels(shape):
    values = np.full(shape, 90, dtype=np.uint8)
    if len(shape) == 3 and shape[2] == 4:
        values[..., 3] = 255
    pixels = decode(values)
    assert pixels.shape == (5, 4, 3)
    assert (pixels == 90).all()


def test_a_turned_array_becomes_contiguous():
    values = np.arange(60, dtype=np.uint8).reshape(5, 4, 3)
    pixels = decode(values[::-1])
    assert pixels.flags.c_contiguous
    assert np.array_equal(pixels, values[::-1])


@pytest.mark.parametrize(
    "values",
    [
        np.zeros((5, 4, 3), dtype=np.float32),
        np.zeros((5, 4, 3), dtype=np.int64),
        np.zeros((5, 4, 3), dtype=bool),
        np.zeros((5, 4, 3), dtype=np.uint16),
        np.zeros(5, dtype=np.uint8),
        np.zeros((2, 5, 4, 3), dtype=np.uint8),
        np.zeros((0, 4, 3), dtype=np.uint8),
        np.zeros((5, 4, 2), dtype=np.uint8),
        np.zeros((3, 5, 40), dtype=np.uint8),
    ],
    ids=lambda v: f"{v.dtype}{list(v.shape)}",
)
def test_arrays_that_are_no_images_are_refused(values):
    with pytest.raises(ImageError, match="is not an image") as caught:
        decode(values)
    assert caught.value.hint
