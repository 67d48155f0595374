"""Every file that people write by hand is read as their editor or spreadsheet saved it."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lentigo import data
from lentigo.compression.recipe import CompressionRecipe
from lentigo.compression.teacher_specs import load_teachers
from lentigo.data.pairs import read_pairs
from lentigo.errors import LentigoError
from lentigo.labels import BINARY, HAM10000, read_label_set, read_mapping
from lentigo.runtime.prevalence import read_prevalence
from lentigo.runtime.tables import read_table
from lentigo.training import Recipe, load_space
from lentigo.written import read_text

LABELS = "id,name,malignant\nmela,Melanom,yes\nnaevus,Nävus,no\n"
MAP = "from;to\n" + "".join(f"{c};{'malignant' if c in ('mel', 'bcc') else 'benign'}\n" for c in HAM10000.classes)
READERS = {
    "a table of a data set": (
        "t.csv",
        "path;label;note\na.png;mel;schön\nb.png;nv;é\n",
        lambda file: data.read(file).table["dx"].tolist(),
    ),
    "a label set": ("mine.csv", LABELS, lambda file: read_label_set(file).classes),
    "a label set in JSON": (
        "mine.json",
        json.dumps({"labels": [{"id": "m", "name": "Nävus"}, {"id": "b", "name": "B"}]}, ensure_ascii=False),
        lambda file: read_label_set(file).classes,
    ),
    "a mapping": ("map.csv", MAP, lambda file: read_mapping(file, HAM10000, BINARY).pairs),
    "metadata of patients": ("known.csv", "image,age\nä.jpg,40\n", lambda file: [*read_table(file)[1]]),
    "a prevalence": ("shares.json", '{"mel": 0.02, "nv": 0.98}', lambda file: read_prevalence(str(file))),
    "pairs": ("pairs.csv", "first,second\na,b\n", lambda file: read_pairs(file, data.read(file.parent / "d")).joining),
    "a recipe": ("r.json", '{"epochs": 3}', lambda file: Recipe.load(file).epochs),
    "a search space": ("s.json", '{"epochs": [3, 4]}', load_space),
    "a recipe of compression": ("c.json", '{"steps": ["int8"]}', lambda file: CompressionRecipe.of(file).names),
    "teachers": ("teachers.json", '[{"name": "a", "model": "compact"}]', load_teachers),
}


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "d").mkdir()
    for i, place in enumerate([tmp_path / "a.png", tmp_path / "b.png", tmp_path / "d" / "a.png", tmp_path / "d/b.png"]):
        Image.fromarray(np.random.default_rng(i).integers(0, 255, (8, 8, 3), np.uint8)).save(place)
    (tmp_path / "d" / "t.csv").write_text("path,label\na.png,mel\nb.png,nv\n")
    return tmp_path


@pytest.mark.filterwarnings("ignore:.*lentigo data audit")
@pytest.mark.parametrize("what", READERS)
def test_it_says_the_same_in_every_encoding_with_a_mark(folder, what):
    name, text, read = READERS[what]
    (folder / name).write_bytes(text.encode())
    wanted = read(folder / name)
    for encoding in ("utf-8-sig", "utf-16", "utf-32"):
        (folder / name).write_bytes(text.encode(encoding))
        assert read(folder / name) == wanted, encoding
    (folder / name).write_bytes(b"\xfe\xff" + text.encode("utf-16-be"))
    assert read(folder / name) == wanted


@pytest.mark.filterwarnings("ignore:.*lentigo data audit")
@pytest.mark.parametrize("what", READERS)
@pytest.mark.parametrize("encoding", ["utf-16-le", "latin-1"])
def test_without_a_mark_nothing_is_guessed_and_the_next_step_is_said(folder, what, encoding):
    name, text, read = READERS[what]
    if encoding == "latin-1" and text.isascii():
        text = text.replace("e", "é", 1)
    (folder / name).write_bytes(text.encode(encoding))
    with pytest.raises(LentigoError, match="UTF-8") as caught:
        read(folder / name)
    assert str(folder / name) in caught.value.message


def test_line_ends_are_those_of_python(tmp_path):
    (tmp_path / "t").write_bytes(b"a\r\nb\rc\n")
    assert read_text(tmp_path / "t") == "a\nb\nc\n"
