import json

import pytest

from lentigo.data.pairs import hash_pairs, read_pairs
from lentigo.errors import DataError


@pytest.fixture
def records(toy_records):
    return toy_records([f"L{i}" for i in range(6)], ["nv"] * 6)


def audit_of(folder, *pairs):
    found = [{"first": a, "second": b, "kind": "view", "score": 12.0} for a, b in pairs]
    folder.mkdir(exist_ok=True)
    (folder / "audit.json").write_text(json.dumps({"schema": "lentigo.audit/1", "duplicates": found}))
    return folder


def test_an_audit_is_read_by_its_folder_or_its_file(records, tmp_path):
    folder = audit_of(tmp_path / "audit", ("i000", "i001"), ("i002", "i005"))
    assert read_pairs(folder, records).joining == (("i000", "i001"), ("i002", "i005"))
    assert read_pairs(folder / "audit.json", records).joining == (("i000", "i001"), ("i002", "i005"))


@pytest.mark.parametrize(
    "text",
    [
        "i000,i001\ni002,i005\n",
        "first,second\ni000,i001\ni002,i005\n",
        "\ufeffimage,other,note\r\n i000 ,i001,same\r\n\r\ni002,i005,\r\n",
        'image,other\n"images/i000.jpg",i001.png\nC:\\\\pictures\\\\i002.JPG,i005\n',
    ],
)
def test_tables_are_read_with_and_without_headings(records, tmp_path, text):
    (tmp_path / "pairs.csv").write_text(text)
    assert read_pairs(tmp_path / "pairs.csv", records).joining == (("i000", "i001"), ("i002", "i005"))


def test_pairs_of_other_images_are_named_not_lost(records, tmp_path):
    (tmp_path / "pairs.csv").write_text("i000,i001\ni002,elsewhere\n")
    found = read_pairs(tmp_path / "pairs.csv", records)
    assert found.passed_over == (("i002", "elsewhere"),)
    (tmp_path / "pairs.csv").write_text("i000,i001\ni002,i003.2\n")  # another image than i003
    assert read_pairs(tmp_path / "pairs.csv", records).passed_over == (("i002", "i003.2"),)
    assert "1 pairs name an image that is not among the records; the first: i002 and elsewhere" in found.notices()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("pairs.csv", "a,b\nc,d\n", "not one of its 1 pairs is of the 6 images"),
        ("pairs.csv", "a.jpg,b.jpg\n", "not one of its 1 pairs is of the 6 images"),
        ("pairs.csv", "i000,i001\ni002\n", "line 2: not two images"),
        ("pairs.csv", "i000,i001\ni002, \n", "line 2: not two images"),
        ("audit.json", "{}", "not a lentigo audit"),
        ("audit.json", "[", "not a lentigo audit"),
        ("audit.json", '{"schema": "lentigo.split/1", "duplicates": []}', "its schema is"),
    ],
)
def test_what_holds_no_pairs_is_refused(records, tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message):
        read_pairs(tmp_path / name, records)


def test_what_does_not_exist_is_refused(records, tmp_path):
    for path in (tmp_path / "nowhere.csv", tmp_path):
        with pytest.raises(DataError, match="no such file"):
            read_pairs(path, records)


def test_an_audit_that_found_nothing_joins_nothing(records, tmp_path):
    assert read_pairs(audit_of(tmp_path / "audit"), records).joining == ()


def test_the_hash_knows_pairs_not_their_order():
    assert hash_pairs([("a", "b"), ("d", "c")]) == hash_pairs([("c", "d"), ("b", "a"), ("a", "b")])
    assert hash_pairs([("a", "b")]) != hash_pairs([("a", "c")])


@pytest.mark.parametrize(
    ("text", "joining", "passed_over"),
    [
        ("i000,i001\n", [("i000", "i001")], []),
        ("first,second\ni000,i001\n", [("i000", "i001")], []),
        ("i000,i001\nother,elsewhere\n", [("i000", "i001")], [("other", "elsewhere")]),
    ],
)
def test_headings_are_told_by_the_first_line_alone(records, tmp_path, text, joining, passed_over):
    (tmp_path / "pairs.csv").write_text(text)
    found = read_pairs(tmp_path / "pairs.csv", records)
    assert (list(found.joining), list(found.passed_over)) == (joining, passed_over)
