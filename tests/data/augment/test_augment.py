"""What holds for every augmentation of images."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lentigo.data import augment
from lentigo.data.augment import Augmentation, Compose, Sometimes
from lentigo.errors import DataError

ALL: dict[str, Augmentation] = {
    "affine": augment.RandomAffine(),
    "blur": augment.GaussianBlur((0.01, 0.1)),
    "brightness": augment.Brightness(0.9),
    "channel_jitter": augment.ChannelJitter(0.5),
    "colour": augment.ColourJitter(0.5, 0.5, 0.5),
    "compose": Compose([augment.RandomFlip(), augment.AddHair(), augment.Contrast()]),
    "constancy": augment.ShadesOfGrey(),
    "contrast": augment.Contrast(0.9),
    "crop": augment.RandomResizedCrop(),
    "dehair": augment.RemoveHair(),
    "erasing": augment.RandomErasing(0.4),
    "flip": augment.RandomFlip(),
    "hair": augment.AddHair(),
    "randaugment": augment.RandAugment(count=3, magnitude=9),
    "rot90": augment.RandomRot90(),
    "sometimes": Sometimes(augment.RandomAffine(), 0.5),
    "white_balance": augment.WhiteBalanceShift(0.5),
}
UNDRAWN = {"constancy", "dehair"}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(count: int = 8, side: int = 24, seed: int = 0) -> torch.Tensor:
    """Random pixels as 8-bit values, black and white among them."""
    return torch.randint(256, (count, 3, side, side), generator=seeded(seed)).float() / 255


def test_every_public_augmentation_is_tested_here() -> None:
    public = {c for c in vars(augment).values() if isinstance(c, type) and issubclass(c, Augmentation)}
    assert public - {Augmentation} == {type(a) for a in ALL.values()}


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**31), count=st.integers(1, 6), side=st.integers(8, 33))
def test_shape_type_and_range_stay(name: str, seed: int, count: int, side: int) -> None:
    images = batch(count, side, seed)
    changed = ALL[name](images, seeded(seed))
    assert changed.shape == images.shape
    assert changed.dtype == torch.float32
    assert changed.isfinite().all()
    assert changed.min() >= 0
    assert changed.max() <= 1


@pytest.mark.parametrize("name", ALL)
def test_the_same_parameters_give_the_same_images(name: str) -> None:
    images = batch()
    drawn = ALL[name].draw(len(images), seeded())
    assert all(len(value) == len(images) for value in drawn.values())
    torch.testing.assert_close(ALL[name].apply(images, drawn), ALL[name].apply(images, drawn), rtol=0, atol=0)
    torch.testing.assert_close(ALL[name].apply(images, drawn), ALL[name](images, seeded()), rtol=0, atol=0)


@pytest.mark.parametrize("name", ALL)
def test_each_image_is_changed_by_its_own_parameters_alone(name: str) -> None:
    images = batch()
    drawn = ALL[name].draw(len(images), seeded())
    rows = torch.tensor([5, 2])
    part = ALL[name].apply(images[rows], {key: value[rows] for key, value in drawn.items()})
    torch.testing.assert_close(part, ALL[name].apply(images, drawn)[rows])


@pytest.mark.parametrize("name", ALL)
def test_the_generator_is_the_only_source_of_chance(name: str) -> None:
    images = batch()
    torch.manual_seed(1)
    first = ALL[name](images, seeded(3))
    torch.manual_seed(2)
    assert torch.equal(first, ALL[name](images, seeded(3)))
    if name not in UNDRAWN:
        assert not torch.equal(first, ALL[name](images, seeded(4)))


@pytest.mark.parametrize("name", ALL)
def test_the_given_images_are_left_alone(name: str) -> None:
    images = batch()
    before = images.clone()
    ALL[name](images, seeded())
    assert torch.equal(images, before)


@pytest.mark.parametrize("name", ALL)
def test_bytes_come_back_as_bytes(name: str) -> None:
    pixels = (batch() * 255).to(torch.uint8)
    changed = ALL[name](pixels, seeded())
    assert changed.dtype == torch.uint8
    exact = ALL[name](pixels.float() / 255, seeded()) * 255
    assert (changed.float() - exact).abs().max() <= 0.5 + 1e-4


@pytest.mark.parametrize("name", ALL)
def test_channels_last_is_refused(name: str) -> None:
    with pytest.raises(DataError, match="channels first"):
        ALL[name](torch.rand(2, 16, 16, 3), seeded())


def test_sometimes_changes_about_that_share() -> None:
    images = batch(400, 8)
    changed = (Sometimes(augment.Brightness(), 0.25)(images, seeded()) != images).flatten(1).any(1)
    assert 60 < changed.sum() < 140


def test_compose_of_nothing_changes_nothing() -> None:
    assert torch.equal(Compose([])(batch(), seeded()), batch())


def test_full_circle_is_used() -> None:
    angle = augment.RandomAffine().draw(1000, seeded())["angle"]
    assert angle.min() < -0.9 * math.pi
    assert angle.max() > 0.9 * math.pi
