"""`lentigo classify --out`: bulk classification from the command line."""

import pytest

from tests.bulk.conftest import PICTURES, rows


@pytest.fixture
def images(tmp_path):
    (tmp_path / "in").mkdir()
    for name in list(PICTURES)[:2]:
        (tmp_path / "in" / name).write_bytes(PICTURES[name])
    return tmp_path / "in"


def test_a_folder_becomes_parquet_and_an_account(run, images, tmp_path):
    (images / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    code, out, err = run("classify", images, "--out", tmp_path / "out", "--workers", 1)
    assert code == 3, err
    assert "3 rows in 1 of 1 parts" in out
    assert "unreadable image 1" in out
    assert [row["image_id"] for row in rows(tmp_path / "out")] == ["broken.jpg", *list(PICTURES)[:2]]
    assert "Nothing was left to do" in run("classify", images, "--out", tmp_path / "out")[1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--engine", "ray"], "needs --out"),
        (["--maps"], "needs --out"),
        (["--out", "o", "--format", "json"], "not go with --out"),
        (["--out", "o", "--explain", "h"], "not go with --out"),
        (["--out", "o", "--address", "auto"], "Only Ray"),
    ],
    ids=" ".join,
)
def test_options_without_effect_are_refused(run, images, options, words):
    code, out, err = run("classify", images, *options)
    assert code != 0
    assert words in " ".join((out + err).replace("│", " ").split())
