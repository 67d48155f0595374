"""One lesion over time: differences that arithmetic knows, and bad input that is named."""

import json
import math
import shutil
from datetime import date

import numpy as np
import pytest
from PIL import Image

from lentigo import comparison
from lentigo.comparison.measuring import measure
from lentigo.errors import DataError, ImageError, OutputError
from lentigo.runtime import is_heatmap

SKIN, BROWN = (224, 172, 140), (120, 70, 50)


def disc(side, radius):
    y, x = np.mgrid[:side, :side] - side / 2
    return x**2 + y**2 < radius**2


def draw(path, radius, colour=BROWN, side=120):
    """A disc on skin, with its mask beside it."""
    mask = disc(side, radius)
    noise = np.random.default_rng(0).integers(-8, 8, (side, side, 3))
    pixels = np.clip(np.where(mask[..., None], colour, SKIN) + noise, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    Image.fromarray(mask.astype(np.uint8) * 255).save(path.with_name(f"{path.stem}_mask.png"))
    return path


@pytest.fixture
def lesion(tmp_path):
    """Three visits by file name, with masks in a folder of their own."""
    (tmp_path / "masks").mkdir()
    for day, radius in (("2024-05-31", 30), ("2023-01-02", 20), ("2025-02-28", 20)):
        draw(tmp_path / f"{day}.png", radius)
        (tmp_path / f"{day}_mask.png").rename(tmp_path / "masks" / f"{day}_mask.png")
    (tmp_path / "2025-02-28.png").unlink()
    pixels = np.where(disc(120, 20)[..., None], (60, 40, 40), SKIN).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "2025-02-28.png")
    return tmp_path


def images(lesion):
    return sorted(lesion.glob("*.png"))


def test_size_and_colour_are_those_of_the_discs(lesion, classifier):
    visits = comparison.read_visits(images(lesion), dates="names", masks=lesion / "masks")
    found = comparison.follow(visits, classifier)
    first, second, third = found.changes
    assert [c.day for c in found.changes] == [date(2023, 1, 2), date(2024, 5, 31), date(2025, 2, 28)]
    assert first.area_ratio is None and first.probability_changes is None
    assert second.area_ratio == pytest.approx(2.25, abs=0.02)
    assert third.area_ratio == 1
    assert second.colour_difference < 1
    assert third.colour_difference > 10
    for change in (second, third):
        assert sum(change.probability_changes.values()) == pytest.approx(0, abs=1e-4)
        for c, moved in change.probability_changes.items():
            assert moved == pytest.approx(change.probabilities[c] - first.probabilities[c], abs=1e-5)


def test_colours_are_those_of_the_standard():
    pixels = np.zeros((4, 4, 3), np.uint8)
    pixels[:2] = (255, 0, 0)
    mask = np.zeros((4, 4), bool)
    mask[:2] = True
    assert measure(pixels, mask).colour == pytest.approx((53.24, 80.09, 67.20), abs=0.02)
    assert measure(pixels, mask).contrast == measure(pixels, mask).colour  # black outside
    assert measure(pixels, mask).touches_border


def test_exposure_moves_the_contrast_less_than_the_colour():
    pixels = np.where(disc(80, 20)[..., None], BROWN, SKIN)
    mask = disc(80, 20)
    before, after = measure(pixels.astype(np.uint8), mask), measure((pixels * 0.85).astype(np.uint8), mask)
    assert math.dist(after.contrast, before.contrast) < 0.8 * math.dist(after.colour, before.colour)


def test_what_is_not_gradable_has_no_probabilities(lesion, classifier):
    Image.new("RGB", (120, 120), SKIN).save(lesion / "2022-01-01.png")
    found = comparison.follow(comparison.read_visits(images(lesion), dates="names"), classifier)
    blank, first, second, _ = found.changes
    assert blank.decision == "not gradable" and blank.probabilities is None
    assert first.probability_changes is None
    assert second.probability_changes is not None
    assert "not gradable" in str(found)


