"""Files appear whole or not at all."""

import errno
import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context

import pytest

from lentigo.atomic import (
    appended,
    entries,
    make_folder,
    own_folder,
    refuse_existing,
    replacing,
    write_bytes,
    write_text,
)
from lentigo.errors import LentigoError, OutputError


def test_the_new_content_takes_the_place_of_the_old(tmp_path):
    path = tmp_path / "answer.txt"
    assert write_text(path, "first") == path
    write_text(path, "zweite Lösung")
    assert path.read_text(encoding="utf-8") == "zweite Lösung"
    assert list(tmp_path.iterdir()) == [path]


def test_nobody_sees_a_file_that_is_being_written(tmp_path):
    with replacing(tmp_path / "answer.txt") as partial:
        partial.write_text("half")
        assert not (tmp_path / "answer.txt").exists()


def test_the_former_content_stays_until_the_new_is_whole(tmp_path):
    path = write_text(tmp_path / "a.txt", "old")
    with pytest.raises(RuntimeError), replacing(path) as partial:
        partial.write_text("ne")
        assert path.read_text() == "old"
        raise RuntimeError
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_two_writers_of_one_file_use_two_names(tmp_path):
    path = tmp_path / "a.txt"
    with replacing(path) as first, replacing(path) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"  # the outer one ends last
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def _write_often(path, letter):
    for _ in range(40):
        write_text(path, letter * 50_000)


