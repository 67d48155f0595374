"""Masks: read strictly, found by the image's name, and what share of a map lies on them."""

import shutil

import numpy as np
import pytest
from PIL import Image

from lentigo.errors import DataError, ImageError
from lentigo.runtime.lesion_masks import find_mask, on_lesion, read_mask


@pytest.fixture
def disc():
    y, x = np.mgrid[:60, :80]
    return (x - 40) ** 2 + (y - 30) ** 2 < 20**2


class TestShare:
    def test_by_hand(self):
        cam = np.array([[1, 0], [0, -3]], np.float32)  # all evidence is in the top left quarter of the square
        left = np.zeros((40, 60), bool)
        left[:, :30] = True
        found = on_lesion(cam, left, (40, 60))
        assert found.area == 0.5
        assert found.share == pytest.approx(on_lesion(cam.T, left, (40, 60)).share)
        right = on_lesion(cam, ~left, (40, 60))
        assert found.share + right.share == pytest.approx(1)
        assert found.share > 0.8

    def test_an_even_map_has_the_share_of_the_area(self, disc):
        found = on_lesion(np.ones((4, 4), np.float32), disc, (60, 80))
        assert found.share == pytest.approx(found.area)

    @pytest.mark.parametrize("cam", [np.zeros((4, 4)), np.full((4, 4), -1.0), np.full((4, 4), np.nan)])
    def test_an_empty_map_has_none_and_says_so(self, disc, cam):
        found = on_lesion(cam.astype(np.float32), disc, (60, 80))
        assert found.share is None
        assert "empty" in str(found)

    def test_a_lesion_outside_of_the_square_is_refused(self):
        mask = np.zeros((40, 80), bool)
        mask[:, :10] = True
        with pytest.raises(DataError, match="empty"):
            on_lesion(np.ones((4, 4), np.float32), mask, (40, 80))

    @pytest.mark.parametrize("shape", [(80, 60), (30, 40), (60, 80, 1), (0, 0)])
    def test_a_mask_of_another_size_is_refused(self, shape):
        with pytest.raises(DataError, match="mask of shape"):
            on_lesion(np.ones((4, 4), np.float32), np.ones(shape), (60, 80))

    def test_of_a_verdict(self, classifier, photo):
        verdict = classifier.classify(photo)
        mask = np.zeros((150, 200), bool)
        mask[40:110, 60:140] = True
        for diagnosis in (None, "mel"):
            heat = verdict.heatmap(diagnosis)
            wanted = heat[mask].sum() / heat.sum() if heat.any() else None
            assert verdict.on_lesion(mask, diagnosis).share == pytest.approx(wanted)
        with pytest.raises(DataError):
            verdict.on_lesion(mask[:10])


class TestFiles:
    @pytest.mark.parametrize("mode", ["1", "L", "RGB", "P"])
    def test_any_mode(self, tmp_path, disc, mode):
        Image.fromarray(disc).convert(mode).save(tmp_path / "m.png")
        np.testing.assert_array_equal(read_mask(tmp_path / "m.png", (60, 80)), disc)

    def test_what_is_no_mask(self, tmp_path, disc):
        Image.fromarray(np.zeros((60, 80), bool)).save(tmp_path / "empty.png")
        Image.fromarray((disc * 90).astype(np.uint8)).save(tmp_path / "grey.png")
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)).save(tmp_path / "photo.png")
        Image.fromarray(disc).save(tmp_path / "m.png")
        for name, match in (("empty", "empty"), ("grey", "other colours"), ("photo", "other colours")):
            with pytest.raises(DataError, match=match):
                read_mask(tmp_path / f"{name}.png")
        with pytest.raises(DataError, match="80x60, its image 40x30"):
            read_mask(tmp_path / "m.png", (30, 40))
        with pytest.raises(ImageError):
            read_mask(tmp_path / "missing.png")

    def test_found_by_the_images_name(self, tmp_path, disc):
        for name in ("a_segmentation.png", "b.png", "c_mask.png"):
            Image.fromarray(disc).save(tmp_path / name)
        assert find_mask(tmp_path, "else/a.jpg").name == "a_segmentation.png"
        assert find_mask(tmp_path, "else/b.jpg").name == "b.png"
        assert find_mask(tmp_path, "else/c.jpg").name == "c_mask.png"
        assert find_mask(tmp_path, "else/d.jpg") is None
        assert find_mask(tmp_path, tmp_path / "b.png") is None  # an image is not its own mask
        shutil.copy(tmp_path / "b.png", tmp_path / "b_mask.png")
        with pytest.raises(DataError, match=r"b.jpg: 2 masks of it in .*: b_mask.png, b.png"):
            find_mask(tmp_path, "else/b.jpg")
        with pytest.raises(DataError, match="no such folder"):
            find_mask(tmp_path / "none", "a.jpg")
