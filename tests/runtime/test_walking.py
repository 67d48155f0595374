import os
from pathlib import Path

import pytest

from lentigo.runtime import find_images
from lentigo.runtime.walking import survey, walk

PNG = b"\x89PNG\r\n\x1a\n"


def make(root: Path, *names: str, content: bytes = PNG) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def below(root: Path, paths) -> list[str]:
    return [path.relative_to(root).as_posix() for path in paths]


def kinds(root: Path, found) -> dict[str, str]:
    return {s.path.relative_to(root).as_posix(): s.kind for s in found.skipped}


def test_files_are_sorted_and_hidden_and_system_files_are_named(tmp_path):
    make(
        tmp_path, "b", "a/z", "a/c", ".DS_Store", "._a", ".git/config", "Thumbs.db", "__MACOSX/x", "@eaDir/a/thumb.jpg"
    )
    found = walk(tmp_path)
    assert below(tmp_path, found.files) == ["a/c", "a/z", "b"]
    assert kinds(tmp_path, found) == {
        ".DS_Store": "hidden",
        "._a": "hidden",
        ".git": "hidden",
        "Thumbs.db": "system",
        "__MACOSX": "system",
        "@eaDir": "system",
    }
    assert all(s.harmless for s in found.skipped)


def test_a_hidden_folder_that_is_named_itself_is_read(tmp_path):
    make(tmp_path, ".data/a.png")
    assert find_images(tmp_path / ".data") == [tmp_path / ".data/a.png"]


def test_linked_folders_and_files_are_followed(tmp_path):
    make(tmp_path, "elsewhere/deep/a.png", "other/b.png")
    root = tmp_path / "root"
    root.mkdir()
    (root / "melanoma").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (root / "b.png").symlink_to(tmp_path / "other/b.png")
    assert below(root, walk(root).files) == ["b.png", "melanoma/deep/a.png"]
    (tmp_path / "link").symlink_to(root, target_is_directory=True)
    assert below(tmp_path / "link", walk(tmp_path / "link").files) == ["b.png", "melanoma/deep/a.png"]


def test_links_in_a_circle_end_and_are_named(tmp_path):
    root = tmp_path / "root"
    make(root, "a/x.png", "b/y.png")
    make(tmp_path, "beside.png")
    (root / "a/self").symlink_to(root / "a")
    (root / "a/up").symlink_to(root)
    (root / "a/out").symlink_to(tmp_path)  # would bring in `beside.png`, which nobody named
    (root / "a/cross").symlink_to(root / "b")
    (root / "b/cross").symlink_to(root / "a")
    (root / "ring").symlink_to(root / "ring")
    found = walk(root)
    assert below(root, found.files) == ["a/x.png", "b/y.png"]
    again = ["a/cross", "a/out", "a/self", "a/up", "b/cross"]
    assert kinds(root, found) == dict.fromkeys(again, "linked again") | {"ring": "broken link"}


def test_the_real_place_of_a_folder_is_preferred_to_a_link(tmp_path):
    make(tmp_path, "z/x.png")
    (tmp_path / "a").symlink_to(tmp_path / "z")
    assert below(tmp_path, walk(tmp_path).files) == ["z/x.png"]


def test_links_outside_may_link_on_and_back(tmp_path):
    make(tmp_path, "far/x.png", "farther/y.png")
    root = tmp_path / "root"
    root.mkdir()
    (root / "far").symlink_to(tmp_path / "far")
    (tmp_path / "far/on").symlink_to(tmp_path / "farther")
    (tmp_path / "farther/back").symlink_to(root)
    assert below(root, walk(root).files) == ["far/on/y.png", "far/x.png"]


def test_broken_links_and_special_files_are_named(tmp_path):
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nothing")
    os.mkfifo(tmp_path / "pipe.jpg")  # opening it would wait for ever
    (tmp_path / "linked.jpg").symlink_to(tmp_path / "pipe.jpg")
    found = survey(tmp_path)
    expected = {"gone.jpg": "broken link", "pipe.jpg": "special file", "linked.jpg": "special file"}
    assert kinds(tmp_path, found) == expected
    assert not any(s.harmless for s in found.skipped)


def test_folders_that_cannot_be_read_are_named(tmp_path, monkeypatch):
    make(tmp_path, "closed/a.png", "open/b.png")
    scan = os.scandir

    def refuse(folder):
        if Path(folder).name == "closed":
            raise PermissionError(13, "Permission denied")
        return scan(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    found = walk(tmp_path)
    assert below(tmp_path, found.files) == ["open/b.png"]
    assert [(s.path.name, s.kind, s.reason) for s in found.skipped] == [
        ("closed", "unreadable folder", "Permission denied")
    ]
    assert walk(tmp_path / "absent").skipped[0].kind == "unreadable folder"


@pytest.mark.parametrize(
    "name", ["photo", "photo.JPG", "photo.jpe", "photo.jfif", "photo.dat", "photo.png", "x\udcff.jpg"]
)
def test_content_makes_an_image_whatever_its_name(tmp_path, name):
    make(tmp_path, name, content=b"\xff\xd8\xff\xe0")
    assert find_images(tmp_path) == [tmp_path / name]


def test_every_file_is_in_exactly_one_place(tmp_path):
    make(tmp_path, "a.png", "sub/b.PNG", "c")
    make(tmp_path, "d.jpg", "notes.txt", "readme", content=b"text")
    make(tmp_path, "IM000001", "phone.jpg", content=bytes(128) + b"DICM")
    make(tmp_path, "e.heic", content=b"unknown")
    make(tmp_path, ".DS_Store", content=b"")
    (tmp_path / "folder.jpg").mkdir()
    found = survey(tmp_path)
    assert below(tmp_path, found.images) == ["a.png", "c", "d.jpg", "sub/b.PNG"]
    assert [(p.name, kind.name) for p, kind in found.foreign] == [
        ("IM000001", "DICOM"),
        ("e.heic", "HEIC"),
        ("phone.jpg", "DICOM"),
    ]
    assert below(tmp_path, found.others) == ["notes.txt", "readme"]
    assert kinds(tmp_path, found) == {".DS_Store": "hidden"}
    assert find_images(tmp_path) == list(found.images)


def test_an_empty_folder_holds_nothing(tmp_path):
    assert find_images(tmp_path) == []
