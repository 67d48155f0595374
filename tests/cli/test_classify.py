"""`lentigo classify`: what is printed where, and with which exit code."""

import csv
import io
import json
import sys
from pathlib import Path

import pytest
from PIL import Image

PAIRS = "akiec=0.01,bcc=0.02,bkl=0.03,df=0.01,mel=0.02,nv=0.9,vasc=0.01"


@pytest.fixture
def photo(synthetic_records):
    return synthetic_records.table["path"][0]


@pytest.fixture
def white(tmp_path):
    Image.new("RGB", (200, 150), "white").save(tmp_path / "white.png")
    return tmp_path / "white.png"


@pytest.fixture
def bad(tmp_path):
    (tmp_path / "bad.jpg").write_text("no image")
    return tmp_path / "bad.jpg"


class TestExitCodes:
    def test_all_judged(self, run, bundle_path, photo):
        code, out, err = run("classify", photo, "--model", bundle_path, "--format", "json")
        assert (code, err) == (0, "")
        assert json.loads(out)["source"] == photo

    def test_some_not_gradable(self, run, bundle_path, photo, white):
        code, out, err = run("classify", photo, white, "--model", bundle_path, "--format", "csv")
        assert code == 4
        assert "1 of 2 images is not gradable" in err
        assert len(out.splitlines()) == 3
        assert run("classify", white)[0] == 4

    def test_some_unreadable(self, run, bundle_path, photo, white, bad):
        code, out, err = run("classify", photo, bad, white, "--model", bundle_path, "--format", "csv")
        assert code == 3
        assert "1 of 3 images could not be read." in err
        assert "1 of 3 images is not gradable" in err
        assert len(out.splitlines()) == 4

    @pytest.mark.parametrize("style", ["table", "json", "csv"])
    def test_a_missing_file(self, run, bundle_path, tmp_path, style):
        code, out, err = run("classify", tmp_path / "absent.jpg", "--model", bundle_path, "--format", style)
        assert (code, out) == (1, "")
        assert "absent.jpg: there is no such file" in err
        assert "Traceback" not in err


class TestPrevalence:
    def test_pairs_and_files(self, run, bundle_path, photo, tmp_path):
        path = tmp_path / "clinic.json"
        path.write_text(json.dumps({k: float(v) for k, v in (p.split("=") for p in PAIRS.split(","))}))
        outs = [
            run("classify", photo, "--model", bundle_path, "--format", "json", "--prevalence", given)[1]
            for given in (PAIRS, path)
        ]
        assert outs[0] == outs[1]
        values = json.loads(outs[0])
        assert values["view"] == "stated prevalence"
        assert values["prevalence"]["nv"] == pytest.approx(0.9)
        assert values["risks"]["melanoma"]["stated_prevalence"] == values["melanoma"]

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ("mel=0.02,nv=0.9", "lacks akiec, bcc, bkl, df, vasc"),
            (PAIRS.replace("mel=0.02", "mel=-1"), "'mel' is -1.0"),
            (PAIRS.replace("mel=0.02", "mel=nan"), "'mel' is nan"),
            (PAIRS.replace("mel=", "melanome="), "Did you mean"),
            ("absent.json", "absent.json"),
        ],
    )
    def test_nonsense_is_an_error(self, run, bundle_path, photo, given, words):
        code, out, err = run("classify", photo, "--model", bundle_path, "--prevalence", given)
        assert (code, out) == (1, "")
        assert words in err
        assert "Traceback" not in err


class TestHeatmaps:
    def test_into_the_folder_of_the_images(self, run, bundle_path, photo, tmp_path):
        folder = tmp_path / "clinic"
        folder.mkdir()
        for name in ("a.jpg", "b.png"):
            Image.open(photo).save(folder / name)
        before = {p.name: p.read_bytes() for p in folder.iterdir()}
        assert run("classify", folder, "--model", bundle_path, "--explain", folder)[0] == 0
        after = {p.name: p.read_bytes() for p in folder.iterdir()}
        assert set(after) == {*before, "a.heatmap.png", "b.heatmap.png"}
        assert all(after[name] == content for name, content in before.items())
        code, out, err = run("classify", folder, "--model", bundle_path, "--format", "csv")
        assert code == 0
        assert len(out.splitlines()) == 3
        assert "2 pictures drawn by lentigo" in err
        code, _, err = run("classify", folder, "--model", bundle_path, "--explain", folder)
        assert code == 1
        assert "--overwrite" in err
        assert run("classify", folder, "--model", bundle_path, "--explain", folder, "--overwrite")[0] == 0
        code, _, err = run("classify", folder / "a.heatmap.png", "--model", bundle_path)
        assert code == 1
        assert "picture drawn by lentigo" in err


def test_standard_input(run, bundle_path, photo, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(Path(photo).read_bytes())))
    code, out, _ = run("classify", "-", "--model", bundle_path, "--format", "csv")
    assert code == 0
    assert next(csv.DictReader(io.StringIO(out)))["error"] == ""


@pytest.mark.parametrize("name", ["lesion[left].jpg", "[bold]x.jpg", "two words.jpg", "x" * 150 + ".jpg"])
def test_names_are_printed_as_they_are(run, bundle_path, photo, tmp_path, name, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    path = tmp_path / name
    path.write_bytes(Path(photo).read_bytes())
    for style in ("table", "csv", "json"):
        assert str(path) in run("classify", path, "--model", bundle_path, "--format", style)[1]
