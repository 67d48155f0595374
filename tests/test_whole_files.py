"""Files appear whole or not at all."""

import pytest

from lentigo.whole_files import replacing, write_text


def test_the_new_content_takes_the_place_of_the_old(tmp_path):
    path = tmp_path / "answer.txt"
    assert write_text(path, "first") == path
    write_text(path, "zweite Lösung")
    assert path.read_text(encoding="utf-8") == "zweite Lösung"
    assert list(tmp_path.iterdir()) == [path]


def test_what_was_there_stays_when_writing_fails(tmp_path):
    path = tmp_path / "answer.txt"
    write_text(path, "first")
    with pytest.raises(OSError, match="disk"), replacing(path) as partial:
        partial.write_text("half of the sec")
        raise OSError("the disk is full")
    assert path.read_text(encoding="utf-8") == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_nobody_sees_a_file_that_is_being_written(tmp_path):
    with replacing(tmp_path / "answer.txt") as partial:
        partial.write_text("half")
        assert not (tmp_path / "answer.txt").exists()