class TestDates:
    def test_exif(self, tmp_path):
        for name, taken in (("a.jpg", "2024:05:31 10:00:00"), ("b.jpg", None), ("c.jpg", "0000:00:00 00:00:00")):
            exif = Image.Exif()
            if taken:
                exif.get_ifd(0x8769)[0x9003] = taken
            Image.new("RGB", (40, 40)).save(tmp_path / name, exif=exif)
            Image.new("RGB", (40, 40)).save((tmp_path / name).with_suffix(".webp"), exif=exif)
        for name in ("a.jpg", "a.webp"):
            (visit,) = comparison.read_visits([tmp_path / name], dates="exif")
            assert visit.day == date(2024, 5, 31)
        with pytest.raises(DataError, match=r"b.jpg: it states no Exif date"):
            comparison.read_visits([tmp_path / "b.jpg"], dates="exif")
        with pytest.raises(DataError, match=r"c.jpg: its Exif date .* can't be read"):
            comparison.read_visits([tmp_path / "c.jpg"], dates="exif")

    @pytest.mark.parametrize(
        ("name", "day"),
        [
            ("arm_2024-05-31", date(2024, 5, 31)),
            ("20240531T1000", date(2024, 5, 31)),
            ("2024.05.31", date(2024, 5, 31)),
        ],
    )
    def test_names(self, tmp_path, name, day):
        draw(tmp_path / f"{name}.png", 20)
        assert comparison.read_visits([tmp_path / f"{name}.png"], dates="names")[0].day == day

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("arm.png", "no date in its name"),
            ("2024-02-30.png", "the date '2024-02-30' can't be read"),
            ("31-05-2024.png", "no date"),
            ("9999-12-31.png", "no image was taken on 9999-12-31"),
            ("0001-05-31.png", "no image was taken on 0001-05-31"),
            ("2024-05-31_2025-01-01.png", "2 dates in its name"),
            ("120240531.png", "no date"),
        ],
    )
    def test_unreadable_names(self, tmp_path, name, words):
        draw(tmp_path / name, 20)
        with pytest.raises(DataError, match=words):
            comparison.read_visits([tmp_path / name], dates="names")

    def test_they_are_stated_not_guessed(self, lesion):
        with pytest.raises(DataError, match="not stated where the dates are"):
            comparison.read_visits(images(lesion))


class TestTables:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("image,day\na.png,2024-01-01\n", "'date' is missing"),
            ("image,date,colour\na.png,2024-01-01,x\n", "unknown column 'colour'"),
            ("image,date\na.png,01.02.2024\n", r"line 2: the date '01.02.2024' can't be read"),
            ("image,date\na.png,2924-05-01\n", "line 2: no image was taken on 2924-05-01"),
            ("image,date\na.png,\n", "line 2: 'date' is empty"),
            ("image,date\na.png\n", "another number of cells"),
            ("image,date\n", "no row"),
            ("", "'image' is missing"),
            ("image,date,lesion_id\na.png,2024-01-01,L1\nb.png,2024-01-02,L2\n", "2 lesions"),
        ],
    )
    def test_bad_ones(self, tmp_path, text, words):
        (tmp_path / "t.csv").write_text(text)
        with pytest.raises(DataError, match=words):
            comparison.read_visits(tmp_path / "t.csv")

    def test_a_good_one(self, tmp_path, classifier):
        draw(tmp_path / "a.png", 20), draw(tmp_path / "b.png", 30)
        rows = "image,date,mask\nb.png,2024-05-31,b_mask.png\na.png,2023-01-02,a_mask.png\n"
        (tmp_path / "t.csv").write_text(rows, encoding="utf-8-sig")
        found = comparison.follow(comparison.read_visits(tmp_path / "t.csv"), classifier)
        assert [c.area_ratio for c in found.changes] == [None, pytest.approx(2.25, abs=0.02)]


