"""End to end with other labels than HAM10000's: benign and malignant, a user's own five, ISIC 2019's eight."""

import json
import shutil

import pandas as pd
import pytest

from lentigo import data, training
from lentigo.data.sources import synthetic
from lentigo.evaluation import Predictions
from lentigo.labels import BINARY, HAM10000, read_label_set
from lentigo.runtime import Bundle, Classifier
from tests.data.sources.test_isic_challenge import NINE, one_hot

OWN = {"mel": "MM", "nv": "Naevus", "bkl": "keratosis", "bcc": "basalioma", "vasc": "angioma"}
FIVE = (
    "id,name,malignant,aliases,melanoma\nmela,melanoma,yes,MM,yes\nmole,mole,no,naevus,\n"
    "kera,keratosis,no,,\nbasal,basal cell carcinoma,yes,basalioma,\nangio,angioma,no,,\n"
)
QUICK = {"size": 16, "epochs": 1, "batch_size": 32}


@pytest.fixture(scope="module")
def binary_run(synthetic_records, tmp_path_factory):
    """A run of one epoch that learned benign and malignant by one output."""
    recipe = training.Recipe.from_dict(
        {**QUICK, "target": "malignancy", "loss": "binary_cross_entropy", "balance": "none"}
    )
    folder = tmp_path_factory.mktemp("binary") / "run"
    return training.train("compact", data.split(synthetic_records), recipe, out=folder)


def test_a_binary_run_exports_classifies_and_is_evaluated(binary_run, synthetic_root, tmp_path, run):
    bundle = tmp_path / "binary.onnx"
    code, _, err = run("export", binary_run.path, bundle)
    assert code == 0, err
    assert Bundle(bundle).labels == BINARY
    classifier, paths = Classifier.load(bundle), data.read(synthetic_root).table["path"]
    image, verdict = next((p, v) for p in paths if (v := classifier.classify(p)).gradable)
    assert set(verdict.probabilities) == {"benign", "malignant"}
    assert "melanoma" not in verdict.risks
    assert "malignancy" in verdict.risks
    code, said, err = run("classify", "--model", bundle, image)
    assert code == 0, err
    assert "malignant lesion" in said
    again = ["evaluate", bundle, "--data", synthetic_root, "--own-test", "--out", tmp_path / "out", "--replicates", 20]
    code, said, err = run(*again)
    assert code == 0, err
    assert " to " in said  # intervals
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert set(metrics["views"]["equal_prevalence"]) == {"diagnosis", "malignancy"}
    predictions = Predictions.load(tmp_path / "out" / "predictions.parquet")
    assert predictions.label_set == BINARY
    assert set(predictions.table["dx"]) == {"benign", "malignant"}
    code, _, err = run("evaluate", bundle, "--data", synthetic_root)
    assert code != 0
    assert "HAM10000" in err
    assert "BINARY" in err
    assert "--map" in err


def test_a_binary_run_is_evaluated_itself(binary_run, tmp_path, run):
    out = tmp_path / "out"
    code, said, err = run("evaluate", binary_run.path, "--out", out, "--replicates", 20)
    assert code == 0, err
    assert "malignant lesion" in said
    assert training.load_run(binary_run.path).classes == BINARY


def test_a_table_with_ones_own_five_labels_end_to_end(synthetic_records, tmp_path, run):
    table = synthetic_records.table[synthetic_records.table["dx"].isin(OWN)]
    rows = table[["path", "lesion_id"]].assign(label=table["dx"].map(OWN))
    folder = tmp_path / "own"
    folder.mkdir()
    rows["path"] = [shutil.copy(path, folder) and path.rpartition("/")[2] for path in rows["path"]]
    rows.to_csv(folder / "table.csv", index=False)
    five, recipe = tmp_path / "five.csv", tmp_path / "quick.json"
    five.write_text(FIVE)
    recipe.write_text(json.dumps(QUICK))
    trained, bundle, out = tmp_path / "run", tmp_path / "five.onnx", tmp_path / "out"
    for arguments in (
        ["train", "compact", "--data", folder, "--labels", five, "--recipe", recipe, "--out", trained],
        ["export", trained, bundle],
        ["classify", "--model", bundle, folder],
        ["evaluate", bundle, "--data", folder, "--labels", five, "--own-test", "--out", out, "--replicates", 20],
        ["report", out / "predictions.parquet", "--data", folder, "--out", tmp_path / "report", "--replicates", 20],
    ):
        code, said, err = run(*arguments)
        assert code == 0 or (arguments[0] == "classify" and "not gradable" in err), err
        assert arguments[0] != "evaluate" or "basal cell carcinoma" in said
    labels = read_label_set(five)
    assert Bundle(bundle).labels == training.load_run(trained).label_set == labels
    assert Predictions.load(out / "predictions.parquet").label_set == labels


def test_isic_2019_is_evaluated_with_a_stated_mapping(bundle_path, tmp_path, run):
    drawn = data.read(synthetic.make(tmp_path / "drawn", lesions=42, seed=12)).table.head(42)
    names = [f"ISIC_{6_000_000 + i}" for i in range(len(drawn))]
    (tmp_path / "isic").mkdir()
    for name, path in zip(names, drawn["path"], strict=True):
        shutil.copy(path, tmp_path / "isic" / f"{name}.jpg")
    words = [{"akiec": "AK"}.get(dx, dx.upper()) for dx in drawn["dx"]]
    words[:3] = ["SCC", "SCC", "UNK"]
    one_hot(names, words, NINE).to_csv(tmp_path / "isic" / "ISIC_2019_Test_GroundTruth.csv", index=False)
    out = tmp_path / "out"
    asked = ["evaluate", bundle_path, "--data", tmp_path / "isic", "--out", out, "--replicates", 20]
    code, _, err = run(*asked)
    assert code != 0
    assert "ISIC2019" in err
    assert "--map NAME" in err
    code, said, err = run(*asked, "--map", "ham10000")
    assert code == 0, err
    assert "ISIC2019 to HAM10000: ak -> akiec; scc left out" in said
    assert "scc has no target in HAM10000 2" in said
    predictions = Predictions.load(out / "predictions.parquet")
    assert predictions.label_set == HAM10000
    assert len(predictions) == 39
    pairs = pd.DataFrame({"from": ["ak", "bcc", "bkl", "df", "mel", "nv", "scc", "vasc"]})
    pairs["to"] = ["akiec", "bcc", "bkl", "df", "mel", "nv", "akiec", "vasc"]
    pairs.to_csv(tmp_path / "map.csv", index=False)
    code, said, err = run(*asked, "--map", tmp_path / "map.csv")
    assert code == 0, err
    assert len(Predictions.load(out / "predictions.parquet")) == 41
