"""Colours that a file states are read rightly; what it leaves open is refused."""

import io
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
import skimage
from PIL import Image, ImageCms

from lentigo.errors import ImageError
from lentigo.runtime.colour import ADOBE_RGB_GAMMA, ADOBE_RGB_PRIMARIES, SRGB_PRIMARIES, cielab, make_profile
from lentigo.runtime.images import decode
from tests.runtime.made import PROPHOTO, encode, grey_profile, ink_profile, png, tiff

PHOTOGRAPHS = Path(skimage.__file__).parent / "data"
SKIN = np.array([[[200, 150, 130], [120, 70, 60], [255, 255, 255], [0, 0, 0], [90, 90, 90], [30, 140, 220]]], np.uint8)


def expected(values: np.ndarray, gamma: float, primaries) -> np.ndarray:
    """The conversion to sRGB by the textbook, for primaries around D65."""

    def to_xyz(points):
        white, *colours = [np.array([x / y, 1, (1 - x - y) / y]) for x, y in np.reshape(points, (4, 2))]
        columns = np.stack(colours, axis=1)
        return columns * np.linalg.solve(columns, white)

    linear = (values / 255.0) ** gamma @ (np.linalg.inv(to_xyz(SRGB_PRIMARIES)) @ to_xyz(primaries)).T
    linear = np.clip(linear, 0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.fixture(scope="module")
def adobe() -> bytes:
    return make_profile(ADOBE_RGB_GAMMA, ADOBE_RGB_PRIMARIES)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG"])
def test_an_embedded_profile_is_converted_to_srgb(kind, adobe):
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}}.get(kind, {})
    large = np.repeat(np.repeat(SKIN, 16, axis=0), 16, axis=1)
    pixels = decode(encode(Image.fromarray(large), kind, icc_profile=adobe, **options))[8, 8::16]
    right = expected(SKIN[0], ADOBE_RGB_GAMMA, ADOBE_RGB_PRIMARIES)
    assert np.abs(pixels - right).max() <= (4 if kind == "JPEG" else 1.5)
    assert np.abs(right - SKIN[0]).max() > 15  # what ignoring the profile would cost


def test_the_profile_of_a_bmp_is_converted_to_srgb(adobe):
    row = SKIN[..., ::-1].tobytes()
    info = struct.pack("<IiiHHIIiiII", 124, 6, 1, 1, 24, 0, len(row) + 2, 0, 0, 0, 0)
    info += bytes(16) + b"DEBM" + bytes(48) + struct.pack("<IIII", 4, 124 + len(row) + 2, len(adobe), 0)
    body = b"BM" + struct.pack("<IHHI", 14 + 124 + len(row) + 2 + len(adobe), 0, 0, 14 + 124) + info
    pixels = decode(body + row + bytes(2) + adobe)
    assert np.abs(pixels[0] - expected(SKIN[0], ADOBE_RGB_GAMMA, ADOBE_RGB_PRIMARIES)).max() <= 1.5


def test_wide_primaries_around_another_white_keep_greys_grey():
    pixels = decode(encode(Image.fromarray(SKIN), "PNG", icc_profile=make_profile(1.8, PROPHOTO)))
    assert np.abs(np.ptp(pixels[0, 2:5].astype(int), axis=1)).max() <= 1
    assert pixels[0, 0, 0] - pixels[0, 0, 2] > 200 - 130 + 20  # the same numbers mean far stronger colours


@pytest.mark.parametrize("profile", ["made", "lcms"])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_an_srgb_profile_changes_no_bit(profile, kind, adobe):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    plain, marked = (encode(Image.fromarray(noise), kind, **o) for o in ({}, {"icc_profile": profile}))
    assert np.array_equal(decode(marked), decode(plain))


@pytest.mark.parametrize("name", ["astronaut.png", "hubble_deep_field.jpg"])
def test_photographs_with_the_usual_srgb_profile_stay_as_they_are(name):
    path = PHOTOGRAPHS / name
    with Image.open(path) as image:
        assert b"IEC61966-2.1" in image.info["icc_profile"]
        assert np.array_equal(decode(path), np.asarray(image.convert("RGB")))


def test_a_photograph_in_adobe_rgb_is_converted():
    path = PHOTOGRAPHS / "rocket.jpg"
    with Image.open(path) as image:
        assert b"Adobe RGB" in image.info["icc_profile"]
        right = expected(np.asarray(image), ADOBE_RGB_GAMMA, ADOBE_RGB_PRIMARIES)
    assert np.abs(decode(path) - right).max() <= 3


def test_transparent_pixels_keep_their_alpha_through_a_profile(adobe):
    image = Image.fromarray(np.dstack([SKIN, np.array([[255, 0, 255, 255, 128, 255]], np.uint8)]), "RGBA")
    pixels = decode(encode(image, "PNG", icc_profile=adobe))
    right = expected(SKIN[0], ADOBE_RGB_GAMMA, ADOBE_RGB_PRIMARIES)
    assert np.abs(pixels[0, 0] - right[0]).max() <= 1.5
    assert pixels[0, 1].tolist() == [255, 255, 255]
    assert np.abs(pixels[0, 4] - (right[4] + 255) / 2).max() <= 2


