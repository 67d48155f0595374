"""Depth, polarity, transparency and several pictures, format by format; and damage that Pillow passes over."""

import io
import re
import struct
import zlib

import cv2
import numpy as np
import PIL
import pytest
import simplejpeg
import tifffile
from PIL import Image

from lentigo.errors import ImageError
from lentigo.runtime.codecs import limits
from lentigo.runtime.codecs.header import picture_size
from lentigo.runtime.images import decode
from tests.runtime.made import chunk, encode, png, tiff

RNG = np.random.default_rng(0)
GREY8 = RNG.integers(0, 256, (18, 23), dtype=np.uint8)
GREY16 = RNG.integers(0, 65536, (18, 23), dtype=np.uint16)
RGB8 = RNG.integers(0, 256, (18, 23, 3), dtype=np.uint8)
RGB16 = RNG.integers(0, 65536, (18, 23, 3), dtype=np.uint16)


def spread(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[..., None], 3, axis=2)


def high(values: np.ndarray) -> np.ndarray:
    return (values >> 8).astype(np.uint8)


def planes(values: np.ndarray) -> np.ndarray:
    return np.moveaxis(values, 2, 0).copy()


def write(values: np.ndarray, **options) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, values, **options)
    return file.getvalue()


def photo(size=(200, 150)) -> Image.Image:
    small = np.random.default_rng(3).integers(0, 256, (15, 20, 3), dtype=np.uint8)
    return Image.fromarray(small).resize(size)


@pytest.fixture(scope="module")
def plain():
    return encode(photo(), "JPEG", quality=90)


@pytest.fixture(scope="module")
def progressive():
    return encode(photo(), "JPEG", quality=90, progressive=True)


