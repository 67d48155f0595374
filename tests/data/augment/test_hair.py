"""Hair is dark, thin and where it was drawn; removal takes it away and little else."""

import pytest
import torch
from torch.nn import functional as F

from lentigo.data.augment import AddHair, RemoveHair
from lentigo.data.augment.hair import DIRECTIONS, _highest


def skin(side: int = 150) -> torch.Tensor:
    """A dark round lesion with a soft edge on rosy skin, with some noise: [4, 3, S, S]."""
    y, x = torch.meshgrid(*[torch.linspace(-1, 1, side)] * 2, indexing="ij")
    lesion = torch.sigmoid((0.4 - (x**2 + y**2).sqrt()) * 20)
    colour = torch.tensor([0.85, 0.65, 0.6])[:, None, None]
    noise = 0.01 * torch.randn(4, 3, side, side, generator=torch.Generator().manual_seed(0))
    return ((1 - 0.6 * lesion) * colour + noise).clamp(0, 1)


def one_hair(width: float = 0.02) -> dict[str, torch.Tensor]:
    """A straight black hair from left to right, a fifth below the top."""
    points = torch.tensor([[0.0, 0.2], [0.5, 0.2], [1.0, 0.2]])
    return {
        "present": torch.ones(4, 1, dtype=torch.bool),
        "points": points.expand(4, 1, 3, 2),
        "width": torch.full((4, 1), width),
        "colour": torch.zeros(4, 3),
    }


def test_no_hair_changes_nothing() -> None:
    drawn = one_hair() | {"present": torch.zeros(4, 1, dtype=torch.bool)}
    assert torch.equal(AddHair().apply(skin(), drawn), skin())


@pytest.mark.parametrize("side", [48, 150, 300])
@pytest.mark.parametrize("width", [0.005, 0.02])
def test_a_hair_covers_its_area(side: int, width: float) -> None:
    white = torch.ones(4, 3, side, side)
    covered = 1 - AddHair().apply(white, one_hair(width)).mean()
    # It tapers to 0.3 of its width, so 0.65 of it on average, over the whole image's length.
    assert covered.item() == pytest.approx(0.65 * width, rel=0.03)


def test_a_hair_lies_where_it_was_drawn() -> None:
    dark = 1 - AddHair().apply(torch.ones(4, 3, 100, 100), one_hair())[:, 0]
    assert dark[:, 18:22].sum() == pytest.approx(dark.sum().item())
    # Two pixels thick at the root, without gaps, and thinner towards the tip.
    thick = 2 * (1 - 0.7 * (torch.arange(100) + 0.5) / 100)
    torch.testing.assert_close(dark.sum(1)[:, 1:-1], thick.expand(4, -1)[:, 1:-1], rtol=0, atol=0.05)


def test_hairs_are_darker_than_skin_and_few_enough() -> None:
    hairy = AddHair()(skin(), torch.Generator().manual_seed(0))
    assert (hairy.mean((1, 2, 3)) <= skin().mean((1, 2, 3))).all()
    assert (hairy != skin()).float().mean() < 0.5


def test_the_doubled_line_is_the_line() -> None:
    images = torch.rand(1, 1, 20, 30, generator=torch.Generator().manual_seed(0))
    for down, across in DIRECTIONS:
        padded = F.pad(images, (8,) * 4, mode="replicate")
        shifted = [padded[:, :, 8 + i * down : 28 + i * down, 8 + i * across : 38 + i * across] for i in range(-4, 5)]
        assert torch.equal(_highest(images, (down, across), 4), torch.stack(shifted).amax(0))


def test_removal_takes_most_of_the_hair_away() -> None:
    hairy = AddHair(most=12, width=(0.01, 0.02))(skin(), torch.Generator().manual_seed(0))
    cleaned = RemoveHair().apply(hairy, {})
    assert (cleaned - skin()).abs().mean() < 0.4 * (hairy - skin()).abs().mean()


def test_removal_leaves_skin_and_lesion() -> None:
    assert not RemoveHair().mask(skin()).any()
    assert torch.equal(RemoveHair().apply(skin(), {}), skin())


def test_dots_and_wide_bands_are_no_hair() -> None:
    dots, band = torch.full((1, 3, 150, 150), 0.8), torch.full((1, 3, 150, 150), 0.8)
    dots[:, :, 20::40, 20::40] = 0.1
    band[:, :, 60:90] = 0.1
    assert not RemoveHair().mask(dots).any()
    assert not RemoveHair().mask(band).any()


def test_removal_survives_an_image_that_is_all_hair() -> None:
    stripes = torch.ones(1, 3, 64, 64)
    stripes[:, :, ::2] = 0
    assert RemoveHair().apply(stripes, {}).isfinite().all()