def test_a_palette_goes_through_its_profile(adobe):
    image = Image.fromarray(SKIN).quantize(6)
    pixels = decode(encode(image, "PNG", icc_profile=adobe))
    right = expected(np.asarray(image.convert("RGB"))[0], ADOBE_RGB_GAMMA, ADOBE_RGB_PRIMARIES)
    assert np.abs(pixels[0] - right).max() <= 1.5


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_grey_goes_through_a_grey_profile(kind):
    image = Image.new("L", (16, 16), 128)
    pixels = decode(encode(image, kind, icc_profile=grey_profile(1.0)))
    assert np.abs(pixels.astype(int) - 188).max() <= 1  # half the light


def test_grey_with_an_rgb_profile_counts_as_equal_channels(adobe):
    pixels = decode(encode(Image.new("L", (2, 2), 90), "PNG", icc_profile=make_profile(1.0, SRGB_PRIMARIES)))
    assert np.abs(pixels.astype(int) - 160).max() <= 1


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_inks_go_through_their_profile(kind):
    inks = [(0, 0, 0, 0), (0, 0, 0, 255), (0, 0, 255, 0), (255, 255, 255, 0)]
    for ink in inks:
        options = {"quality": 100} if kind == "JPEG" else {}
        pixels = decode(encode(Image.new("CMYK", (16, 16), ink), kind, icc_profile=ink_profile(), **options))
        by_lcms = ImageCms.profileToProfile(
            Image.new("CMYK", (1, 1), ink),
            ImageCms.ImageCmsProfile(io.BytesIO(ink_profile())),
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        assert np.abs(pixels[8, 8].astype(int) - by_lcms.getpixel((0, 0))).max() <= 2
    assert decode(encode(Image.new("CMYK", (8, 8)), kind, icc_profile=ink_profile())).min() >= 250  # bare paper
    black = Image.new("CMYK", (8, 8), (0, 0, 0, 255))
    assert decode(encode(black, kind, icc_profile=ink_profile())).max() <= 5


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_inks_without_a_profile_are_refused(kind):
    with pytest.raises(ImageError, match="CMYK without a colour profile") as caught:
        decode(encode(Image.fromarray(SKIN).convert("CMYK"), kind))
    assert caught.value.hint == "Export the image again, in sRGB."
    with pytest.raises(ImageError, match="CMYK without"):
        decode(Image.new("CMYK", (2, 2)))


@pytest.mark.parametrize(
    "profile",
    [b"no profile", bytes(300), make_profile(2.2, SRGB_PRIMARIES)[:140], make_profile(2.2, SRGB_PRIMARIES)[:128]],
    ids=["text", "zeros", "cut", "header alone"],
)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG", "WEBP"])
def test_damaged_profiles_are_refused(profile, kind):
    with pytest.raises(ImageError, match="profile is damaged"):
        decode(encode(Image.fromarray(SKIN), kind, icc_profile=profile))


@pytest.mark.parametrize(
    ("mode", "profile"), [("RGB", grey_profile(2.2)), ("RGB", ink_profile()), ("L", ink_profile())]
)
def test_a_profile_for_another_kind_of_colour_is_refused(mode, profile):
    with pytest.raises(ImageError, match="pixels with a colour profile for"):
        decode(encode(Image.new(mode, (2, 2)), "PNG", icc_profile=profile))


def test_a_jpeg_that_lost_a_piece_of_its_profile_is_refused(adobe):
    data = encode(Image.fromarray(SKIN), "JPEG", icc_profile=adobe)
    place = data.index(b"ICC_PROFILE\0") + 12
    assert data[place : place + 2] == b"\1\1"
    with pytest.raises(ImageError, match="part of its colour profile is missing"):
        decode(data[: place + 1] + b"\2" + data[place + 2 :])


def test_exif_marks_adobe_rgb_without_a_profile():
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA001] = 0xFFFF
    exif.get_ifd(0x8769)[0xA005] = {1: "R03"}
    large = np.repeat(np.repeat(SKIN, 16, axis=0), 16, axis=1)
    data = encode(Image.fromarray(large), "JPEG", quality=100, subsampling=0, exif=exif)
    right = expected(SKIN[0], ADOBE_RGB_GAMMA, ADOBE_RGB_PRIMARIES)
    assert np.abs(decode(data)[8, 8::16] - right).max() <= 4
    usual = Image.Exif()
    usual.get_ifd(0x8769)[0xA005] = {1: "R98"}
    plain = encode(Image.fromarray(large), "JPEG", quality=100, subsampling=0)
    assert np.array_equal(
        decode(encode(Image.fromarray(large), "JPEG", quality=100, subsampling=0, exif=usual)), decode(plain)
    )


