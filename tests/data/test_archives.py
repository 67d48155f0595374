import random
import stat
import warnings
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lentigo.data import archives
from lentigo.data.archives import unpack
from lentigo.errors import DataError

NOISE = random.Random(0).randbytes(3_000_000)


def zipped(path: Path, entries: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)  # keeps the name as it is
    return path


def link(path: Path, name: str, target: str) -> Path:
    entry = zipfile.ZipInfo(name)
    entry.create_system = 3
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(entry, target)
        archive.writestr(f"{name}/inside.txt", "through the link")
    return path


def nothing_but_the_archive(folder: Path) -> bool:
    return [p.name for p in folder.iterdir()] == ["a.zip"]


def test_folders_and_files_are_unpacked(tmp_path):
    archive = zipped(tmp_path / "a.zip", {"x/": b"", "x/one.txt": b"1", "two.txt": NOISE, "y/z/3": b""})
    unpack(archive, tmp_path / "to" / "here")
    here = tmp_path / "to" / "here"
    assert (here / "x" / "one.txt").read_bytes() == b"1"
    assert (here / "two.txt").read_bytes() == NOISE
    assert (here / "y" / "z" / "3").is_file()
    assert [p.name for p in (tmp_path / "to").iterdir()] == ["here"]


@pytest.mark.parametrize(
    "name",
    [
        "../out.txt",
        "x/../../out.txt",
        "x/..",
        ".",
        "/etc/out.txt",
        "//server/share",
        "C:/out.txt",
        "C:out.txt",
        "..\\out.txt",
        "x\\y.txt",
    ],
)
def test_entries_that_would_land_outside_are_refused(tmp_path, name):
    archive = zipped(tmp_path / "a.zip", {"good.txt": b"1", name: b"2"})
    with pytest.raises(DataError, match=r"a\.zip: refused, because its entry"):
        unpack(archive, tmp_path / "to")
    assert nothing_but_the_archive(tmp_path)


@settings(max_examples=60, deadline=None)
@given(name=st.lists(st.sampled_from(["..", ".", "a", "/", "\\", "C:", "", "~"]), min_size=1, max_size=5).map("/".join))
def test_no_name_ever_writes_outside(tmp_path_factory, name):
    folder = tmp_path_factory.mktemp("t")
    (folder / "place").mkdir()
    try:
        unpack(zipped(folder / "a.zip", {name or "x": b"1"}), folder / "place" / "to")
    except DataError:  # and no error of the system
        assert list((folder / "place").iterdir()) == []
    assert sorted(p.name for p in folder.iterdir()) == ["a.zip", "place"]
    assert [p.name for p in (folder / "place").iterdir()] in ([], ["to"])


@pytest.mark.parametrize("target", ["/etc", "../..", "good"])
def test_links_are_refused_wherever_they_point(tmp_path, target):
    archive = link(tmp_path / "a.zip", "door", target)
    with pytest.raises(DataError, match="'door' is a link or a special file"):
        unpack(archive, tmp_path / "to")
    assert nothing_but_the_archive(tmp_path)


@pytest.mark.parametrize("again", ["x.txt", "X.txt"])
def test_two_entries_of_one_name_are_refused(tmp_path, again):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x.txt", "1")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # zipfile warns of what is wanted here
            archive.writestr(again, "2")
    with pytest.raises(DataError, match=r"has the name of 'x\.txt'"):
        unpack(tmp_path / "a.zip", tmp_path / "to")


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        ("x//a.txt", "x/a.txt", "has the name of 'x//a.txt'"),
        ("./a.txt", "a.txt", "has the name of './a.txt'"),
        ("\u00e9.txt", "e\u0301.txt", "has the name of '\u00e9.txt'"),
        ("a", "A/b.txt", "lies in 'a', which is a file"),
        ("a/b/c.txt", "a/b", "lies in 'a/b', which is a file"),
        ("b", "x" * 256, "has a name that is too long"),
    ],
)
def test_names_that_no_file_system_keeps_apart_or_takes_are_refused(tmp_path, one, other, why):
    archive = zipped(tmp_path / "a.zip", {one: b"1", other: b"2"})
    with pytest.raises(DataError, match=rf"a\.zip: refused, because its entry .*{why}"):
        unpack(archive, tmp_path / "to")
    assert nothing_but_the_archive(tmp_path)


