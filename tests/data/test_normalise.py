import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lentigo.data.normalise import CHUNK, measure
from lentigo.errors import DataError


def pixels(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 5, 7, 3), dtype=np.uint8)


@settings(max_examples=15, deadline=None)
@given(count=st.sampled_from([1, 3, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 5]), seed=st.integers(0, 99))
def test_mean_and_std_are_numpys(count: int, seed: int) -> None:
    images = pixels(count, seed)
    found = measure(images)
    flat = images.reshape(-1, 3) / 255
    np.testing.assert_allclose(found.mean, flat.mean(0))
    np.testing.assert_allclose(found.std, flat.std(0))


def test_only_the_named_rows_count() -> None:
    images = pixels(10)
    rows = np.array([7, 2, 3])
    assert measure(images, rows) == measure(images[np.sort(rows)])
    images[[0, 1, 4, 5, 6, 8, 9]] = 0
    assert measure(images, rows) == measure(pixels(10)[rows])


def test_what_was_measured_becomes_mean_0_and_std_1() -> None:
    images = pixels(20)
    normalised = measure(images).apply(images).reshape(-1, 3)
    assert normalised.dtype == np.float32
    np.testing.assert_allclose(normalised.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(normalised.std(0), 1, atol=1e-5)


def test_a_constant_channel_is_refused() -> None:
    images = pixels(3)
    images[..., 1] = 9
    with pytest.raises(DataError, match="not a divisor"):
        measure(images)


@pytest.mark.parametrize(
    "bad", [np.zeros((2, 4, 4, 3)), np.zeros((4, 4, 3), np.uint8), np.zeros((2, 3, 4, 4), np.uint8)]
)
def test_other_arrays_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"\[N, H, W, 3\]"):
        measure(bad)


def test_nothing_to_measure_is_refused() -> None:
    with pytest.raises(DataError, match="no pixels"):
        measure(pixels(3), np.array([], dtype=np.int64))
