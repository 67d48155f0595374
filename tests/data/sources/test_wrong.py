"""Drawn wrong images: of every kind, in every size, the same for the same seed, and not all alike."""

import numpy as np
import pytest

from lentigo.data.sources.synthetic.wrong import KINDS, wrong_image
from lentigo.errors import DataError


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_can_be_drawn_from_any_seed(kind):
    images = [wrong_image(kind, seed, (96, 72)) for seed in range(25)]
    assert all(image.shape == (72, 96, 3) and image.dtype == np.uint8 for image in images)
    assert (wrong_image(kind, 3, (96, 72)) == images[3]).all()
    assert len({image.tobytes() for image in images}) == 25


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_small_and_narrow_pictures(kind):
    for size in ((40, 64), (64, 40), (33, 33)):
        assert wrong_image(kind, 0, size).shape == (size[1], size[0], 3)


def test_radiographs_are_grey_and_sections_purple():
    grey, section = wrong_image("radiograph", 0).astype(int), wrong_image("histology", 0).mean(axis=(0, 1))
    assert (grey == grey[..., :1]).all()
    assert section[1] < min(section[0], section[2])


def test_unknown_kinds_are_refused():
    with pytest.raises(DataError, match="Unknown kind of wrong image 'cat'"):
        wrong_image("cat", 0)
