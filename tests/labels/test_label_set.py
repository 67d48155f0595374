import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lentigo import taxonomy
from lentigo.errors import DataError
from lentigo.labels import BINARY, HAM10000, ISIC2019, KNOWN, PAD_UFES_20, Label, LabelSet, find_label_set

TWO = (Label("a", "first"), Label("b", "second"))


def test_the_sets_that_ship():
    assert HAM10000.classes == taxonomy.CLASSES
    assert set(HAM10000.malignant) == {"akiec", "bcc", "mel"}
    assert ISIC2019.classes == ("ak", "bcc", "bkl", "df", "mel", "nv", "scc", "vasc")
    assert [label.id for label in ISIC2019.outside] == ["unk"]
    assert PAD_UFES_20.classes == ("ack", "bcc", "mel", "nev", "scc", "sek")
    assert BINARY.classes == ("benign", "malignant")
    assert [s.melanoma for s in KNOWN.values()] == ["mel", "mel", "mel", None]
    assert all(s.knows_malignancy for s in KNOWN.values())


@pytest.mark.parametrize("name", ["HAM10000", "ham10000", "isic2019", "PAD_UFES_20", "pad-ufes-20", "binary"])
def test_sets_that_ship_are_found_by_name(name):
    assert find_label_set(name) in KNOWN.values()


def test_an_unknown_set_gets_the_known_names():
    with pytest.raises(DataError, match=r"ham10000, isic2019, pad-ufes-20, binary; or give a CSV or JSON file"):
        find_label_set("isic2016")


@pytest.mark.parametrize("label_set", KNOWN.values(), ids=KNOWN)
def test_plain_values_and_back(label_set):
    again = LabelSet.from_dict(json.loads(json.dumps(label_set.to_dict())))
    assert again == label_set
    assert again.to_dict() == label_set.to_dict()
    assert again.hash == label_set.hash
    assert len({label_set, again}) == 1


def test_equality_is_of_content_not_of_names():
    assert dataclasses.replace(HAM10000, name="mine") == HAM10000
    assert dataclasses.replace(HAM10000, labels=HAM10000.labels[::-1]) != HAM10000
    turned = tuple(dataclasses.replace(label, malignant=None) for label in HAM10000.labels)
    assert dataclasses.replace(HAM10000, labels=turned) != HAM10000
    assert dataclasses.replace(HAM10000, labels=turned).hash != HAM10000.hash


@pytest.mark.parametrize(
    ("text", "id"), [("mel", "mel"), (" Melanoma", "mel"), ("melanocytic_nevus", "nv"), ("AK", "ak"), ("ACK", "ak")]
)
def test_labels_are_found_by_any_name(text, id):
    assert ISIC2019.find(text).id == id


def test_a_misspelling_gets_the_right_spelling_and_nonsense_the_ids():
    with pytest.raises(DataError, match=r"ISIC2019 has no label 'melanomma'\. Did you mean 'melanoma'\?"):
        ISIC2019.find("melanomma")
    with pytest.raises(DataError, match="Known ids: benign, malignant"):
        BINARY.find("xyzzy")


def test_positions():
    assert HAM10000.index(["vasc", "akiec", "mel"]).tolist() == [6, 0, 4]
    assert HAM10000.index([]).dtype == np.int64
    with pytest.raises(DataError, match="HAM10000 has no label 'scc'"):
        HAM10000.index(["nv", "scc"])


@pytest.mark.parametrize("id", ["", "a b", "a.b", "_a", "a/b", "macro", "Decision", "a" * 41, "ä"])
def test_ids_that_could_not_name_a_column_are_refused(id):
    with pytest.raises(DataError, match="can't be the id of a label"):
        Label(id, "a name")


@pytest.mark.parametrize(
    ("labels", "melanoma", "reason"),
    [
        (TWO[:1], None, "has 1 labels"),
        ((*TWO, TWO[0]), None, "twice"),
        ((*TWO, Label("A", "third")), None, "names both a and A"),
        ((*TWO, Label("c", "third", aliases=("First",))), None, "names both a and c"),
        (TWO, "c", "no such label"),
        ((TWO[0], Label("m", "second", False)), "m", "melanoma but not malignant"),
        ((TWO[0], Label("x", "Melanoma", True)), None, "declares no melanoma"),
        ((Label("melanoma", "of the eye"), Label("mel", "of the skin")), "mel", "not its label melanoma"),
    ],
)
def test_what_is_no_label_set(labels, melanoma, reason):
    with pytest.raises(DataError, match=reason):
        LabelSet("mine", labels, melanoma)


def test_malignancy_is_known_only_where_all_of_it_is():
    assert not LabelSet("mine", TWO).knows_malignancy
    assert not LabelSet("mine", (Label("a", "first", True), Label("b", "second"))).knows_malignancy
    assert LabelSet("mine", (Label("a", "first", True), Label("b", "second", False))).knows_malignancy


@pytest.mark.parametrize(
    "values", [{}, {"name": "mine"}, {"name": "mine", "labels": [{"name": "no id"}]}, {"labels": 3}]
)
def test_damaged_values_are_refused(values):
    with pytest.raises(DataError):
        LabelSet.from_dict(values)


@given(st.lists(st.from_regex(r"[a-z][a-z0-9]{3,8}", fullmatch=True), min_size=2, max_size=9, unique=True))
def test_every_id_stands_where_it_was_put(ids):
    made = LabelSet("mine", tuple(Label(f"q{i}", f"name of {i}") for i in ids))
    assert made.index(made.classes).tolist() == list(range(len(ids)))
    assert [made.find(f"NAME OF {i}").id for i in ids] == list(made.classes)
