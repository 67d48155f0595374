import glob
import os
from pathlib import Path

import pytest

from lentigo.runtime.matching import match


@pytest.fixture
def tree(tmp_path):
    """A folder with links of each kind, from which patterns start."""
    for name in ("0.png", "a/1.png", "a/b/2.png", "a/b/3.jpg", "c/1.png", "[x]/4.png", ".hidden/5.png", "a/.6.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "gone.png").symlink_to("nowhere")
    (tmp_path / "same.png").symlink_to("0.png")
    return tmp_path


def below(tree, found):
    return [path.relative_to(tree).as_posix() for path in found]


@pytest.mark.parametrize(
    "pattern",
    [
        "*.png", "*/*.png", "**/*.png", "**/b/*", "a/**/*.png", "**/**/1.png", "a/**", "?/1.png", "[[]x]/*", ".*/*",
        "**/.*", "*", "a/b", "*/../0.png", "**/b/../1.png", "**/b", "none/*", "0.png/*",
    ],
)  # fmt: skip
def test_a_pattern_matches_what_globs_do(tree, pattern):
    expected = {os.path.normpath(path) for path in glob.glob(str(tree / pattern), recursive=True)}  # noqa: PTH207
    found = {os.path.normpath(path) for path in match(tree / pattern)[0]}
    assert found == expected - {str(tree / "a")} if pattern == "a/**" else found == expected
    assert found or pattern in ("none/*", "0.png/*")


def test_a_relative_pattern_gives_relative_paths(tree, monkeypatch):
    monkeypatch.chdir(tree / "a")
    assert match("**/*.png")[0] == [Path("1.png"), Path("b/2.png")]
    assert match("../?/1.png")[0] == [Path("../a/1.png"), Path("../c/1.png")]


def test_folders_alone_match_a_pattern_that_ends_in_a_slash(tree):
    assert below(tree, match(f"{tree}/*/")[0]) == ["[x]", "a", "c"]


def test_links_in_a_circle_are_gone_through_once(tree):
    """Two of them cost glob 2^40 folders."""
    (tree / "a" / "up").symlink_to(tree)
    (tree / "a" / "b" / "up").symlink_to(tree / "a")
    (tree / "ring").symlink_to("ring")
    found, skipped = match(tree / "**/*.png")
    assert below(tree, found) == ["0.png", "[x]/4.png", "a/1.png", "a/b/2.png", "c/1.png", "gone.png", "same.png"]
    assert {(s.path.name, s.kind) for s in skipped} == {("up", "linked again")}
    assert below(tree, match(tree / "a/b/up/up/c/*.png")[0]) == ["a/b/up/up/c/1.png"]  # as it is written


def test_what_may_never_end_is_named_and_not_matched(tree):
    os.mkfifo(tree / "pipe.png")
    found, skipped = match(tree / "p*.png")
    assert found == []
    assert [(s.path.name, s.kind) for s in skipped] == [("pipe.png", "special file")]
