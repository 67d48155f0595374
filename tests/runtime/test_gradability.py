"""When an image is not gradable; what is blank is decided as its definition says, however it is computed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lentigo.runtime.gradability import _is_blank, rejection_reasons

EVEN = np.full(7, 1 / 7, np.float32)


def by_definition(image):
    """The standard deviation of every channel of the central square, of at most some 512 pixels a side."""
    height, width = image.shape[:2]
    side = min(height, width)
    top, left, step = (height - side) // 2, (width - side) // 2, max(1, side // 512)
    square = image[top : top + side : step, left : left + side : step].astype(np.float64)
    return bool(square.std(axis=(0, 1)).max() < 2)


@settings(max_examples=150, deadline=None)
@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    level=st.integers(0, 255),
    spread=st.sampled_from([0, 1, 2, 3, 4, 5, 6, 7, 8, 40]),
    share=st.sampled_from([0.0, 0.002, 0.02, 0.2, 1.0]),
    seed=st.integers(0, 999),
)
def test_blank_is_what_it_is_defined_to_be(height, width, level, spread, share, seed):
    rng = np.random.default_rng(seed)
    noise = rng.integers(-spread, spread + 1, (height, width, 3)) * (rng.random((height, width, 1)) < share)
    image = np.clip(level + noise, 0, 255).astype(np.uint8)
    assert _is_blank(image) == by_definition(image)


@pytest.mark.parametrize(
    ("low", "high", "blank"), [(100, 103, True), (100, 104, False), (0, 0, True), (255, 255, True)]
)
def test_at_its_limit(low, high, blank):
    """Half of the pixels of one level and half of another deviate by half their difference."""
    image = np.full((60, 60, 3), low, np.uint8)
    image[:30] = high
    assert _is_blank(image) == blank
    one_channel = np.full((60, 60, 3), low, np.uint8)
    one_channel[:30, :, 2] = high
    assert _is_blank(one_channel) == blank


@pytest.mark.parametrize("side", [511, 513, 1500])
def test_a_spot_between_the_pixels_that_are_looked_at_first(side):
    image = np.full((side, side + 40, 3), 200, np.uint8)
    image[1::4, 1::4] = 0
    assert _is_blank(image) == by_definition(image)


def test_the_reasons():
    image = np.random.default_rng(0).integers(0, 256, (70, 80, 3), dtype=np.uint8)
    assert rejection_reasons(image, EVEN, 1.0, size=64, ood_threshold=1.0) == ()
    assert rejection_reasons(image, EVEN, None, size=64, ood_threshold=None) == ()
    for given_, words in (
        ((image[:60], EVEN, 1.0), "fewer than the model's input"),
        ((image * 0, EVEN, 1.0), "is blank"),
        ((image, EVEN * np.nan, 1.0), "no probabilities"),
        ((image, EVEN, 1.01), "out of distribution"),
        ((image, EVEN, float("nan")), "out of distribution"),
    ):
        (reason,) = rejection_reasons(*given_, size=64, ood_threshold=1.0)
        assert words in reason
