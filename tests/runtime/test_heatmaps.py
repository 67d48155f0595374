"""Heat maps: on the right place, drawn for people, recognised when met again, and never written over anything."""

import io
import os
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from lentigo.errors import DataError, ImageError, OutputError
from lentigo.runtime import is_heatmap
from lentigo.runtime.heat import COLOURS, heat
from lentigo.runtime.heat_panels import STYLES, contoured
from lentigo.runtime.heatmaps import draw

matplotlib = pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def verdict(classifier, photo):
    return classifier.classify(photo)


@pytest.fixture(scope="module")
def ungradable(classifier):
    return classifier.classify(np.full((90, 90, 3), 255, np.uint8))


class TestHeat:
    def test_it_covers_the_square_in_0_to_1(self, verdict):
        for name in (None, "mel", "melanoma"):
            found = verdict.heatmap(name)
            assert found.shape == (150, 200)
            assert found.dtype == np.float32
            assert found.min() >= 0
            assert found.max() <= 1
        assert (verdict.heatmap()[:, :25] == 0).all()  # the model sees the central square alone
        assert (verdict.heatmap()[:, -25:] == 0).all()

    def test_the_strongest_evidence_lies_where_the_map_says(self):
        cam = np.zeros((4, 4), np.float32)
        cam[0, 3] = 2
        found = heat(cam, 80, 120)
        assert np.unravel_index(found.argmax(), found.shape)[0] < 20
        assert 80 <= np.unravel_index(found.argmax(), found.shape)[1] < 100
        assert found.max() == 1

    @pytest.mark.parametrize("cam", [np.zeros((4, 4)), np.full((4, 4), -1.0), np.full((4, 4), np.nan)])
    def test_without_evidence_it_is_zero(self, cam):
        assert not heat(cam.astype(np.float32), 50, 60).any()

    @pytest.mark.parametrize("shape", [(1, 1), (1, 50), (3000, 2), (33, 32)])
    def test_any_shape(self, shape):
        assert heat(np.ones((4, 4), np.float32), *shape).shape == shape


def test_the_colours_are_viridis():
    wanted = matplotlib.colormaps["viridis"](np.linspace(0, 1, 256))[:, :3] * 255
    assert np.abs(COLOURS - wanted).max() < 6
    assert (np.diff(COLOURS @ [0.299, 0.587, 0.114]) > -0.5).all()  # brighter is more, in grey too


class TestPicture:
    @pytest.mark.parametrize("shape", [(150, 200), (1, 1), (20, 2000), (2000, 30), (64, 64), (1500, 2000)])
    def test_any_shape_is_drawn_at_a_legible_size(self, shape):
        pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
        for cam in (np.ones((4, 4), np.float32), np.zeros((4, 4), np.float32), None):
            picture = draw(pixels, cam, "A title", ["A note " * 60, "x" * 400])
            assert 700 <= picture.width <= 2000
            assert 100 <= picture.height <= 2500

    @pytest.mark.parametrize("shape", [(150, 200), (1, 1), (20, 2000), (2000, 30)])
    @pytest.mark.parametrize("style", STYLES)
    def test_every_style_has_any_shape(self, shape, style):
        pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
        lesion = np.ones(shape, bool)
        for cam in (np.eye(4, dtype=np.float32), np.zeros((4, 4), np.float32)):
            picture = draw(pixels, cam, "A title", [], style=style, lesion=lesion)
            assert 700 <= picture.width <= 2000

    def test_contours_are_where_the_map_has_their_level(self):
        cam = np.zeros((8, 8), np.float32)
        cam[:, 4:] = 1
        drawn = np.asarray(contoured(Image.new("RGB", (80, 80), (90, 90, 90)), cam))
        changed = (drawn != 90).any(axis=(0, 2))
        assert changed[36:46].any()
        assert not changed[:34].any()
        assert not changed[50:78].any()

    def test_no_other_style(self):
        with pytest.raises(DataError, match="No style"):
            draw(np.zeros((9, 9, 3), np.uint8), None, "", [], style="pie")

    def test_the_image_stands_beside_the_map(self, verdict, photo):
        picture, image = np.asarray(verdict.overlay()).astype(float), Image.open(photo).resize((480, 360))
        left = picture[16 : 16 + 360, 16 : 16 + 480]
        away = np.abs(left - np.asarray(image)).mean(axis=2)
        assert np.median(away) < 3  # all but the outline
        right = picture[16 : 16 + 360, 16 + 480 + 12 : 16 + 480 + 12 + 480]
        colour = np.ptp(right, axis=2)
        assert colour[:, :55].max() < 3  # grey where the model saw nothing
        assert np.median(colour[20:340, 80:400]) > 20

    def test_an_empty_map_is_left_grey_and_said(self, verdict, monkeypatch):
        said = []
        monkeypatch.setattr("PIL.ImageDraw.ImageDraw.text", lambda self, at, text, **how: said.append(text))
        picture = np.asarray(replace(verdict, _cam=-np.abs(verdict._cam)).overlay("mel"))
        assert np.ptp(picture[16 : 16 + 360, 508 : 508 + 480], axis=2).max() == 0
        assert any("map is empty" in line for line in said)
        assert not any("strongest" in line for line in said)

    def test_the_caption(self, verdict, monkeypatch):
        said = []
        monkeypatch.setattr("PIL.ImageDraw.ImageDraw.text", lambda self, at, text, **how: said.append(text))
        verdict.overlay("mel")
        text = " ".join(said)
        for part in (
            "Evidence for melanoma (malignant)",
            f"Probability {verdict.melanoma:.4f} at balanced prior",
            f"Decision: {verdict.decision}",
            "outlined square is the model's input",
            f"Model tiny, sha256 {verdict.model_sha256[:12]}",
            "needs a clinician regardless of this result",
            "0: none, or evidence against",
            "1: strongest in this image",
        ):
            assert part in text
        assert f"Most probable is {verdict.diagnoses[0][0]}" in text or verdict.top == "mel"

    def test_one_that_is_not_gradable_says_so(self, ungradable, monkeypatch):
        said = []
        monkeypatch.setattr("PIL.ImageDraw.ImageDraw.text", lambda self, at, text, **how: said.append(text))
        ungradable.overlay()
        text = " ".join(said)
        assert "Not gradable: no heat map" in text
        assert "is blank" in text
        assert not any(name in text for name in ("Evidence", "Probability", "nevus", "strongest"))