class TestRefused:
    def test_one_image_one_date_twice_and_one_picture_twice(self, lesion, classifier):
        visits = comparison.read_visits(images(lesion), dates="names")
        with pytest.raises(DataError, match="nothing to compare it with"):
            comparison.follow(visits[:1], classifier)
        with pytest.raises(DataError, match="have one date, 2023-01-02"):
            comparison.follow([visits[0], comparison.Visit(visits[1].image, visits[0].day)], classifier)
        with pytest.raises(DataError, match="are the same picture"):
            comparison.follow([visits[0], comparison.Visit(visits[0].image, visits[1].day)], classifier)

    @pytest.mark.parametrize(
        ("mask", "words"),
        [
            (np.zeros((120, 120)), "the mask is empty"),
            (np.full((120, 120), 255), "covers the whole image"),
            (np.full((60, 120), 255), "the mask is 120x60, its image 120x120"),
            (np.tile(np.linspace(0, 255, 120), (120, 1)), "other colours than black and white"),
        ],
    )
    def test_masks_that_do_not_fit(self, lesion, classifier, mask, words):
        Image.fromarray(mask.astype(np.uint8)).save(lesion / "masks" / "2023-01-02_mask.png")
        visits = comparison.read_visits(images(lesion), dates="names", masks=lesion / "masks")
        with pytest.raises(DataError, match=words):
            comparison.follow(visits, classifier)

    def test_a_missing_mask(self, lesion):
        (lesion / "masks" / "2023-01-02_mask.png").unlink()
        with pytest.raises(DataError, match=r"2023-01-02.png: no mask for it"):
            comparison.read_visits(images(lesion), dates="names", masks=lesion / "masks")
        with pytest.raises(DataError, match="no masks there"):
            comparison.read_visits(images(lesion), dates="names", masks=lesion / "none")

    def test_a_picture_of_another_kind_is_refused_before_any_work(self, lesion):
        visits = comparison.read_visits(lesion.glob("20*.png"), dates="names")
        with pytest.raises(OutputError, match=r"must end in \.png or \.jpg"):
            comparison.follow(visits, "no such model is opened", out=lesion / "mine.gif")

    def test_what_is_left_out_of_a_folder_is_said(self, lesion, capsys):
        (lesion / "2024-01-01.txt").write_text("notes")
        shutil.rmtree(lesion / "masks")
        assert len(comparison.read_visits(lesion, dates="names")) == 3
        assert "Not classified: 1 file that is not an image (.txt 1)." in capsys.readouterr().err

    def test_an_existing_picture(self, lesion, classifier):
        visits = comparison.read_visits(lesion.glob("20*.png"), dates="names")
        image, picture = sorted(lesion.glob("20*.png"))[0], lesion / "compared.png"
        content = image.read_bytes()
        with pytest.raises(OutputError, match="not a picture drawn by lentigo"):
            comparison.follow(visits, classifier, out=image, overwrite=True)
        assert image.read_bytes() == content
        comparison.follow(visits, classifier, out=picture)
        with pytest.raises(OutputError, match="already exists"):
            comparison.follow(visits, classifier, out=picture)
        comparison.follow(visits, classifier, out=picture, overwrite=True)


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_a_picture_of_a_comparison_is_never_taken_for_a_lesion(lesion, classifier, ending):
    picture = lesion / f"comparison.{ending}"
    comparison.follow(comparison.read_visits(lesion.glob("20*.png"), dates="names"), classifier, out=picture)
    assert is_heatmap(picture)
    with pytest.raises(ImageError, match="a picture drawn by lentigo"):
        classifier.classify(picture)


def test_the_command_line(lesion, bundle_path, run):
    asked = ("--dates", "names", "--masks", lesion / "masks", "--model", bundle_path)
    code, out, err = run("follow", *images(lesion), *asked, "--out", lesion / "picture" / "f.png", "--format", "json")
    assert code == 0, err
    values = json.loads(out)
    assert values["changes"][0]["day"] == "2023-01-02"
    assert "A lesion that changes needs a clinician" in values["hint"]
    assert Image.open(lesion / "picture" / "f.png").width > 600
    code, out, _ = run("follow", *images(lesion), *asked)
    assert code == 0 and "needs a clinician" in out