def test_a_copy_whose_name_differs_in_case_alone_is_unpacked_once(tmp_path):
    copies = {"HAM_part_1/": b"", "HAM_part_1/a.jpg": b"1", "ham_part_1/": b"", "ham_part_1/a.jpg": b"1", "b.csv": b"2"}
    unpack(zipped(tmp_path / "a.zip", copies), tmp_path / "to")
    found = sorted(p.relative_to(tmp_path / "to").as_posix() for p in (tmp_path / "to").rglob("*"))
    assert found == ["HAM_part_1", "HAM_part_1/a.jpg", "b.csv"]


def test_bombs_are_refused_before_anything_is_written(tmp_path):
    archive = zipped(tmp_path / "a.zip", {"zeros": bytes(20_000_000)})
    with pytest.raises(DataError, match=r"would grow more than 200 times, to 20,000,000 bytes"):
        unpack(archive, tmp_path / "to")
    assert nothing_but_the_archive(tmp_path)


def test_an_entry_that_lies_about_its_size_can_not_grow_beyond_it(tmp_path):
    archive = zipped(tmp_path / "a.zip", {"zeros": bytes(5_000_000)})
    content = archive.read_bytes()
    true, stated = (5_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little")
    assert content.count(true) == 2  # in the entry's own header and in the directory at the end
    archive.write_bytes(content.replace(true, stated))
    with pytest.raises(DataError, match=r"a\.zip: damaged"):
        unpack(archive, tmp_path / "to")
    assert nothing_but_the_archive(tmp_path)


def test_too_many_entries_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_FILES", 3)
    archive = zipped(tmp_path / "a.zip", {str(i): b"" for i in range(4)})
    with pytest.raises(DataError, match="it has 4 entries, more than 3"):
        unpack(archive, tmp_path / "to")


def test_too_little_space_is_told_before_anything_is_written(tmp_path, monkeypatch):
    archive = zipped(tmp_path / "a.zip", {"x": b"12345"})
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 4}))
    with pytest.raises(DataError, match="needs 5 bytes, but only 4 are free"):
        unpack(archive, tmp_path / "to")
    assert nothing_but_the_archive(tmp_path)


@pytest.mark.parametrize("kind", ["truncated", "flipped", "no zip", "empty"])
def test_damaged_archives_leave_nothing_behind(tmp_path, kind):
    archive = zipped(tmp_path / "a.zip", {"one.txt": b"1", "two.bin": bytes(range(256)) * 40})
    content = bytearray(archive.read_bytes())
    if kind == "flipped":
        content[120:130] = bytes(10)
    archive.write_bytes({"truncated": content[:-30], "flipped": content, "no zip": b"<html>", "empty": b""}[kind])
    with pytest.raises(DataError, match=r"a\.zip: damaged, or not a zip archive"):
        unpack(archive, tmp_path / "to")
    assert nothing_but_the_archive(tmp_path)


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_is_told_whatever_packed_the_archive(tmp_path, packing):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", packing) as archive:
        archive.writestr("one.bin", NOISE[:20_000])
    content = bytearray((tmp_path / "a.zip").read_bytes())
    content[60:90] = bytes(30)
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.zip: damaged, or not a zip archive .*Delete it and download it again"):
        unpack(tmp_path / "a.zip", tmp_path / "to")
    assert nothing_but_the_archive(tmp_path)


def test_a_name_that_is_no_text_and_an_offset_outside_are_damage(tmp_path):
    content = zipped(tmp_path / "a.zip", {"\u00e9.txt": b"1"}).read_bytes()
    directory = content.index(b"PK\x05\x06") + 16  # where the list of entries begins
    for harmed in (
        content.replace("\u00e9".encode(), b"\xff\xfe"),
        content[:directory] + (0xFFFFFF00).to_bytes(4, "little") + content[directory + 4 :],
    ):
        (tmp_path / "a.zip").write_bytes(harmed)
        with pytest.raises(DataError, match=r"a\.zip: damaged, or not a zip archive"):
            unpack(tmp_path / "a.zip", tmp_path / "to")


def test_an_archive_that_can_not_be_opened_is_told_by_its_name(tmp_path):
    with pytest.raises(DataError, match=r"absent\.zip: no such file or directory\. Check the path"):
        unpack(tmp_path / "absent.zip", tmp_path / "to")


def test_what_is_there_is_not_overwritten_and_what_was_interrupted_is_done_again(tmp_path):
    archive = zipped(tmp_path / "a.zip", {"x": b"1"})
    (tmp_path / ".to.partial").mkdir()
    (tmp_path / ".to.partial" / "half").write_bytes(b"")
    unpack(archive, tmp_path / "to")
    assert [p.name for p in (tmp_path / "to").iterdir()] == ["x"]
    with pytest.raises(DataError, match="already exists"):
        unpack(archive, tmp_path / "to")
