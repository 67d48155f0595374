"""The journal of a watched folder: what a kill leaves is cut off, and what anyone changed is refused, never guessed."""

import json

import pytest

from lentigo.clinic.journal import DONE, REFUSED, Journal
from lentigo.errors import OutputError


@pytest.fixture
def path(tmp_path):
    """The file of a journal with two lines."""
    journal = Journal(tmp_path)
    journal.add("ab" * 32, "a.jpg", DONE, ["a.json"])
    journal.add("cd" * 32, "b.jpg", REFUSED, ["b.json"], "damaged")
    return tmp_path / "journal.jsonl"


def test_what_is_noted_is_known_again(path):
    again = Journal(path.parent)
    assert again.knows("ab" * 32, "a.jpg") and not again.knows("ab" * 32, "b.jpg")
    assert [e["state"] for e in again.entries] == [DONE, REFUSED]


@pytest.mark.parametrize("left", [1, 5, 11, 60])
def test_a_torn_line_counts_for_nothing(path, left):
    whole = path.read_bytes()
    path.write_bytes(whole + whole.splitlines()[1][:left])
    assert len(Journal(path.parent).entries) == 2
    assert path.read_bytes() == whole


@pytest.mark.parametrize("end", [b"my notes", b'{"sha256": "ab', b"\0\0"])
def test_what_lentigo_did_not_write_at_the_end_is_kept(path, end):
    for content in (end, path.read_bytes() + end):
        path.write_bytes(content)
        with pytest.raises(OutputError, match="journal is damaged: it ends in what is none of its lines"):
            Journal(path.parent)
        assert path.read_bytes() == content


def edited(**changes):
    return lambda line: json.dumps({**json.loads(line), **changes}).encode()


@pytest.mark.parametrize(
    "change",
    [
        lambda line: b"not a journal",
        lambda line: b"[1]",
        lambda line: b"",
        lambda line: b"\xff" + line,
        lambda line: b"[" * 100_000,
        edited(sha256=["ab"]),
        edited(name=None),
        edited(state="finished"),
        edited(remark=3),
        edited(files="a.json"),
    ],
)
def test_a_changed_line_is_refused_by_number(path, change):
    first, second = path.read_bytes().splitlines()
    path.write_bytes(first + b"\n" + change(second) + b"\n")
    with pytest.raises(OutputError, match=r"journal.jsonl: the journal is damaged: line 2 is none of its lines"):
        Journal(path.parent)


def test_a_line_that_stands_twice_is_not_counted_twice(path):
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + second + first)
    with pytest.raises(OutputError, match="line 3 is there twice"):
        Journal(path.parent)
