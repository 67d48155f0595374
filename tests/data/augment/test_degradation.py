"""Defocus and erased squares are those that their formulas say, at any resolution."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from lentigo.data.augment import GaussianBlur, RandomErasing


def smooth(side: int) -> torch.Tensor:
    """Waves and a dark square [1, 3, side, side]: the same picture at any resolution."""
    x = (torch.arange(side) + 0.5) / side
    waves = 0.5 + 0.3 * torch.sin(12 * x[:, None]) * torch.cos(9 * x[None])
    inside = (x > 0.4) & (x < 0.6)
    return torch.where(inside[:, None] & inside[None], 0.1, waves).expand(1, 3, side, side)


def test_blur_is_the_gaussian_of_the_robustness_benchmark() -> None:
    image = smooth(100)
    blurred = GaussianBlur().apply(image, {"sigma": torch.tensor([0.03])})[0].permute(1, 2, 0).numpy() * 255
    picture = Image.fromarray((image[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8))
    measured = np.asarray(picture.filter(ImageFilter.GaussianBlur(3)), np.float32)
    assert np.abs(blurred - measured)[12:-12, 12:-12].max() < 4  # Pillow's is three box filters


def test_blur_keeps_flat_images_and_almost_nothing_changes_at_a_tiny_sigma() -> None:
    flat = torch.full((2, 3, 16, 20), 0.7)
    torch.testing.assert_close(GaussianBlur().apply(flat, {"sigma": torch.tensor([0.001, 0.2])}), flat)
    image = smooth(32)
    torch.testing.assert_close(GaussianBlur().apply(image, {"sigma": torch.tensor([0.0])}), image)


def test_each_image_has_its_own_blur() -> None:
    image = smooth(40).expand(2, -1, -1, -1)
    one, other = GaussianBlur().apply(image, {"sigma": torch.tensor([0.005, 0.05])})
    assert other.std() < one.std()


@pytest.mark.parametrize("size", [(40, 40), (30, 50)])
def test_a_square_is_erased_in_the_mean_colour_and_lies_inside(size: tuple[int, int]) -> None:
    images = torch.rand(200, 3, *size, generator=torch.Generator().manual_seed(0))
    step = RandomErasing(0.3)
    changed = step.apply(images, step.draw(200, torch.Generator().manual_seed(1)))
    erased = (changed == images.mean((2, 3), keepdim=True)).all(1)
    side = round(0.3 * min(size))
    assert (erased.sum((1, 2)) == side**2).all()
    assert (erased.any(1).sum(1) == side).all()
    assert torch.equal(changed[~erased[:, None].expand_as(images)], images[~erased[:, None].expand_as(images)])
    assert all(erased.any(0).any(axis).all() for axis in (0, 1))  # every row and column, those at the border too


@pytest.mark.parametrize(
    ("step", "drawn"),
    [
        (GaussianBlur(), {"sigma": torch.tensor([0.02])}),
        (RandomErasing(0.25), {"place": torch.tensor([[1.0, 0.5]])}),
    ],
    ids=["blur", "erasing"],
)
def test_what_is_drawn_means_the_same_at_any_resolution(step, drawn) -> None:
    large, small = (step.apply(smooth(side), drawn) for side in (160, 40))
    assert (torch.nn.functional.avg_pool2d(large, 4) - small).abs().mean() < 0.02
