"""Wrong files: the page refuses what the runtime refuses, says what to do, and stays usable."""

import io
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from lentigo.errors import ImageError
from lentigo.runtime import Classifier

NOISE = np.random.default_rng(0).integers(0, 255, (160, 200, 3), dtype=np.uint8)
SMOOTH = np.linspace((90, 60, 50), (220, 180, 170), 200 * 160).astype(np.uint8).reshape(160, 200, 3)


def saved(pixels: np.ndarray, kind: str, **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def animated(kind: str) -> bytes:
    file = io.BytesIO()
    second = Image.fromarray(SMOOTH[::-1].copy())
    Image.fromarray(SMOOTH).save(file, kind, save_all=True, append_images=[second], duration=100)
    return file.getvalue()


def cmyk() -> bytes:
    file = io.BytesIO()
    Image.fromarray(SMOOTH).convert("CMYK").save(file, "JPEG")
    return file.getvalue()


def heatmap() -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text("Software", "lentigo heat map")
    return saved(SMOOTH, "PNG", pnginfo=info)


def huge() -> bytes:
    """The header of 9,000 x 9,000 pixels, and little more."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", 9000, 9000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


JPEG, PNG = saved(SMOOTH, "JPEG"), saved(SMOOTH, "PNG")
FILES = {
    "empty.jpg": (b"", "empty"),
    "notes.jpg": (b"not an image at all, but text", "not an image"),
    "page.jpg": (b"<!doctype html><title>404</title>", "not an image"),
    "cut.jpg": (JPEG[: len(JPEG) // 2], "damaged"),
    "header-only.jpg": (JPEG[:200], "damaged"),
    "cut.png": (PNG[: len(PNG) // 2], "damaged"),
    "flipped.png": (PNG[:60] + bytes([PNG[60] ^ 1]) + PNG[61:], "damaged"),
    "cut.gif": (saved(SMOOTH, "GIF")[:900], "damaged"),
    "cut.webp": (saved(SMOOTH, "WEBP")[:90], "damaged"),
    "cut.bmp": (saved(SMOOTH, "BMP")[:5000], "damaged"),
    "film.gif": (animated("GIF"), "several pictures"),
    "film.png": (animated("PNG"), "several pictures"),
    "film.webp": (animated("WEBP"), "several pictures"),
    "print.jpg": (cmyk(), "CMYK"),
    "phone.heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(600), "HEIC"),
    "new.avif": (b"\0\0\0\x18ftypavif\0\0\0\0mif1avif" + bytes(600), "AVIF"),
    "scan.dcm": (bytes(128) + b"DICM" + bytes(600), "DICOM"),
    "drawing.svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
    "layers.psd": (b"8BPS" + bytes(600), "Photoshop"),
    "map.png": (heatmap(), "picture drawn by lentigo"),
    "huge.png": (huge(), "64000000"),
}
NOT_GRADABLE = {
    "tiny.png": (saved(SMOOTH[:20, :20], "PNG"), "20x20 pixels are fewer"),
    "blank.png": (saved(np.full((160, 200, 3), 180, np.uint8), "PNG"), "is blank"),
    "noise.png": (saved(NOISE, "PNG"), "out of distribution"),
}


@pytest.fixture(scope="session")
def classifier() -> Classifier:
    return Classifier.load(threads=1)


def test_refused_as_by_the_runtime(pocket, classifier, tmp_path):
    for name, (content, words) in FILES.items():
        with pytest.raises(ImageError):
            print(name, classifier.classify(content))
        pocket.choose({"name": name, "mimeType": "", "buffer": content})
        assert pocket.state == "failed", name
        said = pocket.page.inner_text("#result")
        assert words in said and name in said, (name, said)
    good = tmp_path / "good.png"
    good.write_bytes(PNG)
    pocket.choose(good)
    assert pocket.state == "done"


def test_not_gradable_as_by_the_runtime(pocket, classifier):
    for name, (content, words) in NOT_GRADABLE.items():
        expected = classifier.classify(content)
        assert not expected.gradable and words in "; ".join(expected.rejection_reasons)
        pocket.choose({"name": name, "mimeType": "", "buffer": content})
        found = pocket.verdict()
        assert plain(found["rejection_reasons"]) == plain(expected.rejection_reasons), name
        assert found["decision"] == "not gradable" and found["probabilities"] is None and found["risks"] is None
        assert pocket.page.locator(".risks, .diagnoses, #map-label").count() == 0
        assert "not a medical device" in pocket.page.inner_text("#notice")


def test_a_cat_is_not_gradable(pocket, classifier):
    data = pytest.importorskip("skimage.data")
    content = saved(data.chelsea(), "JPEG", quality=95)
    expected = classifier.classify(content)
    pocket.choose({"name": "cat.jpg", "mimeType": "image/jpeg", "buffer": content})
    found = pocket.verdict()
    assert found["decision"] == expected.decision == "not gradable"
    assert "out of distribution" in pocket.page.inner_text("#result")


@pytest.mark.slow
def test_48_megapixels(pocket, classifier):
    content = saved(np.asarray(Image.fromarray(SMOOTH).resize((8000, 6000))), "JPEG")
    pocket.page.set_default_timeout(60_000)
    pocket.choose({"name": "large.jpg", "mimeType": "image/jpeg", "buffer": content})
    assert pocket.verdict()["decision"] == classifier.classify(content).decision


def test_tiff_is_refused_by_name(pocket):
    """The runtime reads it; browsers don't, and the page says what to do."""
    pocket.choose({"name": "a.tif", "mimeType": "image/tiff", "buffer": saved(SMOOTH, "TIFF")})
    assert "TIFF files can't be read here" in pocket.page.inner_text("#result")


def test_two_hundred_files(pocket, tmp_path):
    """All are counted, none is dropped; one that is wrong stops no other."""
    files = []
    for i in range(200):
        files.append(tmp_path / f"{i:03d}.png")
        files[-1].write_bytes(PNG if i % 10 == 7 else b"wrong")
    pocket.page.set_default_timeout(60_000)
    pocket.choose(*files)
    assert "200 of 200" in pocket.page.inner_text("#queue-head")
    badges = pocket.page.locator(".entry .badge").all_text_contents()
    assert len(badges) == 200 and sum("not read" in b for b in badges) == 180


def test_pasting_nothing(pocket):
    pocket.page.evaluate(
        "document.dispatchEvent(new ClipboardEvent('paste', {clipboardData: new DataTransfer(), bubbles: true}))"
    )
    assert "no image" in pocket.page.inner_text("#message")


def test_pasting_and_dropping(pocket):
    make = """([kind, bytes]) => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(bytes)], "lesion.png", {type: "image/png"}));
      const event = kind === "paste" ? new ClipboardEvent("paste", {clipboardData: data, bubbles: true})
        : new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true});
      document.body.dispatchEvent(event);
    }"""
    for kind in ("paste", "drop"):
        pocket.page.evaluate(make, [kind, list(PNG)])
        pocket.page.wait_for_selector("body[data-state=done]")
        pocket.page.wait_for_selector("body:not([data-busy])")
    assert pocket.page.locator(".entry").count() == 2


def plain(reasons) -> list[str]:
    """Without decimals, which differ in the last digit."""
    return [re.sub(r"\.\d+", "", reason) for reason in reasons]


def test_the_files_are_those_of_the_issue():
    assert len(FILES) >= 20
    assert all(Path(name).suffix for name in FILES)
