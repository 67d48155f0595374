from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lentigo.data.records import COLUMNS, Problem, Records, make_table
from lentigo.errors import DataError, ImageError
from lentigo.labels import BINARY, HAM10000, ISIC2019, Label, LabelSet, find_mapping


def test_make_table_completes_and_types_the_columns():
    rows = pd.DataFrame({"image_id": ["a", "b"], "dx": ["mel", "nv"], "age": ["60", ""], "path": ["a.jpg", "b.jpg"]})
    table = make_table(rows.iloc[::-1])
    assert tuple(table.columns) == COLUMNS
    assert table.index.tolist() == [0, 1]
    assert table["image_id"].tolist() == ["b", "a"]
    assert table["malignant"].dtype == bool
    assert table["malignant"].tolist() == [False, True]
    assert table["age"].dtype == float
    assert np.isnan(table["age"].iloc[0])
    assert table["sex"].tolist() == [None, None]


def test_without_lesion_ids_every_image_is_its_own_lesion():
    rows = pd.DataFrame({"image_id": ["a", "b"], "dx": ["nv", "nv"], "lesion_id": ["x", None], "path": ["a", "b"]})
    assert make_table(rows)["lesion_id"].tolist() == ["x", "b"]
    assert make_table(rows.drop(columns="lesion_id"))["lesion_id"].tolist() == ["a", "b"]


@pytest.fixture
def binary() -> Records:
    """A source that knows only benign and malignant."""
    rows = pd.DataFrame({"image_id": ["a", "b", "c"], "malignant": [True, False, False], "path": ["a", "b", "c"]})
    return Records(make_table(rows), "binary", Path("binary"))


def test_a_source_that_knows_only_benign_and_malignant(binary):
    assert binary.counts() == {"benign": 2, "malignant": 1}
    assert binary.label_set == BINARY
    assert binary.labels.tolist() == [1, 0, 0]


def test_labels_are_of_the_records_own_set():
    rows = pd.DataFrame({"image_id": list("abc"), "dx": ["nv", "scc", "ak"], "path": list("abc")})
    records = Records(make_table(rows, ISIC2019), "isic", Path("isic"), label_set=ISIC2019)
    assert records.labels.tolist() == [5, 6, 0]
    assert records.table["malignant"].tolist() == [False, True, True]
    assert records.counts() == {"ak": 1, "bcc": 0, "bkl": 0, "df": 0, "mel": 0, "nv": 1, "scc": 1, "vasc": 0}
    assert records.take(["b"]).label_set is ISIC2019
    with pytest.raises(DataError, match=r"2 records have a label that is not in HAM10000 .*, the first 'scc'"):
        Records(records.table, "isic", Path("isic"))


def test_labels_are_mapped_as_stated_and_what_has_no_place_is_reported():
    rows = pd.DataFrame({"image_id": list("abc"), "dx": ["nv", "scc", "ak"], "path": list("abc")})
    records = Records(make_table(rows, ISIC2019), "isic", Path("isic"), label_set=ISIC2019)
    mapped = records.mapped(find_mapping("ham10000", ISIC2019))
    assert mapped.label_set is HAM10000
    assert mapped.table["dx"].tolist() == ["nv", "akiec"]
    assert mapped.problem_counts() == {"scc has no target in HAM10000": 1}
    binary = records.mapped(find_mapping("binary", ISIC2019))
    assert binary.labels.tolist() == [0, 1, 1]
    assert binary.counts() == {"benign": 1, "malignant": 2}
    with pytest.raises(DataError, match="the mapping is for HAM10000"):
        records.mapped(find_mapping("binary", HAM10000))
    with pytest.raises(DataError, match="none of its 1 labels has a target"):
        records.take(["b"]).mapped(find_mapping("ham10000", ISIC2019))


def test_what_is_not_known_to_be_malignant_is_not_called_benign():
    mine = LabelSet("mine", (Label("a", "first", True), Label("b", "second")))
    table = make_table(pd.DataFrame({"image_id": list("xy"), "dx": ["a", "b"], "path": list("xy")}), mine)
    assert table["malignant"].tolist() == [True, pd.NA]


