import json

import pytest

from lentigo.errors import DataError
from lentigo.labels import BINARY, HAM10000, ISIC2019, LabelSet, read_label_set, read_mapping

FIVE = """id,name,malignant,aliases,melanoma
mela,melanoma,yes,MM|melanoma maligna,yes
naevus,melanocytic naevus,no,mole,
wart,verruca vulgaris,no,,
scc,,,,
odd,something else,,,
"""


@pytest.fixture
def write(tmp_path):
    def one(text: str, name: str = "mine.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return one


def test_a_users_table(write):
    found = read_label_set(write(FIVE))
    assert found.name == "mine"
    assert found.classes == ("mela", "naevus", "wart", "scc", "odd")
    assert found.melanoma == "mela"
    assert found.find("mm").id == "mela"
    assert found["scc"].malignant and found["scc"].name == "squamous cell carcinoma" and found["scc"].snomed_ct
    assert found["odd"].malignant is None
    assert found["wart"].malignant is False


def test_known_ids_alone_are_enough(write):
    found = read_label_set(write("id\nmel\nnv\nbkl\n"))
    assert (found.melanoma, found.malignant) == ("mel", ("mel",))


def test_json_holds_what_to_dict_gives(write):
    assert read_label_set(write(json.dumps(HAM10000.to_dict()), "h.json")) == HAM10000


def test_names_and_sets_pass_through():
    assert read_label_set("binary") is BINARY
    assert read_label_set(BINARY) is BINARY


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "column 'id' is missing"),
        ("name\nmelanoma\n", "column 'id' is missing"),
        ("id,colour\na,red\n", "column 'colour'"),
        ("id,id\na,b\n", "occurs twice"),
        ("id,name\na\nb,second\n", "row 2 has 1 fields"),
        ("id\na\n", "has 1 labels"),
        ("id,malignant\na,perhaps\nb,no\n", "malignant 'perhaps'"),
        ("id,melanoma\na,yes\nb,yes\n", "both marked as melanoma"),
        ("id,melanoma\nmel,\nnv,\n", "declares no melanoma"),
    ],
)
def test_a_broken_table_names_the_file_and_the_reason(write, text, reason):
    path = write(text)
    with pytest.raises(DataError, match=reason) as caught:
        read_label_set(path)
    assert caught.value.message.startswith(f"{path}: ")


@pytest.mark.parametrize("text", ["", "[1]", "{", '{"name": "mine"}'])
def test_broken_json_too(write, text):
    with pytest.raises(DataError, match=r"mine\.json: "):
        read_label_set(write(text, "mine.json"))


def test_an_absent_file_is_not_taken_for_a_name(tmp_path):
    with pytest.raises(DataError, match="there is no such file"):
        read_label_set(tmp_path / "none.csv")
    with pytest.raises(DataError, match="Unknown label set 'none'"):
        read_label_set("none")


def test_a_users_mapping(write):
    mine: LabelSet = read_label_set(write(FIVE))
    path = write("from,to\nMM,malignant\nmole,benign\nwart,benign\nscc,malignant\nodd,\n", "map.csv")
    found = read_mapping(path, mine, BINARY)
    assert found.ids(mine.classes) == ["malignant", "benign", "benign", "malignant", None]
    assert found.name == "map.csv"
    as_json = write(json.dumps(dict(found.pairs)), "map.json")
    assert read_mapping(as_json, mine, BINARY).pairs == found.pairs


def test_a_users_mapping_must_be_complete(write):
    with pytest.raises(DataError, match=r"map\.csv: .*has no target for scc, vasc"):
        read_mapping(
            write("from,to\nak,akiec\nbcc,bcc\nbkl,bkl\ndf,df\nmel,mel\nnv,nv\n", "map.csv"), ISIC2019, HAM10000
        )
    with pytest.raises(DataError, match=r"map\.csv: HAM10000 has no label 'melano'"):
        read_mapping(write("from,to\nmel,melano\n", "map.csv"), ISIC2019, HAM10000)


def test_a_mapping_by_name():
    assert read_mapping("ham10000", ISIC2019, HAM10000).left_out == ("scc",)
