"""The verbs on predictions, on the layouts of ISIC 2018 that a user may really have."""

import json
import shutil

import pandas as pd
import pytest

from lentigo import data
from lentigo.data.sources import synthetic
from lentigo.evaluation import Predictions
from tests.data.sources.test_isic_challenge import SEVEN, one_hot

TEST = "ISIC2018_Task3_Test"


@pytest.fixture(scope="module")
def lesions(tmp_path_factory):
    """42 synthetic images with other ids than those that the bundle was trained on, and their diagnoses."""
    drawn = data.read(synthetic.make(tmp_path_factory.mktemp("drawn"), lesions=42, seed=11)).table.head(42)
    return [(f"ISIC_{34_600 + i:07d}", row.path, row.dx) for i, row in enumerate(drawn.itertuples())]


def lay_out(root, lesions, *, images=f"{TEST}_Input", truth=f"{TEST}_GroundTruth", suffix=".jpg", start=0):
    """Images and truth table of one part, as the challenge packs them."""
    (root / images).mkdir(parents=True, exist_ok=True)
    (root / truth).mkdir(parents=True, exist_ok=True)
    chosen = lesions[start:]
    for name, path, _ in chosen:
        shutil.copy(path, root / images / f"{name}{suffix}")
    table = one_hot([name for name, _, _ in chosen], [dx.upper() for _, _, dx in chosen], SEVEN)
    table.to_csv(root / truth / f"{truth.rpartition('/')[2] or TEST}.csv", index=False)
    return root