def test_some_images_without_a_diagnosis_are_not_labelled(toy_records):
    records = toy_records(["x", "y"], ["nv", None])
    with pytest.raises(DataError, match="1 of 2 images have no diagnosis"):
        _ = records.labels


def test_labels_and_counts(toy_records):
    records = toy_records(["x", "x", "y"], ["vasc", "vasc", "akiec"])
    assert len(records) == 3
    assert records.labels.tolist() == [6, 6, 0]
    assert records.labels.dtype == np.int64
    assert records.counts() == {"akiec": 1, "bcc": 0, "bkl": 0, "df": 0, "mel": 0, "nv": 0, "vasc": 2}


def test_take_keeps_the_order_asked_for(toy_records):
    records = toy_records(list("xyz"), ["nv", "mel", "bcc"], pairs=[("i000", "i001")])
    some = records.take(["i002", "i000"])
    assert some.ids.tolist() == ["i002", "i000"]
    assert some.table["dx"].tolist() == ["bcc", "nv"]
    assert some.table.index.tolist() == [0, 1]
    assert some.known_pairs == records.known_pairs
    assert len(records) == 3
    assert len(records.take([])) == 0


def test_take_names_the_first_absent_image(toy_records):
    with pytest.raises(DataError, match="no image 'i009' among the 2 records"):
        toy_records(list("xy"), ["nv", "nv"]).take(["i001", "i009", "i010"])


def test_broken_tables_are_refused(toy_records):
    table = toy_records(list("xy"), ["nv", "nv"]).table
    with pytest.raises(DataError, match="here: the records lack the columns age, site"):
        Records(table.drop(columns=["age", "site"]), "toy", Path("here"))
    twice = pd.concat([table, table.iloc[[1]]], ignore_index=True)
    with pytest.raises(DataError, match="image id i001 occurs twice"):
        Records(twice, "toy", Path("here"))
    with pytest.raises(DataError, match="image id i001 occurs twice"):
        toy_records(list("xy"), ["nv", "nv"]).take(["i001", "i001"])


def test_problems_are_counted_by_kind_and_read_as_a_line(toy_records):
    table = toy_records(["x"], ["nv"]).table
    found = (Problem("a", "gone", "missing image"), Problem("b", "gone", "missing image"), Problem("c", "odd", "extra"))
    assert Records(table, "toy", Path("toy"), found).problem_counts() == {"missing image": 2, "extra": 1}
    assert Records(table, "toy", Path("toy")).problem_counts() == {}
    assert str(found[0]) == "a: gone [dropped]"


def test_a_picture_comes_from_its_file_or_from_its_row_of_the_array(tmp_path):
    pictures = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 3), dtype=np.uint8)
    Image.fromarray(pictures[1]).save(tmp_path / "a#2.png")
    rows = pd.DataFrame({"image_id": ["a"], "dx": ["nv"], "path": [str(tmp_path / "a#2.png")]})
    files = Records(make_table(rows), "files", tmp_path)
    assert np.array_equal(files.decode(files.table["path"][0]), pictures[1])
    array = Records(make_table(rows.assign(path="a#b.npz#2")), "array", tmp_path, pixels=pictures)
    assert np.array_equal(array.decode(array.table["path"][0]), pictures[2])
    with pytest.raises(ImageError, match=r"absent\.png"):
        files.decode(str(tmp_path / "absent.png"))


def test_problems_are_summed_up_in_one_line(toy_records):
    table = toy_records(["x"], ["nv"]).table
    found = (
        *[Problem(str(i), "gone", "missing image") for i in range(1_063)],
        Problem("a", "odd", "unknown label"),
        Problem("b", "odd", "extra image", "ignored"),
        Problem("c", "odd", "bad age", "kept"),
    )
    records = Records(table, "toy", Path("toy"), found)
    assert records.problem_summary() == (
        "1,064 skipped (missing image 1,063, unknown label 1); 1 ignored (extra image 1); "
        "1 kept with a problem (bad age 1)"
    )
    assert records.problem_counts("kept") == {"bad age": 1}
    assert Records(table, "toy", Path("toy")).problem_summary() == ""


def test_records_are_shown_in_a_line(toy_records):
    shown = repr(toy_records(["a", "a", "b"], ["nv", "nv", "mel"]))
    assert shown == "<Records toy: 3 images of 2 lesions, HAM10000>"