def test_a_png_may_state_its_gamma_and_primaries():
    rows = [SKIN.tobytes()]
    chroma = (b"cHRM", struct.pack(">8I", *(round(v * 100_000) for v in ADOBE_RGB_PRIMARIES)))
    linear, usual = (b"gAMA", struct.pack(">I", 100_000)), (b"gAMA", struct.pack(">I", 45_455))
    assert np.abs(decode(png(rows, 6, 8, 2, linear))[0] - expected(SKIN[0], 1, SRGB_PRIMARIES)).max() <= 1.5
    pixels = decode(png(rows, 6, 8, 2, usual, chroma))
    assert np.abs(pixels[0] - expected(SKIN[0], 2.2, ADOBE_RGB_PRIMARIES)).max() <= 1.5
    assert np.array_equal(decode(png(rows, 6, 8, 2, usual)), SKIN)
    assert np.array_equal(decode(png(rows, 6, 8, 2, (b"sRGB", b"\0"), linear)), SKIN)  # sRGB counts first
    assert np.array_equal(decode(png(rows, 6, 8, 2, (b"cICP", bytes([1, 13, 0, 1])), linear)), SKIN)
    with pytest.raises(ImageError, match="video or HDR"):
        decode(png(rows, 6, 8, 2, (b"cICP", bytes([9, 16, 0, 1]))))
    for nonsense in ((b"gAMA", bytes(4)), (b"cHRM", bytes(32))):
        with pytest.raises(ImageError):
            decode(png(rows, 6, 8, 2, nonsense))


def test_a_gif_with_a_profile_is_refused():
    data = encode(Image.fromarray(SKIN), "GIF")
    block = b"\x21\xff\x0bICCRGBG1012\x01\x00\x00"
    with pytest.raises(ImageError, match="GIF with a colour profile"):
        decode(data.replace(b"\x2c", block + b"\x2c", 1))


@pytest.mark.parametrize("mode", ["HSV", "YCbCr"])
def test_pillow_images_of_other_colour_models_are_converted(mode):
    image = Image.fromarray(SKIN).convert(mode)
    assert np.array_equal(decode(image), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize(
    ("lab", "rgb"),
    [
        ((0, 0, 0), (0, 0, 0)),
        ((255, 0, 0), (255, 255, 255)),
        ((136, 0, 0), (127, 127, 127)),
        ((138, 81, 70), (254, 0, 0)),
    ],
    ids=["black", "white", "grey", "red"],
)
def test_lab_is_converted(lab, rgb):
    raw = bytes(lab)  # L* from 0 to 255 and a*, b* as signed bytes, as TIFF has them
    assert np.abs(decode(Image.frombytes("LAB", (1, 1), raw))[0, 0].astype(int) - rgb).max() <= 5
    stored = tiff({256: 1, 257: 1, 258: (8, 8, 8), 259: 1, 262: 8, 277: 3, 278: 1}, raw)
    assert np.abs(decode(stored)[0, 0].astype(int) - rgb).max() <= 5


@pytest.mark.parametrize("quality", [30, 95])
@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"subsampling": 0}, {"subsampling": 1}, {"optimize": True}]
)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_plain_jpeg_has_pillows_pixels_to_the_bit(quality, options, mode):
    rng = np.random.default_rng(1)
    smooth = Image.fromarray(rng.integers(0, 256, (9, 7, 3), dtype=np.uint8)).resize((123, 87)).convert(mode)
    data = encode(smooth, "JPEG", quality=quality, **options)
    with Image.open(io.BytesIO(data)) as image:
        assert np.array_equal(decode(data), np.asarray(image.convert("RGB")))


def test_a_jpeg_that_stores_rgb_is_read_as_rgb():
    large = np.repeat(np.repeat(SKIN, 16, axis=0), 16, axis=1)
    data = encode(Image.fromarray(large), "JPEG", quality=100, keep_rgb=True)
    assert np.abs(decode(data).astype(int) - large).max() <= 3


def test_simplejpeg_is_asked_for_exact_pixels(monkeypatch):
    seen = {}
    real = simplejpeg.decode_jpeg

    def spy(data, *args, **options):
        seen.update(options)
        return real(data, *args, **options)

    monkeypatch.setattr(simplejpeg, "decode_jpeg", spy)
    decode(encode(Image.fromarray(SKIN), "JPEG"))
    assert seen == {"strict": True}  # and no fast, inexact transform


def test_many_threads_may_share_a_profile(adobe):
    data = encode(Image.fromarray(np.repeat(np.repeat(SKIN, 40, axis=0), 40, axis=1)), "PNG", icc_profile=adobe)
    alone = decode(data)
    with ThreadPoolExecutor(8) as pool:
        assert all(np.array_equal(pixels, alone) for pixels in pool.map(decode, [data] * 64))


def test_cielab_of_known_colours():
    """Reference values of CIE 15 for sRGB under D65."""
    rgb = np.array([[255, 255, 255], [0, 0, 0], [255, 0, 0], [0, 0, 255], [119, 119, 119]], dtype=np.uint8)
    expected = [[100, 0, 0], [0, 0, 0], [53.24, 80.09, 67.20], [32.30, 79.19, -107.86], [50.03, 0, 0]]
    assert cielab(rgb) == pytest.approx(np.array(expected), abs=0.05)
