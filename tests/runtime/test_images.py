import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lentigo.errors import ImageError
from lentigo.runtime import images
from lentigo.runtime.images import decode

WIDTH, HEIGHT = 40, 24


@pytest.fixture
def picture() -> Image.Image:
    """Red left half, blue right half, so that turning and swapping of channels shows."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
    pixels[:, : WIDTH // 2, 0] = 200
    pixels[:, WIDTH // 2 :, 2] = 100
    return Image.fromarray(pixels)


def encode(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises a size and holds almost nothing."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(10_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


# The correct results


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP", "GIF"])
def test_lossless_formats_are_read_exactly(picture, kind, tmp_path):
    path = tmp_path / "picture"  # the content tells the format, not the name
    path.write_bytes(encode(picture, kind, **({"lossless": True} if kind == "WEBP" else {})))
    pixels = decode(path)
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, np.asarray(picture))


def test_every_kind_of_source_gives_the_same_pixels(picture, tmp_path):
    path = tmp_path / "picture.png"
    picture.save(path)
    expected = np.asarray(picture)
    for source in (path, str(path), path.read_bytes(), picture, expected):
        assert np.array_equal(decode(source), expected)


def test_jpeg_is_read_in_rgb_order(picture):
    pixels = decode(encode(picture, "JPEG", quality=95))
    assert np.abs(pixels[12, 5].astype(int) - [200, 0, 0]).max() < 10
    assert np.abs(pixels[12, 35].astype(int) - [0, 0, 100]).max() < 10


def test_one_pixel_is_an_image():
    assert decode(encode(Image.new("RGB", (1, 1), (1, 2, 3)), "PNG")).tolist() == [[[1, 2, 3]]]


def test_grey_is_spread_over_three_channels():
    assert decode(encode(Image.new("L", (3, 2), 77), "PNG")).tolist() == [[[77] * 3] * 3] * 2


def test_cmyk_is_converted(picture):
    pixels = decode(encode(picture.convert("CMYK"), "JPEG", quality=95))
    assert pixels.shape == (HEIGHT, WIDTH, 3)
    assert np.abs(pixels[12, 5].astype(int) - [200, 0, 0]).max() < 10


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_keeps_its_high_bits(kind):
    deep = np.array([[0, 255, 256, 65535]], dtype=np.uint16)
    assert decode(encode(Image.fromarray(deep), kind))[0, :, 0].tolist() == [0, 0, 1, 255]


def test_16_bit_grey_of_the_other_byte_order():
    deep = np.array([[0, 255, 256, 65535]], dtype=">u2")
    assert decode(Image.frombytes("I;16B", (4, 1), deep.tobytes()))[0, :, 0].tolist() == [0, 0, 1, 255]


@pytest.mark.parametrize(("values", "expected"), [([0, 100, 255], [0, 100, 255]), ([0, 256, 65535], [0, 1, 255])])
def test_32_bit_grey_holds_8_or_16_bits(values, expected):
    image = Image.fromarray(np.array([values], dtype=np.int32))
    assert image.mode == "I"
    assert decode(image)[0, :, 0].tolist() == expected


@pytest.mark.parametrize(
    ("values", "expected"), [([0.0, 0.5, 1.0], [0, 127, 255]), ([0.0, 100.0, 300.0], [0, 100, 255])]
)
def test_real_grey_is_scaled(values, expected):
    assert decode(encode(Image.fromarray(np.array([values], dtype=np.float32)), "TIFF"))[0, :, 0].tolist() == expected


def test_a_grey_of_nothing_but_nan_is_black():
    assert not decode(Image.fromarray(np.full((2, 2), np.nan, dtype=np.float32))).any()


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


def test_of_an_animation_the_first_picture_is_taken(picture):
    data = encode(picture, "GIF", save_all=True, append_images=[Image.new("RGB", picture.size, (0, 255, 0))])
    assert Image.open(io.BytesIO(data)).n_frames == 2
    assert np.array_equal(decode(data), np.asarray(picture))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    ("flag", "operation"),
    [
        (3, Image.Transpose.ROTATE_180),
        (6, Image.Transpose.ROTATE_270),
        (8, Image.Transpose.ROTATE_90),
        (2, Image.Transpose.FLIP_LEFT_RIGHT),
    ],
)
def test_rotation_flags_are_applied(picture, kind, flag, operation):
    exif = Image.Exif()
    exif[0x0112] = flag
    pixels = decode(encode(picture, kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {})))
    upright = np.asarray(picture.transpose(operation))
    assert pixels.shape == upright.shape
    assert np.abs(pixels.astype(int) - upright).mean() < 5


def test_broken_exif_does_not_cost_the_picture(picture):
    assert decode(encode(picture, "JPEG", exif=b"Exif\0\0not a tiff header")).shape == (HEIGHT, WIDTH, 3)


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


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "TIFF", "WEBP"])
def test_truncated_files_are_refused(picture, kind, tmp_path):
    path = tmp_path / "cut.jpg"
    data = encode(picture, kind)
    path.write_bytes(data[: int(len(data) * 0.7)])
    with pytest.raises(ImageError, match=r"cut\.jpg: .*(damaged or truncated|not an image)"):
        decode(path)


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


@pytest.mark.parametrize(("width", "height"), [(20_000, 20_000), (8_001, 8_000), (100_000, 1_000)])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_bombs_are_refused_before_they_are_decoded(width, height, tmp_path, monkeypatch):
    monkeypatch.setattr(images, "_to_rgb", lambda image: pytest.fail("a bomb was decoded"))
    path = tmp_path / "bomb.png"
    path.write_bytes(png_header(width, height))
    with pytest.raises(ImageError, match=r"bomb\.png: .*(more than the 64,000,000|too large to decode)") as caught:
        decode(path)
    assert caught.value.hint == "Scale it down first."


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


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_any_damage_ends_in_pixels_or_in_an_image_error(data):
    kind = data.draw(st.sampled_from(["JPEG", "PNG", "BMP", "WEBP", "GIF"]))
    pixels = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    content = bytearray(encode(Image.fromarray(pixels), kind))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)))]
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
