"""Crop and resize beside a graph: what the graph itself does, and torch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lentigo.runtime.squares import central_square, resize_weights


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 90), width=st.integers(1, 90), size=st.sampled_from([1, 7, 32, 64]), seed=st.integers(0, 99)
)
def test_it_is_the_antialiased_resize_of_torch(height, width, size, seed):
    from lentigo.export.module import squares

    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    expected = squares(image[None], size)[0].permute(1, 2, 0).numpy()
    assert central_square(image, size) == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize(("side", "size"), [(450, 64), (64, 64), (30, 64), (1, 5)])
def test_weights_sum_to_one(side, size):
    weights = resize_weights(side, size)
    assert weights.shape == (size, side)
    assert weights.dtype == np.float32
    assert weights.sum(axis=1) == pytest.approx(np.ones(size), abs=1e-5)
    if side == size:
        np.testing.assert_array_equal(weights, np.eye(size, dtype=np.float32))
