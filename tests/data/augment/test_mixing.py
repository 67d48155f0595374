"""Mixed targets stay probabilities and agree with the mixed pixels."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lentigo.data.augment import CutMix, Mixing, MixUp
from lentigo.data.augment.mixing import beta
from lentigo.errors import DataError

ALL: dict[str, Mixing] = {"mixup": MixUp(), "mixup_1": MixUp(alpha=1.0), "cutmix": CutMix()}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(count: int = 8, side: int = 20, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    images = torch.randint(256, (count, 3, side, side), generator=seeded(seed)).float() / 255
    labels = torch.randint(7, (count,), generator=seeded(seed))
    return images, torch.nn.functional.one_hot(labels, 7).float()


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31), count=st.integers(1, 9), side=st.integers(1, 33))
def test_targets_stay_probabilities_and_images_stay_images(name: str, seed: int, count: int, side: int) -> None:
    images, targets = batch(count, side, seed)
    mixed, soft = ALL[name](images, targets, seeded(seed))
    assert mixed.shape == images.shape
    assert mixed.min() >= 0
    assert mixed.max() <= 1
    torch.testing.assert_close(soft.sum(1), torch.ones(count))
    assert (soft >= 0).all()


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31), height=st.integers(1, 33), width=st.integers(1, 33))
def test_pixels_are_mixed_in_the_shares_of_the_targets(name: str, seed: int, height: int, width: int) -> None:
    levels = torch.rand(6, generator=seeded(seed))
    images = levels[:, None, None, None].expand(-1, 3, height, width)
    mixed, soft = ALL[name](images, torch.eye(6), seeded(seed))
    torch.testing.assert_close(mixed.mean((1, 2, 3)), soft @ levels, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ALL)
def test_replay_and_seed(name: str) -> None:
    images, targets = batch()
    drawn = ALL[name].draw(len(images), seeded(5))
    torch.manual_seed(1)
    mixed, soft = ALL[name](images, targets, seeded(5))
    assert torch.equal(mixed, ALL[name].apply(images, drawn))
    assert torch.equal(soft, ALL[name].apply_targets(targets, drawn))
    assert not torch.equal(mixed, ALL[name](images, targets, seeded(6))[0])


def test_cutmix_pastes_a_rectangle() -> None:
    drawn = {
        "partner": torch.tensor([1, 0]),
        "box": torch.tensor([[[0.0, 0.5], [0.25, 1.0]], [[0.5, 0.5], [0.0, 1.0]]]),
    }
    images = torch.stack([torch.zeros(3, 8, 8), torch.ones(3, 8, 8)])
    mixed = CutMix().apply(images, drawn)
    expected = torch.zeros(3, 8, 8)
    expected[:, 2:, :4] = 1
    assert torch.equal(mixed[0], expected)
    assert torch.equal(mixed[1], images[1])  # an empty rectangle
    torch.testing.assert_close(CutMix().share(drawn), torch.tensor([0.625, 1.0]))


@pytest.mark.parametrize("alpha", [0.2, 1.0, 3.0])
def test_shares_follow_the_beta_distribution(alpha: float) -> None:
    shares = beta(alpha, 2000, seeded()).double().numpy()
    assert stats.kstest(shares, stats.beta(alpha, alpha).cdf).pvalue > 0.01


@pytest.mark.parametrize(
    "targets", [torch.zeros(8, dtype=torch.int64), torch.zeros(8, 7, dtype=torch.int64), torch.zeros(7, 7)]
)
def test_labels_in_place_of_probabilities_are_refused(targets: torch.Tensor) -> None:
    with pytest.raises(DataError, match=r"float \[8, classes\]"):
        MixUp()(batch()[0], targets, seeded())
