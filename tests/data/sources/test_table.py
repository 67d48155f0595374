import pytest

from lentigo import data
from lentigo.errors import DataError, DataWarning
from tests.data.sources.made import save_pictures


def test_paths_labels_and_what_else_is_known_are_read(tmp_path):
    save_pictures(tmp_path / "pictures", ["a", "b", "c"])
    absolute = tmp_path / "pictures" / "c.jpg"
    (tmp_path / "t.csv").write_text(
        "Path,Label,lesion_id,Age,sex,localization,patient_id\n"
        "pictures/a.jpg,melanoma,L1,61,male,back,P1\n"
        "pictures/b.jpg,Nevus,L1,,female,face,P1\n"
        f"{absolute},bkl,L2,40,,,P2\n"
    )
    back = data.read(tmp_path)
    assert back.problems == ()
    assert back.name == "table"
    assert back.ids.tolist() == ["a", "b", "c"]
    assert back.table["dx"].tolist() == ["mel", "nv", "bkl"]
    assert back.table["lesion_id"].tolist() == ["L1", "L1", "L2"]
    assert back.table["site"].tolist() == ["back", "face", None]
    assert back.table["age"].iloc[0] == 61
    assert back.table["patient_id"].tolist() == ["P1", "P1", "P2"]


@pytest.mark.parametrize(
    ("separator", "suffix"), [(",", ".csv"), (";", ".csv"), ("\t", ".csv"), ("\t", ".tsv"), ("\t", ".tab")]
)
def test_separators(tmp_path, separator, suffix):
    save_pictures(tmp_path, ["a", "b"])
    rows = [["filename", "diagnosis"], ["a.jpg", "mel"], ["b.jpg", "nv"]]
    path = tmp_path / f"t{suffix}"
    path.write_text("\n".join(separator.join(row) for row in rows))
    assert data.read(path).table["dx"].tolist() == ["mel", "nv"]


def test_ids_are_found_anywhere_below_the_table(tmp_path):
    save_pictures(tmp_path / "x" / "y", ["ISIC_1"])
    save_pictures(tmp_path / "z", ["ISIC_2"])
    (tmp_path / "t.csv").write_text("image_id,dx,lesion_id\nISIC_1,mel,A\nISIC_2,nv,B\nISIC_3,nv,C\n")
    back = data.read(tmp_path / "t.csv")
    assert back.ids.tolist() == ["ISIC_1", "ISIC_2"]
    assert back.problem_counts() == {"missing image": 1}


def test_flags_of_malignancy_may_be_numbers_or_words(tmp_path):
    save_pictures(tmp_path, ["a", "b", "c", "d"])
    (tmp_path / "t.csv").write_text("image,target\na,1\nb,0\nc,True\nd,malignant\n")
    back = data.read(tmp_path)
    assert back.table["malignant"].tolist() == [True, False, True, True]
    assert back.table["dx"].isna().all()


def test_numbered_diagnoses_are_refused(tmp_path):
    save_pictures(tmp_path, ["a", "b"])
    (tmp_path / "t.csv").write_text("image,label\na,4\nb,5\n")
    with pytest.raises(DataError, match=r"t\.csv: labels are numbers \(4, 5\).*4 is melanoma in MedMNIST"):
        data.read(tmp_path)


def test_files_of_one_name_in_two_folders_stay_two_images(tmp_path):
    save_pictures(tmp_path / "a", ["1"])
    save_pictures(tmp_path / "b", ["1"])
    (tmp_path / "t.csv").write_text("path,label\na/1.jpg,mel\nb/1.jpg,nv\n")
    assert data.read(tmp_path).ids.tolist() == ["a/1.jpg", "b/1.jpg"]


def test_rows_that_can_not_be_used_are_left_out_and_named(tmp_path):
    save_pictures(tmp_path, ["a", "b", "c"])
    (tmp_path / "t.csv").write_text("path,label\na.jpg,mel\na.jpg,nv\nb.jpg,wart\nc.jpg,\nabsent.jpg,nv\n,nv\n")
    back = data.read(tmp_path)
    assert back.ids.tolist() == ["a"]
    assert back.problem_counts() == {
        "duplicate id": 1,
        "unknown label": 1,
        "missing label": 1,
        "missing image": 1,
        "missing image id": 1,
        "no lesion ids": 1,
    }
    with pytest.raises(DataError, match="6 problems; the first: a: a second row"):
        data.read(tmp_path, strict=True)


def test_no_usable_row_is_an_error(tmp_path):
    (tmp_path / "t.csv").write_text("path,label\nabsent.jpg,mel\n")
    with pytest.raises(DataError, match=r"none of its 1 rows is usable; the first: absent"):
        data.read(tmp_path)


def test_two_tables_are_ambiguous(tmp_path):
    save_pictures(tmp_path, ["a"])
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("path,label\na.jpg,mel\n")
    with pytest.raises(DataError, match=r"found a\.csv, b\.csv"):
        data.read(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"path,label\r\n", "it has no rows"),
        (b"path,label\na.jpg,mel,3\n", "line 2 has 3 fields, the header has 2"),
        (b"path,label\n\na.jpg\n", "line 3 has 1 fields, the header has 2"),
        (b"path,label\na.jpg,\xe9\n", "not a readable CSV table"),
        (b"path,label,label\na.jpg,mel,mel\n", "'label' occurs twice"),
        (b"path,label,Label\na.jpg,mel,mel\n", "two columns have one name"),
        (b'path,label\n"a.jpg,mel\n', "line 2 has 1 fields"),
    ],
)
def test_broken_tables_are_refused_by_name(tmp_path, content, message):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        data.read(tmp_path / "t.csv")
    assert "t.csv" in str(caught.value)


def test_byte_order_mark_and_mixed_line_ends_are_taken_as_they_come(tmp_path):
    save_pictures(tmp_path, ["a", "b", "c"])
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbfpath,label\r\na.jpg,mel\rb.jpg,nv\n\r\nc.jpg, bkl \r\n")
    assert data.read(tmp_path).table["dx"].tolist() == ["mel", "nv", "bkl"]


def test_an_unknown_layout_lists_what_was_looked_for(tmp_path):
    (tmp_path / "readme.txt").write_text("nothing")
    with pytest.raises(DataError) as caught:
        data.read(tmp_path)
    for word in ("HAM10000_metadata.csv", "hmnist_*.csv", "dermamnist*.npz", "truth table", "class folders", "label"):
        assert word in str(caught.value)
    with pytest.raises(DataError, match="there is no such folder or file"):
        data.read(tmp_path / "absent")


def test_a_reader_in_python_is_warned_of_what_was_left_out(tmp_path):
    save_pictures(tmp_path, ["a"])
    (tmp_path / "t.csv").write_text("path,label,lesion_id\na.jpg,mel,1\nabsent.jpg,nv,2\n")
    with pytest.warns(DataWarning, match=r"1 left out \(missing image 1\)\. To list them: lentigo data audit"):
        data.read(tmp_path)
