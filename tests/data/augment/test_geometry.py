"""Flips, quarter turns, affine maps and crops put pixels where they should."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from lentigo.data.augment import RandomAffine, RandomFlip, RandomResizedCrop, RandomRot90
from lentigo.data.augment.geometry import sample
from lentigo.errors import DataError


def pixels(count: int, side: int, seed: int) -> torch.Tensor:
    return torch.randint(256, (count, 3, side, side), generator=torch.Generator().manual_seed(seed)).to(torch.uint8)


def still(count: int = 1) -> dict[str, torch.Tensor]:
    """Parameters of `RandomAffine` that change nothing."""
    ones = torch.ones(count)
    return {"angle": 0 * ones, "zoom": ones, "shift": torch.zeros(count, 2), "mirror": ones}


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31), side=st.integers(1, 20))
def test_flips_are_numpys_to_the_bit(seed: int, side: int) -> None:
    images = pixels(6, side, seed)
    drawn = RandomFlip().draw(6, torch.Generator().manual_seed(seed))
    flipped = (RandomFlip().apply(images.float() / 255, drawn) * 255).round().to(torch.uint8).numpy()
    for before, after, across, down in zip(
        images.numpy(), flipped, drawn["horizontal"], drawn["vertical"], strict=True
    ):
        expected = before[:, :, ::-1] if across else before
        np.testing.assert_array_equal(after, expected[:, ::-1] if down else expected)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31), side=st.integers(1, 20))
def test_quarter_turns_are_numpys_to_the_bit(seed: int, side: int) -> None:
    images = pixels(6, side, seed)
    drawn = RandomRot90().draw(6, torch.Generator().manual_seed(seed))
    turned = (RandomRot90().apply(images.float() / 255, drawn) * 255).round().to(torch.uint8).numpy()
    for before, after, turns in zip(images.numpy(), turned, drawn["turns"].tolist(), strict=True):
        np.testing.assert_array_equal(after, np.rot90(before, turns, axes=(1, 2)))


def test_flips_can_be_limited_to_one_direction() -> None:
    generator = torch.Generator().manual_seed(0)
    assert not RandomFlip(vertical=False).draw(50, generator)["vertical"].any()
    assert not RandomFlip(horizontal=False).draw(50, generator)["horizontal"].any()


def test_all_quarter_turns_occur() -> None:
    assert set(RandomRot90().draw(100, torch.Generator().manual_seed(0))["turns"].tolist()) == {0, 1, 2, 3}


def test_oblong_images_are_not_turned() -> None:
    with pytest.raises(DataError, match="30x20"):
        RandomRot90()(torch.rand(1, 3, 20, 30), torch.Generator())


def test_affine_quarter_turn_and_mirror_agree_with_the_exact_ones() -> None:
    images = pixels(1, 16, 0).float() / 255
    turned = RandomAffine().apply(images, still() | {"angle": torch.tensor([math.pi / 2])})
    mirrored = RandomAffine().apply(images, still() | {"mirror": torch.tensor([-1.0])})
    torch.testing.assert_close(turned, images.rot90(1, (2, 3)), rtol=0, atol=1e-4)
    torch.testing.assert_close(mirrored, images.flip(3), rtol=0, atol=1e-4)


def test_translation_alone_is_affine_with_the_rest_off() -> None:
    step = RandomAffine(rotation=0, zoom=(1, 1), shift=0.25, mirror=False)
    drawn = step.draw(40, torch.Generator().manual_seed(0))
    assert drawn["angle"].abs().max() == 0
    assert (drawn["zoom"] == 1).all()
    assert (drawn["mirror"] == 1).all()
    assert 0.4 < drawn["shift"].abs().max() <= 0.5  # coordinates span 2
    images = pixels(1, 16, 0).float() / 255
    moved = step.apply(images, still() | {"shift": torch.tensor([[0.5, 0.0]])})
    torch.testing.assert_close(moved[..., :12], images[..., 4:], rtol=0, atol=1e-4)


def test_sampling_agrees_with_torchs_grid() -> None:
    generator = torch.Generator().manual_seed(0)
    images, theta = torch.rand(5, 3, 12, 17, generator=generator), torch.rand(5, 2, 3, generator=generator) * 2 - 1
    grid = F.affine_grid(theta, [5, 3, 12, 17], align_corners=False)
    expected = F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    torch.testing.assert_close(sample(images, theta), expected, rtol=0, atol=1e-5)


def test_zoom_magnifies() -> None:
    images = torch.zeros(1, 1, 32, 32)
    images[:, :, 12:20, 12:20] = 1
    near = RandomAffine().apply(images.expand(-1, 3, -1, -1), still() | {"zoom": torch.tensor([2.0])})
    assert near.mean().item() == pytest.approx(4 * images.mean().item(), rel=0.05)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_windows_lie_inside_the_image_and_have_the_area(seed: int) -> None:
    drawn = RandomResizedCrop(area=(0.3, 0.5)).draw(50, torch.Generator().manual_seed(seed))
    assert ((drawn["centre"].abs() + drawn["half"]) <= 1 + 1e-6).all()
    area = drawn["half"].prod(1)
    assert (area > 0.3 - 1e-6).all()
    assert (area < 0.5 + 1e-6).all()


def test_crop_shows_the_window() -> None:
    images = pixels(1, 16, 0).float() / 255
    whole = {"half": torch.ones(1, 2), "centre": torch.zeros(1, 2)}
    torch.testing.assert_close(RandomResizedCrop().apply(images, whole), images, rtol=0, atol=1e-4)
    corner = {"half": torch.tensor([[0.5, 0.5]]), "centre": torch.tensor([[-0.5, 0.5]])}
    seen = RandomResizedCrop().apply(images, corner)
    expected = images[:, :, 8:, :8]
    # Twice as large: the mean of each 2x2 block is near the pixel that it shows, whatever the interpolation.
    assert (F.avg_pool2d(seen, 2) - expected).abs().mean() < 0.15
    assert seen.mean() == pytest.approx(expected.mean().item(), abs=0.05)