class TestFiles:
    def test_it_is_recognised_whatever_its_name(self, verdict, ungradable, classifier, tmp_path):
        for each in (verdict, ungradable):
            written = each.save_overlay(tmp_path / "a.png", overwrite=True)
            renamed = written.rename(tmp_path / "lesion.jpg")
            assert is_heatmap(renamed)
            with Image.open(renamed) as image:
                assert image.text["Software"] == "lentigo heat map"
            for source in (renamed, str(renamed), renamed.read_bytes(), renamed.open("rb"), Image.open(renamed)):
                with pytest.raises(ImageError, match="picture drawn by lentigo"):
                    classifier.classify(source)

    def test_a_jpeg_of_it_is_recognised_too(self, verdict):
        content = io.BytesIO()
        verdict.overlay().save(content, "JPEG")
        assert is_heatmap(content.getvalue())

    def test_nothing_else_is(self, photo, tmp_path):
        (tmp_path / "text.png").write_text("no")
        (tmp_path / "half.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
        os.mkfifo(tmp_path / "pipe.png")
        for source in (photo, tmp_path / "text.png", tmp_path / "half.png", tmp_path / "pipe.png", tmp_path, 3, None):
            assert not is_heatmap(source)

    def test_it_replaces_nothing_but_a_heat_map_and_that_on_demand(self, verdict, photo, tmp_path):
        path = verdict.save_overlay(tmp_path / "new" / "a.png")
        with pytest.raises(OutputError, match="already exists"):
            verdict.save_overlay(path)
        assert verdict.save_overlay(path, "mel", overwrite=True) == path
        precious = tmp_path / "lesion.png"
        Image.open(photo).save(precious)
        content = precious.read_bytes()
        (tmp_path / "link.png").symlink_to(precious)
        (tmp_path / "dangling.png").symlink_to(tmp_path / "absent.png")
        for place in (precious, tmp_path / "link.png", tmp_path / "dangling.png", tmp_path):
            with pytest.raises(OutputError, match="not a picture drawn by lentigo"):
                verdict.save_overlay(place, overwrite=True)
        assert precious.read_bytes() == content
        assert not (tmp_path / "absent.png").exists()

    def test_it_appears_whole_or_not_at_all(self, verdict, tmp_path, monkeypatch):
        def fails(self, file, **how):
            file.write(b"half")
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("PIL.Image.Image.save", fails)
        with pytest.raises(OutputError, match="no space left"):
            verdict.save_overlay(tmp_path / "a.png")
        assert list(tmp_path.iterdir()) == []