LAYOUTS = {
    "as unpacked": {},
    "folders in folders of the same name": {
        "images": f"{TEST}_Input/{TEST}_Input",
        "truth": f"{TEST}_GroundTruth/{TEST}_GroundTruth",
    },
    "below another folder": {"images": f"isic/2018/{TEST}_Input", "truth": f"isic/2018/{TEST}_GroundTruth"},
    "all in one folder": {"images": "", "truth": ""},
    "capital suffix": {"suffix": ".JPG"},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_isic_2018_test_part_is_read(layout, run, lesions, bundle_path, tmp_path):
    root, out = lay_out(tmp_path / "isic2018", lesions, **LAYOUTS[layout]), tmp_path / "out"
    code, said, err = run("evaluate", bundle_path, "--data", root, "--out", out, "--replicates", 0)
    assert code == 0, err
    assert "no lesion ids" in said
    predictions = Predictions.load(out / "predictions.parquet")
    assert len(predictions) == len(lesions)
    assert dict(zip(predictions.table["image_id"], predictions.table["dx"], strict=True)) == {
        name: dx for name, _, dx in lesions
    }


def test_isic_2018_test_part_end_to_end(run, lesions, bundle_path, tmp_path):
    root, out = lay_out(tmp_path / "isic2018", lesions), tmp_path / "out"
    code, _, err = run("evaluate", bundle_path, "--data", root, "--out", out, "--replicates", 20)
    assert code == 0, err
    code, _, err = run("report", out / "predictions.parquet", "--out", out / "report", "--bundle", bundle_path)
    assert code == 0, err
    page = (out / "report" / "index.html").read_text(encoding="utf-8")
    assert "External data" in page
    assert "LEAKY" not in page


def test_provenance_of_external_data_is_its_own(run, lesions, bundle_path, trained_run, tmp_path):
    root = lay_out(tmp_path / "isic2018", lesions)
    assert run("evaluate", bundle_path, "--data", root, "--out", tmp_path / "out", "--replicates", 0)[0] == 0
    meta = Predictions.load(tmp_path / "out" / "predictions.parquet").meta
    assert (meta["data"], meta["protocol"], meta["part"], meta["leaky"]) == (
        "isic2018",
        "external",
        "all",
        False,
    )
    assert "split_sha256" not in meta
    assert meta["trained_on"]["sha256"] == trained_run.split.hash
    assert "none of these 42 images bears an id" in meta["overlap"]
    assert not (tmp_path / "out" / "validation.parquet").exists()


def test_lesion_groupings_become_groups(run, lesions, bundle_path, tmp_path):
    root = lay_out(tmp_path / "isic2018", lesions)
    names = [name for name, _, _ in lesions]
    groupings = pd.DataFrame({"image": names, "lesion_id": [f"T_{i // 2}" for i in range(len(names))]})
    groupings.to_csv(root / f"{TEST}_LesionGroupings.csv", index=False)
    code, said, _ = run("evaluate", bundle_path, "--data", root, "--out", tmp_path / "out", "--replicates", 0)
    assert code == 0
    assert "no lesion ids" not in said
    assert len(set(Predictions.load(tmp_path / "out" / "predictions.parquet").groups)) == 21


def test_archives_that_were_not_unpacked_are_named(run, lesions, bundle_path, tmp_path):
    root = lay_out(tmp_path / "isic2018", lesions)
    shutil.make_archive(str(root / f"{TEST}_Input"), "zip", root / f"{TEST}_Input")
    shutil.rmtree(root / f"{TEST}_Input")
    code, _, err = run("evaluate", bundle_path, "--data", root)
    assert code == 1
    assert f"Unpack {TEST}_Input.zip there first" in err
    code, _, err = run("evaluate", bundle_path, "--data", root / f"{TEST}_Input.zip")
    assert code == 1
    assert "Unpack" in err


def test_what_was_left_out_is_said(run, lesions, bundle_path, tmp_path):
    root = lay_out(tmp_path / "isic2018", lesions)
    (root / f"{TEST}_Input" / f"{lesions[0][0]}.jpg").write_bytes(b"no image")
    (root / f"{TEST}_Input" / f"{lesions[1][0]}.jpg").unlink()
    code, said, _ = run("evaluate", bundle_path, "--data", root, "--replicates", 0)
    assert code == 0
    assert "Excluded from the data set: missing image 1, unreadable image 1." in said


def test_the_training_part_beside_it_is_refused_and_listed_and_the_test_part_can_be_named(
    run, lesions, bundle_path, trained_run, tmp_path
):
    root = lay_out(tmp_path / "isic2018", lesions)
    train = trained_run.split.train.table.head(8)
    known = [(row.image_id, row.path, row.dx) for row in train.itertuples()]
    lay_out(root, known, images="ISIC2018_Task3_Training_Input", truth="ISIC2018_Task3_Training_GroundTruth")
    code, _, err = run("evaluate", bundle_path, "--data", root)
    assert code == 1
    assert "has seen 8 of these 50 images" in err
    assert sorted(train["image_id"])[0] in err
    assert "and 3 more" in err
    assert "--source test" in err
    code, said, _ = run("evaluate", bundle_path, "--data", root, "--source", "test", "--replicates", 0)
    assert code == 0
    assert "n = 42 images" in said
    code, _, err = run("evaluate", bundle_path, "--data", root, "--source", "val")
    assert code == 1
    assert "Known: test, train" in err


def test_robustness_is_written_and_goes_on_where_it_stopped(run, lesions, bundle_path, tmp_path):
    root, out = lay_out(tmp_path / "isic2018", lesions, start=35), tmp_path / "out"
    code, _, err = run("evaluate", bundle_path, "--data", root, "--robustness")
    assert code == 1
    assert "--out" in err
    arguments = ("evaluate", bundle_path, "--data", root, "--out", out, "--robustness", "--limit", 5)
    assert run(*arguments, "--replicates", 0)[0] == 0
    found = json.loads((out / "robustness.json").read_text())
    assert len(found["curves"]) == 8
    assert all(len(curve["points"]) == 5 for curve in found["curves"].values())
    assert not (out / "robustness.partial.npz").exists()
    page = (out / "robustness.md").read_text()
    assert page.count("| JPEG |") == 5
    assert "5 of them, sampled" in page
    assert "## dx_type" in (out / "fairness.md").read_text()


def test_skin_tone_is_a_factor_where_asked_for(run, lesions, bundle_path, tmp_path):
    root, out = lay_out(tmp_path / "isic2018", lesions, start=30), tmp_path / "out"
    assert run("evaluate", bundle_path, "--data", root, "--out", out, "--skin-tone", "--replicates", 0)[0] == 0
    factors = json.loads((out / "fairness.json").read_text())["factors"]
    assert "by border ring" in factors["skin_tone"]["about"]


class TestARunOnOtherData:
    """The data set and the source that are named are used, or refused; internal results never pass for external."""

    def test_it_is_measured_on_the_data(self, run, trained_run, lesions, tmp_path):
        root, out = lay_out(tmp_path / "isic2018", lesions), tmp_path / "out"
        code, said, err = run("evaluate", trained_run.path, "--data", root, "--out", out, "--replicates", 0)
        assert code == 0, err
        assert "n = 42 images" in said
        meta = Predictions.load(out / "predictions.parquet").meta
        assert (meta["data"], meta["protocol"], meta["part"]) == ("isic2018", "external", "all")
        assert not (out / "validation.parquet").exists()

    def test_nothing_is_written_into_the_run(self, run, trained_run, lesions, tmp_path):
        before = sorted(p.name for p in trained_run.path.iterdir())
        root = lay_out(tmp_path / "isic2018", lesions)
        assert run("evaluate", trained_run.path, "--data", root, "--replicates", 0)[0] == 0
        assert sorted(p.name for p in trained_run.path.iterdir()) == before

    def test_its_own_data_are_refused_without_own_test(self, run, trained_run, synthetic_root):
        code, _, err = run("evaluate", trained_run.path, "--data", synthetic_root)
        assert code == 1
        assert "has seen" in err
        assert "--own-test" in err
        code, said, _ = run("evaluate", trained_run.path, "--data", synthetic_root, "--own-test", "--replicates", 0)
        assert code == 0
        assert "n = 55 images" in said

    def test_a_source_is_one_of_the_data(self, run, trained_run, lesions, tmp_path):
        root = lay_out(tmp_path / "isic2018", lesions)
        assert run("evaluate", trained_run.path, "--data", root, "--source", "test", "--replicates", 0)[0] == 0
        code, _, err = run("evaluate", trained_run.path, "--data", root, "--source", "elsewhere")
        assert code == 1
        assert "Known: test" in err

    def test_a_source_without_data_or_of_the_own_test_part_is_refused(self, run, trained_run, bundle_path, tmp_path):
        code, _, err = run("evaluate", trained_run.path, "--source", "test")
        assert code == 1
        assert "--data" in err
        code, _, err = run("evaluate", bundle_path, "--data", tmp_path, "--own-test", "--source", "test")
        assert code == 1
        assert "--own-test" in err


def test_a_run_has_robustness_too(run, trained_run, tmp_path):
    arguments = ("--robustness", "--limit", 4, "--replicates", 0, "--out", tmp_path / "out")
    code, _, err = run("evaluate", trained_run.path, *arguments)
    assert code == 0, err
    found = json.loads((tmp_path / "out" / "robustness.json").read_text())
    assert found["provenance"]["part"] == "test"


class TestNamesOfShippedModels:
    def test_a_folder_of_that_name_is_not_taken_for_the_model(self, run, synthetic_root, tmp_path, monkeypatch):
        """`results/lentigo-s` is such a folder: no run, so the name means the model."""
        monkeypatch.chdir(tmp_path)
        (tmp_path / "lentigo-s").mkdir()
        code, _, err = run("evaluate", "lentigo-s")
        assert code == 1
        assert "--data" in err
        assert "lentigo-s" in err

    def test_a_run_of_that_name_is_ambiguous(self, run, trained_run, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        shutil.copytree(trained_run.path, tmp_path / "lentigo-s")
        code, _, err = run("evaluate", "lentigo-s")
        assert code == 1
        assert "./lentigo-s" in err
        assert run("evaluate", "./lentigo-s", "--replicates", 0)[0] == 0


def test_compare_and_combine(run, trained_run, bundle_path, lesions, tmp_path):
    root = lay_out(tmp_path / "isic2018", lesions)
    for name in ("a", "b"):
        assert run("evaluate", bundle_path, "--data", root, "--out", tmp_path / name, "--replicates", 0)[0] == 0
    tables = [tmp_path / name / "predictions.parquet" for name in ("a", "b")]
    code, said, _ = run("compare", *tables, "--replicates", 100, "--out", tmp_path / "compared.json")
    assert code == 0
    assert "**a minus b**" in said
    assert "DeLong" in said
    assert "McNemar: lesions that only the first classifies correctly 0, only the second 0; p 1.000." in said
    assert json.loads((tmp_path / "compared.json").read_text())["pairs"][0]["first"] == "a"
    code, _, err = run("combine", *tables)
    assert code == 1
    assert "listed twice" in err
    for verb, given in (("compare", tables), ("combine", tables[:1])):
        code, _, err = run(verb, *given, "--out", tables[0], "--overwrite")
        assert code == 1
        assert "one of the inputs" in err
    code, said, _ = run("combine", tables[0], "--out", tmp_path / "combined.json")
    assert code == 0
    assert "1 runs, 1 splits" in said
    assert run("compare", tables[0], tables[0])[0] == 1


def test_results_do_not_go_among_other_files(run, lesions, bundle_path, tmp_path):
    root, out = lay_out(tmp_path / "isic2018", lesions), tmp_path / "mine"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    code, _, err = run("evaluate", bundle_path, "--data", root, "--out", out, "--replicates", 0)
    assert code == 1
    assert "notes.txt" in err
    assert [path.name for path in out.iterdir()] == ["notes.txt"]
