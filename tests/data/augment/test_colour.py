"""Brightness, contrast, colour cast and constancy do what their formulas say."""

import numpy as np
import torch

from lentigo.data.augment import Brightness, ChannelJitter, ColourJitter, Contrast, ShadesOfGrey, WhiteBalanceShift
from lentigo.evaluation.robustness.perturb import colour_cast


def images(low: float = 0.2, high: float = 0.6) -> torch.Tensor:
    return low + (high - low) * torch.rand(4, 3, 12, 12, generator=torch.Generator().manual_seed(0))


def test_brightness_scales_and_clips() -> None:
    drawn = {"factor": torch.tensor([0.5, 1.0, 1.5, 4.0])}
    torch.testing.assert_close(
        Brightness().apply(images(), drawn), (images() * drawn["factor"][:, None, None, None]).clamp(max=1)
    )


def test_contrast_keeps_the_mean_and_scales_the_spread() -> None:
    drawn = {"factor": torch.tensor([0.0, 0.5, 1.0, 1.4])}
    changed = Contrast().apply(images(), drawn)
    torch.testing.assert_close(changed.mean((1, 2, 3)), images().mean((1, 2, 3)))
    torch.testing.assert_close(changed.std((1, 2, 3)), images().std((1, 2, 3)) * drawn["factor"])


def test_cast_scales_each_channel() -> None:
    gain = torch.tensor([[0.9, 1.0, 1.1]]).expand(4, 3)
    changed = ChannelJitter().apply(images(), {"gain": gain})
    torch.testing.assert_close(changed.mean((2, 3)) / images().mean((2, 3)), gain)


def test_jitter_draws_all_three() -> None:
    drawn = ColourJitter().draw(4, torch.Generator().manual_seed(0))
    assert [tuple(value.shape) for value in drawn.values()] == [(4,), (4, 3), (4,)]


def test_constancy_undoes_a_cast() -> None:
    channel_jitter = torch.tensor([1.0, 0.7, 0.5])[None, :, None, None]
    plain, tinted = (ShadesOfGrey().apply(x, {}) for x in (images(), images() * channel_jitter))
    ratio = tinted.mean((2, 3)) / plain.mean((2, 3))
    torch.testing.assert_close(ratio, ratio[:, :1].expand(4, 3))  # only the overall brightness still differs


def test_constancy_makes_the_light_grey() -> None:
    light = ShadesOfGrey().apply(images(0, 0.5), {}).pow(6).mean((2, 3)).pow(1 / 6)
    torch.testing.assert_close(light, light[:, :1].expand(4, 3))


def test_constancy_with_power_1_is_grey_world() -> None:
    means = ShadesOfGrey(power=1).apply(images(0, 0.5), {}).mean((2, 3))
    torch.testing.assert_close(means, means[:, :1].expand(4, 3))


def test_constancy_leaves_black_black() -> None:
    black = torch.zeros(1, 3, 8, 8)
    assert torch.equal(ShadesOfGrey().apply(black, {}), black)


def test_white_balance_shifts_as_the_robustness_benchmark_does() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    measured = colour_cast(pixels, 0.3, np.random.default_rng(5))
    hue = np.random.default_rng(5).uniform(0, 2 * np.pi)  # what the benchmark draws first
    drawn = {"hue": torch.tensor([hue]).float(), "strength": torch.tensor([0.3])}
    shifted = WhiteBalanceShift().apply(torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255, drawn)
    assert np.abs((shifted[0].permute(1, 2, 0) * 255).numpy() - measured).max() <= 0.51


def test_white_balance_shifts_up_to_its_strength_in_any_hue() -> None:
    drawn = WhiteBalanceShift(0.2).draw(500, torch.Generator().manual_seed(0))
    assert 0 <= drawn["strength"].min() < 0.01
    assert 0.19 < drawn["strength"].max() <= 0.2
    assert drawn["hue"].min() < 0.1
    assert drawn["hue"].max() > 6.2