class TestTiff:
    @pytest.fixture(params=["<", ">"])
    def order(self, request):
        return request.param

    @pytest.fixture(
        params=[{}, {"rowsperstrip": 5}, {"tile": (16, 16)}, {"compression": "zlib", "predictor": 2}], ids=str
    )
    def layout(self, request, order):
        return {"byteorder": order, **request.param}

    @pytest.mark.parametrize("polarity", ["minisblack", "miniswhite"])
    def test_grey_of_8_and_16_bits_of_both_polarities(self, layout, polarity):
        right8, right16 = (GREY8, GREY16) if polarity == "minisblack" else (255 - GREY8, 65535 - GREY16)
        assert np.array_equal(decode(write(GREY8, photometric=polarity, **layout)), spread(right8))
        assert np.array_equal(decode(write(GREY16, photometric=polarity, **layout)), spread(high(right16)))

    def test_rgb_of_8_and_16_bits_interleaved_and_in_planes(self, layout):
        for values, right in ((RGB8, RGB8), (RGB16, high(RGB16))):
            assert np.array_equal(decode(write(values, photometric="rgb", planarconfig="contig", **layout)), right)
            stored = write(planes(values), photometric="rgb", planarconfig="separate", **layout)
            assert np.array_equal(decode(stored), right)

    @pytest.mark.parametrize("alpha", ["unassalpha", "assocalpha", "unspecified"])
    def test_transparency_is_laid_on_white_and_other_channels_are_ignored(self, alpha):
        opacity = GREY8[..., None]
        colour = RGB8 // 2 if alpha != "assocalpha" else (RGB8 / 255 * opacity / 2).astype(np.uint8)
        stored = write(np.dstack([colour, opacity]), photometric="rgb", planarconfig="contig", extrasamples=[alpha])
        over = {"unassalpha": colour * (opacity / 255.0), "assocalpha": colour, "unspecified": colour}[alpha]
        right = over if alpha == "unspecified" else over + 255 * (1 - opacity / 255.0)
        assert np.abs(decode(stored) - right).max() <= 1.6

    @pytest.mark.parametrize("polarity", [0, 1])
    @pytest.mark.parametrize("bits", [1, 2, 4])
    def test_few_bits(self, bits, polarity):
        levels = np.arange(8 // bits) % 2**bits
        packed = int("".join(f"{v:0{bits}b}" for v in levels), 2).to_bytes(1, "big")
        right = levels * 255 // (2**bits - 1)
        stored = tiff({256: len(levels), 257: 1, 258: bits, 259: 1, 262: polarity, 278: 1}, packed)
        assert decode(stored)[0, :, 0].tolist() == (right if polarity else 255 - right).tolist()

    def test_12_bits_that_are_stated_keep_their_high_bits(self):
        packed = bytes([0xFF, 0xF0, 0x00, 0x80, 0x01, 0x23])  # 4095, 0, 2048, 291
        stored = tiff({256: 4, 257: 1, 258: 12, 259: 1, 262: 1, 278: 1}, packed)
        assert decode(stored)[0, :, 0].tolist() == [255, 0, 128, 18]

    @pytest.mark.parametrize("bits", [8, 10, 12, 14])
    def test_fewer_bits_passed_off_as_16_are_refused(self, bits, layout):
        for values, kind in ((GREY16, "minisblack"), (GREY16, "miniswhite"), (RGB16, "rgb")):
            with pytest.raises(ImageError, match="lowest quarter"):
                decode(write(values >> (16 - bits), photometric=kind, **layout))
        with pytest.raises(ImageError, match="lowest quarter"):
            decode(write(planes(RGB16 >> (16 - bits)), photometric="rgb", planarconfig="separate", **layout))

    @pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "uint32", "uint64", "float16", "float32", "float64"])
    @pytest.mark.parametrize("values", [GREY8, RGB8], ids=["grey", "rgb"])
    def test_numbers_without_a_stated_white_are_refused(self, dtype, values):
        kind = "rgb" if values.ndim == 3 else "minisblack"
        with pytest.raises(ImageError, match=r"aren't stated|bits a channel, which isn't supported") as caught:
            decode(write((values / 255).astype(dtype) if "float" in dtype else values.astype(dtype), photometric=kind))
        assert caught.value.hint.startswith("Save it as PNG")

    @pytest.mark.parametrize("name", ["tiff_lzw", "packbits", "tiff_adobe_deflate", "lzma", "zstd"])
    def test_lossless_compressions(self, name):
        try:
            data = encode(Image.fromarray(RGB8), "TIFF", compression=name)
        except (OSError, RuntimeError):
            pytest.skip("this Pillow can't write it")
        assert np.array_equal(decode(data), RGB8)

    def test_jpeg_inside_is_read_and_its_damage_refused(self):
        data = encode(photo(), "TIFF", compression="jpeg", quality=90)
        with Image.open(io.BytesIO(data)) as image:
            assert np.array_equal(decode(data), np.asarray(image.convert("RGB")))
        holed = bytearray(data)
        middle = len(data) // 2
        holed[middle : middle + 300] = bytes(300)
        with pytest.raises(ImageError, match="damaged"):
            decode(bytes(holed))

    def test_ycbcr_is_converted_or_refused(self):
        tags = {256: 23, 257: 18, 258: (8, 8, 8), 259: 1, 262: 6, 277: 3, 278: 18}
        right = np.asarray(Image.frombytes("YCbCr", (23, 18), RGB8.tobytes()).convert("RGB"))
        if int(PIL.__version__.split(".")[0]) >= 13:  # earlier ones take it for truncated, and it is refused
            assert np.array_equal(decode(tiff(tags | {530: (1, 1)}, RGB8.tobytes())), right)
        for subsampling in ({}, {530: (2, 2)}, {530: (2, 1)}):
            with pytest.raises(ImageError, match="subsampled"):
                decode(tiff(tags | subsampling, RGB8.tobytes()))

    def test_a_palette_of_16_bits_keeps_its_high_bytes(self):
        colours = RNG.integers(0, 65536, (3, 256), dtype=np.uint16)
        assert np.array_equal(decode(write(GREY8, photometric="palette", colormap=colours)), high(colours.T[GREY8]))

    @pytest.mark.parametrize("large", [False, True])
    def test_several_pages_are_refused_unless_they_are_small_copies(self, large):
        with pytest.raises(ImageError, match="several pictures"):
            decode(write(np.stack([GREY8, GREY8]), photometric="minisblack", bigtiff=large))
        file = io.BytesIO()
        with tifffile.TiffWriter(file, bigtiff=large) as writer:
            writer.write(RGB8, photometric="rgb")
            writer.write(RGB8[::2, ::2], photometric="rgb", subfiletype=1)
        assert np.array_equal(decode(file.getvalue()), RGB8)

    def test_camera_raw_and_previews_are_refused(self):
        base = {256: 23, 257: 18, 258: 8, 259: 1, 262: 1, 278: 18}
        for tags in ({254: 1}, {50706: bytes([1, 4, 0, 0])}, {262: 32803}, {262: 34892}):
            with pytest.raises(ImageError, match="camera raw"):
                decode(tiff(base | tags, GREY8.tobytes()))

    def test_kinds_that_pillow_gets_wrong_or_does_not_know_are_refused(self):
        two = np.dstack([GREY8, GREY8])
        with pytest.raises(ImageError, match="separate channels"):
            decode(write(planes(two), photometric="minisblack", planarconfig="separate", extrasamples=["unassalpha"]))
        with pytest.raises(ImageError, match="isn't supported"):
            decode(write(RGB8, photometric="icclab", planarconfig="contig"))
        for compression in (4, 6, 34712):
            with pytest.raises(ImageError, match=f"compression {compression}"):
                decode(tiff({256: 23, 257: 18, 258: 8, 259: compression, 262: 1, 278: 18}, GREY8.tobytes()))
        with pytest.raises(ImageError, match="big-endian"):
            decode(write(GREY8, photometric="minisblack", bigtiff=True, byteorder=">"))

    def test_missing_pieces_are_refused(self, layout):
        data = bytearray(write(RGB8, photometric="rgb", planarconfig="contig", **layout))
        with pytest.raises(ImageError, match="damaged"):
            decode(bytes(data[:-40]))
        tags = {256: 23, 257: 18, 258: 8, 259: 1, 262: 1, 278: 18}
        for wrong in ({279: 23 * 17}, {278: 9}, {273: 10**6}, {279: 0}, {257: 19}):
            with pytest.raises(ImageError, match="damaged"):
                decode(tiff(tags | wrong, GREY8.tobytes()))

    def test_a_deflated_strip_whose_checksum_is_wrong_is_refused(self):
        body = bytearray(zlib.compress(GREY8.tobytes(), 0))
        body[50] ^= 1
        with pytest.raises(ImageError, match="damaged"):
            decode(tiff({256: 23, 257: 18, 258: 8, 259: 8, 262: 1, 278: 18}, bytes(body)))


