"""Sets of ids: exact for what they hold, compact for numbered ids, and safe against damaged texts."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lentigo.runtime import IdSet
from lentigo.runtime.fingerprints import image_identity

IDS = st.lists(st.text(max_size=12) | st.from_regex(r"ISIC_[0-9]{7}(_downsampled)?", fullmatch=True), max_size=40)


@given(IDS, IDS)
def test_members_are_members_and_others_are_not(members, others):
    known = IdSet.decode(IdSet.of(members).encode())
    assert known == IdSet.of(members)
    assert known.contains(members).all()
    images = set(map(image_identity, members))
    assert known.contains(others).tolist() == [image_identity(other) in images for other in others]
    assert len(known) == len(images)


def test_an_image_that_isic_offers_reduced_is_the_same_image():
    for one, other in (("ISIC_0001140", "ISIC_0001140_downsampled"), ("ISIC_0001140_downsampled", "ISIC_0001140")):
        assert IdSet.of([one]).contains([other]).all()
    assert not IdSet.of(["x_downsampled"]).contains(["x"]).any()


@pytest.mark.parametrize(
    "near", ["ISIC_24306", "ISIC_00024306", "ISIC_0024307", "isic_0024306", "ISIC_0024306.jpg", ""]
)
def test_ids_that_differ_a_little_are_others(near):
    assert not IdSet.of(["ISIC_0024306"]).contains([near]).any()


def test_numbered_ids_take_a_byte_in_three():
    """As many as HAM10000's training and validation part has: 70 kB as hashes of five bytes."""
    rng = random.Random(0)
    images = [f"ISIC_{24306 + i:07d}" for i in range(10015)]
    lesions = [f"HAM_{i:07d}" for i in range(7470)]
    known = IdSet.of(rng.sample(images, 8011) + rng.sample(lesions, 5960))
    assert len(known.encode()) < 3000


def test_ids_without_a_pattern_take_few_bytes_too():
    names = [f"{random.Random(i).getrandbits(128):x}x" for i in range(200)]
    assert len(IdSet.of(names).encode()) < 200 * 14


def test_sets_join():
    both = IdSet.of(["a1", "b2"]) | IdSet.of(["a3"])
    assert both.contains(["a1", "a3", "b2", "b3"]).tolist() == [True, True, True, False]


@pytest.mark.parametrize("text", ["x", "é", "~~~~~~~~", IdSet.of(["a1", "b2"]).encode()[:-6]])
def test_damaged_texts_are_errors(text):
    with pytest.raises(ValueError):
        IdSet.decode(text)
