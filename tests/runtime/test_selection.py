import os

import pytest

from lentigo.errors import ImageError
from lentigo.runtime.selection import select

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def clinic(tmp_path):
    """A folder as a clinic keeps it."""
    contents = {
        "0.png": PNG,
        "1.JPG": b"\xff\xd8\xff\xe0",
        "2": PNG,
        "3.dcm": bytes(128) + b"DICM",
        "4.heic": b"\0\0\0\x18ftypheic",
        "deep/5.png": PNG,
        "list.csv": b"a,b\n",
        "list2.csv": b"a,b\n",
        "README": b"text",
        "deep/.DS_Store": b"",
        "Thumbs.db": b"",
    }
    root = tmp_path / "clinic"
    for name, content in contents.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    (root / "6.png").symlink_to(root / "gone.png")
    return root


def names(selection):
    return [path.name for path in selection.files]


def test_each_file_of_a_folder_has_a_row_or_is_counted(clinic):
    selection = select([clinic])
    assert names(selection) == ["0.png", "1.JPG", "2", "3.dcm", "4.heic", "5.png"]
    assert selection.notice == (
        "Not classified: 3 files that are not images (.csv 2, no suffix 1); 2 hidden or system files; "
        f"{clinic / '6.png'} (broken link: its target does not exist)."
    )
    assert select([clinic / "0.png"]).notice == ""


def test_what_is_named_itself_has_a_row_whatever_it_is(clinic):
    named = ["0.png", "list.csv", "6.png", "absent.jpg", "Thumbs.db"]
    assert names(select([clinic / name for name in named])) == named
    assert names(select([str(clinic / "[l6]*")])) == ["6.png", "list.csv", "list2.csv"]


def test_a_file_that_is_named_twice_is_taken_once_in_its_first_place(clinic, monkeypatch):
    monkeypatch.chdir(clinic)
    given = ["2", str(clinic / "*.png"), clinic, "deep/../2", clinic / "deep"]
    assert names(select(given)) == ["2", "0.png", "6.png", "1.JPG", "3.dcm", "4.heic", "5.png"]


def test_folders_that_a_pattern_matches_are_gone_through(clinic):
    assert names(select([str(clinic / "d*")])) == ["5.png"]
    assert names(select([str(clinic / "**/*.png")])) == ["0.png", "6.png", "5.png"]


def test_a_pattern_follows_cyclic_links_once(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "0.png").write_bytes(PNG)
    (tmp_path / "a" / "back").symlink_to(tmp_path)
    found = select([str(tmp_path / "**/*.png")])
    assert found.files == [tmp_path / "a" / "0.png"]
    assert found.notice == f"Not classified: {tmp_path / 'a' / 'back'} (linked again: the same folder as {tmp_path})."


def test_a_pattern_takes_no_file_that_may_never_end(clinic):
    os.mkfifo(clinic / "pipe.png")
    found = select([str(clinic / "*.png")])
    assert names(found) == ["0.png", "6.png"]
    assert "pipe.png (special file: not a regular file)" in found.notice
    with pytest.raises(ImageError, match=r"p\*: no file matches this pattern\. Not classified: .*pipe\.png"):
        select([str(clinic / "p*")])


def test_one_path_alone_is_taken_as_one(clinic):
    assert names(select(str(clinic / "0.png"))) == ["0.png"]


def test_a_file_named_like_a_pattern_is_taken_as_it_is(tmp_path):
    path = tmp_path / "lesion[left].png"
    path.write_bytes(PNG)
    assert select([path]).files == [path]


def test_nothing_found_is_an_error_that_says_what_is_there(tmp_path, clinic):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ImageError, match=r"No images found.*empty \(folder: no image in it"):
        select([empty])
    assert "no image in it" in select([empty, clinic]).notice
    (empty / "notes.txt").write_text("a mole")
    with pytest.raises(ImageError, match="1 file that is not an image"):
        select([empty])
    with pytest.raises(ImageError, match="matches"):
        select([str(tmp_path / "*.jpg")])
    with pytest.raises(ImageError, match="No images found"):
        select([])