class TestPng:
    @pytest.mark.parametrize(
        ("depth", "row", "values"),
        [
            (1, b"\x40", [0, 255, 0, 0]),
            (2, b"\x1b", [0, 85, 170, 255]),
            (4, b"\x0f\x35", [0, 255, 51, 85]),
            (8, bytes([0, 3, 7, 250]), [0, 3, 7, 250]),
            (16, struct.pack(">4H", 0, 770, 771, 65535), [0, 3, 3, 255]),
        ],
    )
    def test_grey_of_every_depth_with_one_transparent_value(self, depth, row, values):
        assert decode(png([row], 4, depth, 0))[0, :, 0].tolist() == values
        second = {1: 1, 2: 1, 4: 15, 8: 3, 16: 770}[depth]
        clear = decode(png([row], 4, depth, 0, (b"tRNS", struct.pack(">H", second))))[0, :, 0].tolist()
        assert clear == [values[0], 255, *values[2:]]

    @pytest.mark.parametrize(("colour", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
    def test_16_bits_a_channel_keep_their_high_bytes(self, colour, channels):
        values = np.random.default_rng(1).integers(0, 65536, (5, 7, channels), dtype=np.uint16)
        if channels in (2, 4):
            values[..., -1] = 65535
        pixels = decode(png([row.astype(">u2").tobytes() for row in values], 7, 16, colour))
        right = high(values[..., :3] if channels > 2 else values[..., :1])
        assert np.array_equal(pixels, np.broadcast_to(right, (5, 7, 3)))

    @pytest.mark.parametrize("bits", [8, 12, 14])
    def test_fewer_bits_passed_off_as_16_are_refused(self, bits):
        for colour, channels in ((0, 1), (2, 3), (6, 4)):
            values = RNG.integers(0, 2**bits, (5, 7, channels), dtype=np.uint16)
            if channels == 4:
                values[..., 3] = 65535
            with pytest.raises(ImageError, match="lowest quarter"):
                decode(png([row.astype(">u2").tobytes() for row in values], 7, 16, colour))

    def test_transparent_colours(self):
        row = bytes([1, 2, 3, 4, 5, 6])
        pixels = decode(png([row], 2, 8, 2, (b"tRNS", struct.pack(">3H", 4, 5, 6))))
        assert pixels.tolist() == [[[1, 2, 3], [255, 255, 255]]]
        palette = (b"PLTE", bytes([10, 20, 30, 40, 50, 60]))
        assert decode(png([b"\0\1"], 2, 8, 3, palette, (b"tRNS", b"\0"))).tolist() == [[[255] * 3, [40, 50, 60]]]
        with pytest.raises(ImageError, match="16 bits a channel is marked as transparent"):
            decode(png([struct.pack(">6H", *[60000] * 6)], 2, 16, 2, (b"tRNS", struct.pack(">3H", 1, 2, 3))))

    def test_every_checksum_counts_also_that_of_pixels_which_still_unpack(self):
        rows = [row.tobytes() for row in GREY8]
        body = bytearray(zlib.compress(b"".join(b"\0" + row for row in rows), 0))
        whole = png(rows, 23, 8, 0)
        place = whole.index(b"IDAT") - 4
        broken = whole[:place] + chunk(b"IDAT", bytes(body)) + chunk(b"IEND", b"")
        assert np.array_equal(decode(broken), spread(GREY8))  # whole so far
        at = broken.index(b"IDAT") + 100
        broken = broken[:at] + bytes([broken[at] ^ 1]) + broken[at + 1 :]
        with pytest.raises(ImageError, match="checksum"):
            decode(broken)

    def test_the_end_must_be_there_and_what_follows_it_is_ignored(self):
        whole = png([row.tobytes() for row in GREY8], 23, 8, 0)
        assert np.array_equal(decode(whole + b"appended"), spread(GREY8))
        for cut in (1, 12, 13, 30, 200):
            with pytest.raises(ImageError, match="damaged"):
                decode(whole[:-cut])


class TestJpeg:
    @pytest.mark.parametrize("kind", ["plain", "progressive"])
    @pytest.mark.parametrize(
        "damage",
        [
            lambda d: d[: len(d) // 2],
            lambda d: d[: len(d) // 2] + b"\xff\xd9",
            lambda d: d[: len(d) * 9 // 10] + b"\xff\xd9",
            lambda d: d[:-2],
            lambda d: d[: len(d) // 2] + d[len(d) // 2 + 300 :],
            lambda d: d[: len(d) // 2] + bytes(300) + d[len(d) // 2 + 300 :],
            lambda d: d[: len(d) // 2] + bytes(RNG.integers(0, 255, 300, dtype=np.uint8)) + d[len(d) // 2 + 300 :],
            lambda d: d[:-2] + bytes(40) + d[-2:],
        ],
        ids=["cut", "cut and ended", "cut late and ended", "no end", "hole", "zeros", "noise", "padding"],
    )
    def test_damage_inside_is_refused(self, kind, damage, request):
        with pytest.raises(ImageError, match="damaged or truncated"):
            decode(damage(request.getfixturevalue(kind)))

    @pytest.mark.parametrize("mode", ["L", "CMYK"])
    def test_damage_is_refused_in_grey_and_inks_too(self, mode):
        data = encode(photo().convert(mode), "JPEG", quality=90)
        with pytest.raises(ImageError, match="damaged or truncated"):
            decode(data[: len(data) // 2] + b"\xff\xd9")

    def test_a_progressive_file_without_any_one_of_its_scans_is_refused(self, progressive):
        starts = [found.start() for found in re.finditer(b"\xff\xda", progressive)]
        assert len(starts) > 5
        for start, end in zip(starts, [*starts[1:], len(progressive) - 2], strict=True):
            with pytest.raises(ImageError, match="damaged or truncated"):
                decode(progressive[:start] + progressive[end:])
        with pytest.raises(ImageError, match="part of its scans is missing"):
            decode(progressive[: starts[-1]] + progressive[-2:])

    def test_numbers_that_mean_nothing_in_a_plain_scan_may_be_wrong(self, plain):
        place = plain.index(b"\xff\xda") + 11
        assert plain[place : place + 3] == b"\0\x3f\0"
        phone = plain[:place] + bytes(3) + plain[place + 3 :]
        assert np.array_equal(decode(phone), decode(plain))
        with pytest.raises(ImageError, match="damaged or truncated"):
            decode(phone[: len(phone) // 2] + b"\xff\xd9")

    @pytest.mark.parametrize("code", ["444", "422", "440", "411"])
    def test_usual_subsamplings_are_read_and_others_refused_by_name(self, code):
        flat = bytearray(encode(Image.new("RGB", (64, 64), (90, 90, 90)), "JPEG", subsampling=0))
        place = flat.index(b"\xff\xc0") + 11
        for i, factor in enumerate((0x31, 0x11, 0x11)):
            flat[place + 3 * i] = factor
        with pytest.raises(ImageError, match="unusual subsampling"):
            decode(bytes(flat))
        asked = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, getattr(cv2, f"IMWRITE_JPEG_SAMPLING_FACTOR_{code}")]
        data = cv2.imencode(".jpg", np.asarray(photo((203, 151))), asked)[1].tobytes()
        with Image.open(io.BytesIO(data)) as image:
            assert np.array_equal(decode(data), np.asarray(image))

    @pytest.mark.parametrize("tail", [b"\0" * 4000, b"\xff" * 50, b"SEFT trailer of a phone", b"\xff\xd8\xff\xe1cut"])
    def test_whatever_follows_the_end_is_ignored(self, plain, progressive, tail):
        for data in (plain, progressive):
            assert np.array_equal(decode(data + tail), decode(data))

    def test_of_a_phones_pair_the_main_picture_is_read(self, plain):
        data = encode(photo(), "MPO", quality=90, save_all=True, append_images=[Image.new("RGB", (200, 150))])
        with Image.open(io.BytesIO(data)) as image:
            assert image.n_frames == 2
        assert np.array_equal(decode(data), decode(plain))

    def test_more_scans_than_any_camera_writes_are_refused(self, progressive):
        last = progressive.rindex(b"\xff\xda")
        with pytest.raises(ImageError, match="more scans"):
            decode(progressive[:last] + progressive[last:-2] * 200 + b"\xff\xd9")


class TestOthers:
    @pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
    def test_animations_are_refused(self, kind):
        frames = [Image.new("RGB", (8, 8), (0, 255, 0)), Image.new("RGB", (8, 8), (255, 0, 0))]
        with pytest.raises(ImageError, match="several pictures") as caught:
            decode(encode(photo((8, 8)), kind, save_all=True, append_images=frames))
        assert "the one that is meant" in caught.value.hint
        assert decode(encode(photo((8, 8)), kind, save_all=True)).shape == (8, 8, 3)

    @pytest.mark.parametrize("kind", ["GIF", "WEBP", "BMP", "TIFF", "PNG", "JPEG"])
    @pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.99])
    def test_an_early_end_is_refused(self, kind, part):
        data = encode(photo(), kind)
        with pytest.raises(ImageError, match=r"damaged or truncated|not an image"):
            decode(data[: int(len(data) * part)])

    def test_transparent_gif_is_laid_on_white(self):
        image = Image.new("P", (2, 1))
        image.putpalette([10, 20, 30, 40, 50, 60])
        image.putdata([0, 1])
        assert decode(encode(image, "GIF", transparency=0)).tolist() == [[[255] * 3, [40, 50, 60]]]

    @pytest.mark.parametrize("lossless", [True, False])
    @pytest.mark.parametrize("mode", ["RGB", "RGBA"])
    def test_size_of_webp_is_known_before_libwebp_makes_room(self, lossless, mode, monkeypatch):
        data = encode(photo((31, 17)).convert(mode), "WEBP", lossless=lossless)
        monkeypatch.setattr(limits, "MAX_PIXELS", 31 * 17)
        assert decode(data).shape == (17, 31, 3)
        monkeypatch.setattr(limits, "MAX_PIXELS", 31 * 17 - 1)
        monkeypatch.setattr("lentigo.runtime.codecs.simple.WebPImageFile", lambda file: pytest.fail("opened"))
        with pytest.raises(ImageError, match="31x17 pixels is more than"):
            decode(data)


class TestUpright:
    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
    @pytest.mark.parametrize("flag", range(1, 9))
    def test_all_eight_rotation_flags(self, kind, flag):
        pixels = np.zeros((16, 32, 3), np.uint8)
        pixels[:8, :16], pixels[:8, 16:], pixels[8:, :16] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
        exif = Image.Exif()
        exif[0x0112] = flag
        options = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}.get(kind, {})
        turns = {
            1: lambda p: p,
            2: lambda p: p[:, ::-1],
            3: lambda p: p[::-1, ::-1],
            4: lambda p: p[::-1],
            5: lambda p: p.swapaxes(0, 1),
            6: lambda p: np.rot90(p, -1),
            7: lambda p: p[::-1, ::-1].swapaxes(0, 1),
            8: np.rot90,
        }
        upright = turns[flag](pixels).astype(int)
        stored = decode(encode(Image.fromarray(pixels), kind, exif=exif, **options))
        assert stored.shape == upright.shape
        assert np.abs(stored - upright).max() <= 4

    @pytest.mark.parametrize("flag", range(1, 9))
    def test_a_tiff_of_16_bits_is_turned_too(self, flag):
        flat = write(GREY16, photometric="minisblack", extratags=[(274, 3, 1, flag, True)])
        shallow = write(high(GREY16), photometric="minisblack", extratags=[(274, 3, 1, flag, True)])
        assert np.array_equal(decode(flat), decode(shallow))

    @pytest.mark.parametrize("flag", [0, 9, 77])
    def test_flags_that_do_not_exist_are_ignored(self, flag):
        exif = Image.Exif()
        exif[0x0112] = flag
        assert decode(encode(photo(), "JPEG", exif=exif)).shape == (150, 200, 3)


class TestSizes:
    """The size by the header alone is that of the pixels, whichever library reads the header."""

    @pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
    @pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
    def test_of_a_jpeg(self, mode, options):
        data = encode(photo((203, 51)).convert(mode), "JPEG", **options)
        assert picture_size(data) == (203, 51)

    def test_of_a_jpeg_that_the_decoder_does_not_read(self, plain, monkeypatch):
        def unread(data):
            raise ValueError("Unsupported JPEG")

        monkeypatch.setattr(simplejpeg, "decode_jpeg_header", unread)
        assert picture_size(plain) == (200, 150)

    def test_of_a_jpeg_that_states_more_pixels_than_it_has(self, plain):
        """The limit is checked on what would be decoded, not on what comes."""
        place = plain.index(b"\xff\xc0") + 5
        assert picture_size(plain[:place] + struct.pack(">HH", 60000, 50000) + plain[place + 4 :]) == (50000, 60000)
