import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lentigo import data
from lentigo.data.augment import sheet, sheet_of
from lentigo.data.augment.sheet import CORRECTIONS, MIXING, RANDOM
from lentigo.errors import DataError, ImageError, OutputError
from tests.data.sources.made import save_pictures

module = sys.modules["lentigo.data.augment.sheet"]  # the package has a function of that name


def lesion(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_the_sheet_names_every_augmentation(tmp_path: Path) -> None:
    written = sheet(lesion(30, 40), tmp_path / "sheet.svg", other=lesion(50, 45, seed=1))
    text = written.read_text(encoding="utf-8")
    for name in [*RANDOM, *CORRECTIONS, *MIXING]:
        assert re.search(rf"(<!-- |>){re.escape(name)}( -->|</)", text), name


def test_the_suffix_tells_the_format(tmp_path: Path) -> None:
    with Image.open(sheet(lesion(16, 16), tmp_path / "sheet.png")) as picture:
        assert picture.format == "PNG"
        assert picture.height > picture.width


def test_an_unreadable_image_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"absent\.jpg"):
        sheet(tmp_path / "absent.jpg", tmp_path / "sheet.png")


@pytest.mark.parametrize("kinds", [["mel", "nv"], ["nv", "nv"]])
def test_a_data_set_gives_a_malignant_and_a_benign_lesion_where_it_has_both(toy_records, monkeypatch, tmp_path, kinds):
    pictures = np.stack([lesion(16, 16, seed) for seed in range(2)])
    records = toy_records(["a", "b"], kinds)
    records = replace(records, table=records.table.assign(path=["p#0", "p#1"]), pixels=pictures)
    drawn = []
    monkeypatch.setattr(module, "sheet", lambda image, out, *, other, seed: drawn.extend((image, other)) or out)
    sheet_of(records, tmp_path / "sheet.png")
    if "mel" in kinds:
        assert np.array_equal(drawn, pictures)
    else:
        assert drawn[1] is None


def test_a_data_set_without_a_readable_image_is_refused(toy_records, tmp_path):
    with pytest.raises(DataError, match="none of 2 images can be read"):
        sheet_of(toy_records(["a", "b"], ["mel", "nv"]), tmp_path / "sheet.png")


@pytest.mark.parametrize("name", ["sheet.docx", "sheet", ".png"])
def test_a_sheet_that_can_not_be_drawn_leaves_nothing(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="can't draw the sheet"):
        sheet(lesion(16, 16), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_sheet_never_takes_the_place_of_an_image_or_lies_among_them(synthetic_records, tmp_path: Path) -> None:
    Image.fromarray(lesion(16, 16)).save(tmp_path / "mine.png")
    before = (tmp_path / "mine.png").read_bytes()
    with pytest.raises(OutputError, match="one of the images"):
        sheet(tmp_path / "mine.png", tmp_path / "mine.png")
    assert (tmp_path / "mine.png").read_bytes() == before
    for out in (Path(synthetic_records.table["path"][0]), synthetic_records.root / "sheet.png"):
        with pytest.raises(OutputError, match="inside the data set"):
            sheet_of(synthetic_records, out)
    with pytest.raises(OutputError, match="folder"):
        sheet(lesion(16, 16), tmp_path / "mine.png" / "sheet.png")


@pytest.mark.filterwarnings("error")  # torch's, too
def test_an_image_of_the_data_set_is_never_overwritten(tmp_path):
    data_folder = tmp_path / "data"
    first, _ = save_pictures(data_folder, ["a", "b"], suffix=".png")
    before = first.read_bytes()
    table = data_folder / "t.csv"
    table.write_text("image,dx,lesion_id\na,mel,1\nb,nv,2\n")
    for root in (data_folder, table):
        with pytest.raises(OutputError, match="inside the data set"):
            sheet_of(data.read(root), first)
    assert first.read_bytes() == before
    sheet_of(data.read(table), tmp_path / "sheet.png")
