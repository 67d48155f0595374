import io

import numpy as np
import pytest
from PIL import Image

from lentigo.runtime.perceptual import near_duplicates, perceptual_hash, perceptual_hashes


@pytest.fixture(scope="module")
def pictures(synthetic_records):
    """The first pictures of 40 lesions."""
    once = synthetic_records.table.drop_duplicates("lesion_id")["path"][:40]
    return [np.asarray(Image.open(path).convert("RGB")) for path in once]


def compressed(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=60)
    return Image.open(buffer).convert("RGB")


@pytest.mark.parametrize(
    "change",
    [
        compressed,
        lambda im: im.resize((28, 28), Image.Resampling.BICUBIC),
        lambda im: im.crop(((im.width - im.height) // 2, 0, (im.width + im.height) // 2, im.height)).resize((96, 96)),
        lambda im: im.point(lambda v: min(255, round(v * 1.1))),
    ],
    ids=["JPEG 60", "stretched to 28 px", "central square", "brighter"],
)
def test_copies_are_found_and_other_lesions_are_not(pictures, change):
    known = np.array([perceptual_hash(picture) for picture in pictures])
    copies = [perceptual_hashes(np.asarray(change(Image.fromarray(picture)))) for picture in pictures]
    found = [near_duplicates(copy, known[i : i + 1]).any() for i, copy in enumerate(copies)]
    assert np.mean(found) >= 0.9
    others = [near_duplicates(copy, np.delete(known, i)).any() for i, copy in enumerate(copies)]
    assert np.mean(others) <= 0.05


def test_bits_are_counted():
    base = np.uint64(0x0123456789ABCDEF)
    changed = np.array([base ^ np.uint64(mask) for mask in (0, 0b111, 0b1111, 1 << 63)], dtype=np.uint64)
    known = np.array([base, ~base])
    assert near_duplicates(changed, known).tolist() == [True, True, False, True]
    assert near_duplicates(changed, known, bits=0).tolist() == [True, False, False, False]
    assert near_duplicates(np.repeat(changed, 500), known).sum() == 1500
    assert near_duplicates(changed, known[:0]).tolist() == [False] * 4
    assert near_duplicates(changed[:0], known).tolist() == []


def test_the_hash_is_this_very_one():
    """Bundles carry hashes: another way of computing them would find nothing in an old bundle, and not say so."""
    rows, columns = np.mgrid[:90, :120]
    wave = 128 + 60 * np.sin(rows / 11.0) + 50 * np.cos(columns / 7.0 + rows / 29.0)
    rgb = np.stack([wave, wave * 0.8, 255 - wave], axis=2).clip(0, 255).astype(np.uint8)
    assert hex(perceptual_hash(rgb)) == "0xd0011939a0d5c074"


def test_blank_and_tiny_images_have_hashes():
    for shape in ((1, 1, 3), (2, 500, 3), (64, 64, 3)):
        assert perceptual_hash(np.full(shape, 255, np.uint8)) == 0
