"""benchmarks/compression.py takes finished runs, one a fold, and pools them."""

import importlib.util
import json
import shutil
from pathlib import Path

import pytest

from lentigo import data
from tests.studies.test_compression_page import surveyed


@pytest.fixture(scope="module")
def benchmark():
    place = Path(__file__).parents[2] / "benchmarks" / "compression.py"
    spec = importlib.util.spec_from_file_location("compression_benchmark", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def run_of_fold_1(trained_run, synthetic_records, tmp_path_factory):
    """As if the recipe of `trained_run` had been trained on another fold."""
    place = tmp_path_factory.mktemp("fold1") / "run"
    shutil.copytree(trained_run.path, place, ignore=shutil.ignore_patterns("checkpoints", "log"))
    split = data.split(synthetic_records, fold=1)
    split.save(place / "split.csv")
    values = json.loads((place / "recipe.json").read_text()) | {"split_sha256": split.hash}
    (place / "recipe.json").write_text(json.dumps(values))
    return place


def test_runs_of_several_folds_are_pooled(
    benchmark, trained_run, run_of_fold_1, synthetic_records, tmp_path, monkeypatch
):
    asked = []

    def survey(run, folder, **options):
        asked.append((run.path.resolve(), folder))
        yield surveyed("fp32", run.split.fold, network="n")
        yield surveyed("fp16", run.split.fold, skill=2.4, network="n")

    monkeypatch.setattr(benchmark, "survey", survey)
    given = [f"--run=n={run_of_fold_1}", f"--run=n={trained_run.path}"]
    words = [
        str(synthetic_records.root),
        "--work",
        str(tmp_path / "w"),
        *given,
        "--networks",
        "n",
        "--out",
        str(tmp_path),
    ]
    monkeypatch.setattr("sys.argv", ["compression.py", *words])
    benchmark.main()
    assert asked == [
        (trained_run.path.resolve(), tmp_path / "w" / "n" / "fold0"),
        (run_of_fold_1.resolve(), tmp_path / "w" / "n" / "fold1"),
    ]
    page = json.loads((tmp_path / "compression.json").read_text())
    assert [row["folds"] for row in page["rows"]] == [[0, 1], [0, 1]]
    assert page["command"].count("--run=n=RUN") == 2
    assert page["test_images"] == {"n": 600}
    values = [surveyed("fp32", fold).metrics.get("balanced_accuracy").value for fold in (0, 1)]
    assert page["rows"][0]["metrics"]["balanced accuracy"]["value"] == pytest.approx(sum(values) / 2)


def test_two_runs_of_one_fold_are_refused(benchmark, trained_run, tmp_path, monkeypatch, capsys):
    twice = [f"--run=n={trained_run.path}"] * 2
    monkeypatch.setattr("sys.argv", ["compression.py", "ROOT", "--work", str(tmp_path), *twice, "--networks", "n"])
    with pytest.raises(SystemExit):
        benchmark.main()
    assert "are both of fold 0" in capsys.readouterr().err
