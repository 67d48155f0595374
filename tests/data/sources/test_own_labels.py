"""Data with a user's own labels, and layouts that have labels of their own."""

import json

import pytest

from lentigo import data
from lentigo.errors import DataError
from lentigo.labels import BINARY, HAM10000, PAD_UFES_20, read_label_set
from tests.data.sources.made import save_pictures

LABELS = "id,name,malignant,aliases\nmela,melanoma,yes,MM\nmole,naevus,no,\nwart,verruca,no,\n7,seventh,,\n"


@pytest.fixture
def table(tmp_path):
    """A table whose labels are ids, names and aliases of `LABELS`, and the labels' file beside it."""
    save_pictures(tmp_path, list("abcdef"))
    (tmp_path / "own.csv").write_text(LABELS)
    rows = ["a,MM", "b,Naevi", "c,wart", "d,7", "e,dermatofibroma", "f,Verruca"]
    (tmp_path / "t.csv").write_text("\n".join(["image,label,lesion_id", *(f"{r},L{r[0]}" for r in rows)]))
    return tmp_path / "t.csv"


def test_a_table_is_read_with_a_users_labels(table):
    back = data.read(table, labels=table.with_name("own.csv"))
    assert back.label_set == read_label_set(table.with_name("own.csv"))
    assert back.table["dx"].tolist() == ["mela", "mole", "wart", "7", "wart"]
    assert back.labels.tolist() == [0, 1, 2, 3, 2]
    assert back.table["malignant"].astype(object).fillna("?").tolist() == [True, False, False, "?", False]
    assert back.problem_counts() == {"unknown label": 1}
    assert back.counts() == {"mela": 1, "mole": 1, "wart": 2, "7": 1}


@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_a_label_set_beside_the_data_is_taken(table, suffix):
    made = read_label_set(table.with_name("own.csv"))
    beside = table.with_name(f"label_set{suffix}")
    beside.write_text(LABELS if suffix == ".csv" else json.dumps(made.to_dict()))
    assert data.read(table.parent).label_set == data.read(table).label_set == made


def test_two_label_sets_beside_the_data_are_ambiguous(table):
    for name in ("label_set.csv", "label_set.json"):
        table.with_name(name).write_text(LABELS)
    with pytest.raises(DataError, match="both define a label set"):
        data.read(table)


def test_class_folders_are_read_with_a_users_labels(tmp_path):
    (tmp_path / "own.csv").write_text(LABELS)
    for folder, name in (("Wart", "a"), ("mole", "b"), ("MM", "c")):
        save_pictures(tmp_path / "tree" / folder, [name])
    back = data.read(tmp_path / "tree", labels=tmp_path / "own.csv")
    assert back.name == "folders"
    assert sorted(back.table["dx"]) == ["mela", "mole", "wart"]


def test_diagnoses_are_read_as_benign_and_malignant_where_that_is_stated(tmp_path):
    save_pictures(tmp_path, list("abc"))
    (tmp_path / "t.csv").write_text("image,label,lesion_id\na,melanoma,1\nb,nevus,2\nc,squamous cell carcinoma,3\n")
    back = data.read(tmp_path, labels="binary")
    assert back.label_set == BINARY
    assert back.labels.tolist() == [1, 0, 1]


def test_a_plain_malignant_is_no_diagnosis_where_ham10000s_are_stated(tmp_path):
    save_pictures(tmp_path, list("ab"))
    (tmp_path / "t.csv").write_text("image,label,lesion_id\na,melanoma,1\nb,malignant,2\n")
    back = data.read(tmp_path, labels="ham10000")
    assert back.label_set == HAM10000
    assert back.problem_counts() == {"unknown label": 1}


def test_a_layout_with_labels_of_its_own_takes_no_others(synthetic_root):
    assert data.read(synthetic_root, labels="HAM10000").label_set == HAM10000
    with pytest.raises(DataError, match=r"this layout has the labels of HAM10000 .* not those of ISIC2019"):
        data.read(synthetic_root, labels="isic2019")


def test_pad_ufes_20_keeps_its_six(tmp_path):
    save_pictures(tmp_path, [f"PAT_{i}" for i in range(6)])
    codes = ("ACK", "BCC", "MEL", "NEV", "SCC", "SEK")
    rows = [f"PAT_{i},P{i},L{i},{c}" for i, c in enumerate(codes)]
    (tmp_path / "metadata.csv").write_text("\n".join(["img_id,patient_id,lesion_id,diagnostic", *rows]))
    back = data.read(tmp_path)
    assert back.label_set == PAD_UFES_20
    assert back.table["dx"].tolist() == [c.lower() for c in codes]


def test_spellings_of_an_own_label_do_not_contradict_each_other(tmp_path):
    save_pictures(tmp_path, list("abcd"))
    (tmp_path / "label_set.csv").write_text(LABELS)
    rows = ["a,MM,melanoma,1", "b,mole,naevus,2", "c,wart,melanoma,3", "d,wart,,4", "d,verruca,,4"]
    (tmp_path / "t.csv").write_text("\n".join(["image,dx,diagnosis,lesion_id", *rows]))
    back = data.read(tmp_path)
    assert back.table["dx"].tolist() == ["mela", "mole", "wart"]
    assert back.problem_counts("dropped") == {"contradictory label": 1, "duplicate row": 1}


def test_the_codes_of_pad_ufes_beside_their_names(tmp_path):
    save_pictures(tmp_path, list("abc"))
    rows = ["a,ACK,actinic keratosis,benign,1", "b,NEV,nevus,benign,2", "c,SEK,seborrheic keratosis,malignant,3"]
    (tmp_path / "t.csv").write_text("\n".join(["img_id,diagnostic,diagnosis,benign_malignant,lesion_id", *rows]))
    back = data.read(tmp_path)
    assert back.table["image_id"].tolist() == ["a", "b"]
    reason = "diagnosis says 'seborrheic keratosis', benign_malignant says 'malignant': neither is used"
    assert [p.reason for p in back.problems] == [reason]
