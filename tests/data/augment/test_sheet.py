from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lentigo.data.augment import sheet
from lentigo.data.augment.sheet import MENDING, MIXING, RANDOM
from lentigo.errors import ImageError


def lesion(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_the_sheet_names_every_augmentation(tmp_path: Path) -> None:
    written = sheet(lesion(30, 40), tmp_path / "sheet.svg", other=lesion(50, 45, seed=1))
    text = written.read_text(encoding="utf-8")
    for name in [*RANDOM, *MENDING, *MIXING]:
        assert f"<!-- {name} -->" in text


def test_the_suffix_tells_the_format(tmp_path: Path) -> None:
    with Image.open(sheet(lesion(16, 16), tmp_path / "sheet.png")) as picture:
        assert picture.format == "PNG"
        assert picture.height > picture.width


def test_an_unreadable_image_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"absent\.jpg"):
        sheet(tmp_path / "absent.jpg", tmp_path / "sheet.png")
