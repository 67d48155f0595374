import pytest
import torch

from lentigo.data.augment import RandAugment
from lentigo.errors import DataError


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_all_operations_are_drawn_alike() -> None:
    step = RandAugment(count=2)
    drawn = step.draw(6000, seeded())["operation"]
    counts = torch.bincount(drawn.flatten())
    assert drawn.shape == (6000, 2)
    assert len(counts) == len(step.operations) + 1
    assert (counts - 1000).abs().max() < 150


def test_nothing_drawn_changes_nothing() -> None:
    images = torch.rand(3, 3, 16, 16, generator=seeded())
    drawn = RandAugment().draw(3, seeded())
    drawn["operation"] = torch.zeros_like(drawn["operation"])
    assert torch.equal(RandAugment().apply(images, drawn), images)


def test_more_magnitude_changes_more() -> None:
    images = torch.rand(200, 3, 16, 16, generator=seeded())
    weak, strong = ((RandAugment(1, m)(images, seeded()) - images).abs().mean() for m in (1, 10))
    assert strong > 1.1 * weak


@pytest.mark.parametrize("magnitude", [-1, 11])
def test_magnitudes_off_the_scale_are_refused(magnitude: float) -> None:
    with pytest.raises(DataError, match="0 to 10"):
        RandAugment(magnitude=magnitude)