def test_threads_that_write_one_file_never_tear_it(tmp_path):
    path = write_text(tmp_path / "a.txt", "z" * 50_000)
    stop, torn = threading.Event(), []

    def read():
        while not stop.is_set():
            text = path.read_text()
            if len(text) != 50_000 or len(set(text)) != 1:
                torn.append(text[:20])

    with ThreadPoolExecutor(5) as pool:
        reader = pool.submit(read)
        try:
            for writer in [pool.submit(_write_often, path, letter) for letter in "abcd"]:
                writer.result()
        finally:
            stop.set()  # else the reader of a writer that failed reads for ever
        reader.result()
    assert not torn
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_processes_that_write_one_file_never_fail(tmp_path):
    path, context = tmp_path / "a.txt", get_context("fork")
    writers = [context.Process(target=_write_often, args=(path, letter)) for letter in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert len(set(path.read_text())) == 1


def test_folders_on_the_way_are_made(tmp_path):
    assert write_bytes(tmp_path / "a" / "b" / "c.bin", b"x").read_bytes() == b"x"


def test_files_have_the_permissions_of_the_users_umask(tmp_path):
    before = os.umask(0o027)
    try:
        path = write_text(tmp_path / "a.txt", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_line_ends_are_written_as_they_are(tmp_path):
    assert write_text(tmp_path / "a.txt", "a\r\nb\n").read_bytes() == b"a\r\nb\n"


def test_a_link_is_kept(tmp_path):
    target = write_text(tmp_path / "real.txt", "old")
    link = tmp_path / "link.txt"
    link.symlink_to(target)
    write_text(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_a_very_long_name_can_be_written(tmp_path):
    assert write_text(tmp_path / ("n" * 250), "x").read_text() == "x"


@pytest.mark.parametrize(
    ("name", "words"),
    [("folder", "Name a file"), ("file/under.txt", "has the name of a required folder"), ("n" * 300, "shorter name")],
)
def test_what_can_not_be_written_says_the_next_step(tmp_path, name, words):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match=words) as caught:
        write_text(tmp_path / name, "x")
    assert isinstance(caught.value, LentigoError)
    assert (tmp_path / "file").read_text() == "x"


def test_a_full_disk_is_named_and_the_former_file_stays(tmp_path, monkeypatch):
    path = write_text(tmp_path / "a.txt", "old")

    def full(self, content):
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(OutputError, match=r"a\.txt: no space left.*Free some space"):
        write_text(path, "new")
    assert path.read_text() == "old"


def test_an_error_of_another_file_keeps_its_name(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.txt"), replacing(tmp_path / "a.txt"):
        (tmp_path / "absent.txt").read_text()


def test_a_file_in_the_place_of_a_folder_stops_it(tmp_path):
    write_text(tmp_path / "file", "x")
    with pytest.raises(OutputError, match="choose another name"):
        make_folder(tmp_path / "file")


def test_of_two_files_written_at_once_the_one_that_failed_is_named_once(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError) as caught, replacing(tmp_path / "outer.txt"), replacing(tmp_path / "folder"):
        pass
    assert str(caught.value).startswith(f"{tmp_path / 'folder'}: this is a folder.")
    assert "outer" not in str(caught.value)


@pytest.mark.parametrize("before", [None, [], ["report.json", "notes.txt"]])
def test_new_empty_and_own_folders_are_taken(tmp_path, before):
    folder = tmp_path / "out"
    if before is not None:
        folder.mkdir()
        for name in before:
            (folder / name).write_text("x")
    assert own_folder(folder, ("report.json",)) == folder


def test_a_folder_with_other_files_is_refused_and_named(tmp_path):
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(OutputError, match=r"README\.md.*new or empty folder"):
        own_folder(tmp_path, ("report.json",))
    assert (tmp_path / "README.md").read_text() == "mine"


def test_an_existing_file_is_refused_unless_it_may_go(tmp_path):
    file = tmp_path / "a.json"
    assert refuse_existing(file) == file
    file.write_text("mine")
    with pytest.raises(OutputError, match="--overwrite"):
        refuse_existing(file)
    assert refuse_existing(file, overwrite=True) == file


def test_no_input_may_go_by_whatever_name(tmp_path):
    table, link = tmp_path / "a.parquet", tmp_path / "link"
    table.write_text("mine")
    link.symlink_to(table)
    for name in (table, link, tmp_path / "." / "a.parquet"):
        with pytest.raises(OutputError, match="one of the inputs"):
            refuse_existing(name, overwrite=True, inputs=[tmp_path / "absent", table])
    assert refuse_existing(tmp_path / "new", inputs=[table]) == tmp_path / "new"


def test_a_broken_link_counts_as_a_file(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "absent")
    with pytest.raises(OutputError):
        refuse_existing(tmp_path / "link")


def test_what_a_killed_process_left_unfinished_is_no_content_of_a_folder(tmp_path):
    with pytest.raises(KeyboardInterrupt), replacing(tmp_path / "a.json") as partial:
        left = tmp_path / partial.name
        raise KeyboardInterrupt
    left.write_text("half")  # as after a kill, which deletes nothing
    assert entries(tmp_path) == set() == entries(tmp_path / "absent")
    assert own_folder(tmp_path, ["a.json"]) == tmp_path
    (tmp_path / ".hidden.partial").write_text("somebody's")
    assert entries(tmp_path) == {".hidden.partial"}
    with pytest.raises(OutputError):
        own_folder(tmp_path, ["a.json"])


def test_what_is_appended_is_there_whole_or_not_at_all(tmp_path, monkeypatch):
    path, real = tmp_path / "log", os.write
    with appended(path, b"one\n", mode=0o600):
        assert path.read_bytes() == b"one\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 or os.name == "nt"
    monkeypatch.setattr(os, "write", lambda handle, content: real(handle, content[:2]))
    with appended(path, b"two\n"):
        pass
    assert path.read_bytes() == b"one\ntwo\n"

    def full(handle, content):
        real(handle, content[:1])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OutputError, match="no space left"), appended(path, b"three\n"):
        pass
    assert path.read_bytes() == b"one\ntwo\n"


@pytest.mark.parametrize(("needed", "left"), [(False, b""), (True, b"one\n")])
def test_a_failure_after_it_takes_back_what_was_appended_unless_it_is_needed(tmp_path, needed, left):
    with pytest.raises(KeyboardInterrupt), appended(tmp_path / "log", b"one\n", stays=lambda: needed):
        raise KeyboardInterrupt
    assert (tmp_path / "log").read_bytes() == left
