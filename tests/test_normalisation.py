import numpy as np
import pytest

from lentigo.errors import DataError
from lentigo.normalisation import IMAGENET, UNIT, Normalisation


def test_unit_is_0_to_1() -> None:
    np.testing.assert_array_equal(
        UNIT.apply(np.array([[[0, 51, 255]]], dtype=np.uint8)), np.array([[[0, 0.2, 1]]], dtype=np.float32)
    )


def test_json_keeps_every_bit() -> None:
    found = Normalisation((0.1, 1 / 3, 0.7), (0.2, 2**-0.5, 1e-9))
    assert Normalisation.from_json(found.to_json()) == found


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"mean": [0], "std": [1]}', '{"mean": [0, 0, 0], "std": "abc"}'])
def test_other_json_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="normalisation"):
        Normalisation.from_json(text)


@pytest.mark.parametrize(
    ("mean", "std"), [((0, 0), (1, 1, 1)), ((0, 0, 0), (1, 0, 1)), ((0, 0, float("nan")), (1, 1, 1))]
)
def test_what_can_not_be_applied_is_refused(mean: tuple, std: tuple) -> None:
    with pytest.raises(DataError):
        Normalisation(mean, std)


def test_the_mean_of_imagenet_becomes_0() -> None:
    mean = np.round(np.array(IMAGENET.mean) * 255).astype(np.uint8)
    np.testing.assert_allclose(IMAGENET.apply(mean), 0, atol=0.5 / 255 / min(IMAGENET.std))
