"""The page of the flagships: goals are judged by what was measured, of the very file, on as many folds as asked."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from typer.main import get_command

from lentigo.cli import app
from lentigo.evaluation import Predictions, combine, measure
from lentigo.evaluation.clinical.operating_points import of_bundle
from lentigo.evaluation.subgroups.at_threshold import behind
from lentigo.report.first_screen import MISSES_MORE
from lentigo.runtime import Bundle, shipped_models
from lentigo.training import Recipe
from tests.evaluation.imagined import make

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))
from make_model import starting_weights
from train_flagships import STAGES, command

import flagships
from flagships_figures import figures
from flagships_goals import ALL, GOALS, Goal, Measured, judge
from flagships_parts import write_part


@pytest.mark.parametrize(
    ("value", "folds", "most", "verdict"),
    [
        (0.8, None, False, "held"),
        (0.8, 3, False, "held"),
        (0.7, 5, False, "not held"),
        (0.8, 1, False, "open: reached on 1 fold, asked for of 3 at least"),
        (0.7, 2, False, "open: missed on 2 folds, asked for of 3 at least"),
        (0.76, None, True, "held"),
        (None, None, False, "not measured"),
    ],
)
def test_a_goal_is_held_by_a_measurement_alone(value, folds, most, verdict):
    assert judge(Goal("x", "x", 0.76, most=most), {"x": Measured(value, "", folds)}) == verdict


def test_relative_and_strict_goals():
    found = {"x": Measured(0.03, ""), "y": Measured(None, "")}
    assert judge(Goal("x", "x", 0.03, most=True, strict=True), found) == "not held"
    assert judge(Goal("x", "x", "y"), found).startswith("not measured")
    assert judge(Goal("x", "x", "x"), found) == "held"


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["flagships.py", *map(str, arguments)])
    flagships.main()


def test_figures_are_of_the_very_file(tmp_path):
    bundle = Bundle(shipped_models()["lentigo-s"], threads=1)
    folder = tmp_path / bundle.name
    folder.mkdir()
    found = figures(bundle, tmp_path, tmp_path, "none")
    assert found["bytes"].value == bundle.path.stat().st_size
    assert {goal.key for goals in (*GOALS.values(), ALL) for goal in goals} <= set(found)
    assert found["auc"].text == "not measured: no metrics.json"
    for sha256, folds in (("0" * 64, None), (bundle.sha256, 1)):
        metrics = measure(make(200, model_sha256=sha256), replicates=0)
        (folder / "metrics.json").write_text(metrics.to_json())
        assert figures(bundle, tmp_path, tmp_path, "none")["auc"].folds == folds


@pytest.mark.parametrize("own", [False, True])
def test_a_mean_over_folds_is_shown_where_the_file_is_of_one_of_them(own, tmp_path, monkeypatch):
    bundle = Bundle(shipped_models()["lentigo-s"], threads=1)
    files = [bundle.sha256 if own else "0" * 64, "1" * 64, "2" * 64]
    for fold, file in enumerate(files):
        about = {"model": bundle.name, "model_sha256": file, "split_sha256": f"s{fold}", "part": "test", "fold": fold}
        make(200, seed=fold, **about).save(tmp_path / f"{fold}.parquet")
    tables = [tmp_path / f"{fold}.parquet" for fold in range(3)]
    run(monkeypatch, "by-fold", *tables, "--out", tmp_path, "--replicates", 2)
    found = figures(bundle, tmp_path, tmp_path, bundle.name)
    assert found["reference"].folds == 3
    if own:
        assert found["auc"].folds == 3
        assert found["folds"].text.startswith("mean of 3")
    else:
        assert found["auc"].text == found["folds"].text == "not measured: no metrics.json"


@pytest.mark.parametrize("wrong", [{"part": "validation"}, {"leaky": True}, {"fold": None}])
def test_a_fold_is_of_an_honest_test_part(wrong, tmp_path, monkeypatch):
    about = {"model_sha256": "m", "split_sha256": "s", "part": "test", "fold": 0, **wrong}
    make(100, **about).save(tmp_path / "p.parquet")
    with pytest.raises(SystemExit, match="honest fold"):
        run(monkeypatch, "by-fold", tmp_path / "p.parquet", "--out", tmp_path)


@pytest.mark.parametrize("says", ["", "of another file", "so"])
def test_groups_that_the_card_names_are_no_fault(says, tmp_path):
    """Asked for: none more than 8 points behind, or said on the first screen, which is that of the very model."""
    bundle = Bundle(shipped_models()["lentigo-s"], threads=1)
    predictions = make(600, model_sha256=bundle.sha256)
    melanoma = predictions.table["dx"] == "mel"
    predictions.table["sex"] = np.where(np.arange(len(melanoma)) % 2, "female", "male")
    missed = melanoma & (predictions.table["sex"] == "female")
    predictions.table.loc[missed, "p_nv"] += predictions.table.loc[missed, "p_mel"]
    predictions.table.loc[missed, "p_mel"] = 0.0
    (point,) = (p for p in of_bundle(bundle.metadata) if p.task == "melanoma")
    groups = behind(predictions, point)
    assert "female" in [group.name for group in groups]
    (tmp_path / bundle.name).mkdir()
    predictions.save(tmp_path / bundle.name / "predictions.parquet")
    card = {"": "", "of another file": "0" * 64, "so": bundle.sha256}[says]
    named = ", ".join(map(str, groups))
    (tmp_path / bundle.name / "README.md").write_text(f"- **{MISSES_MORE}: melanoma.** {named}\n{card}\n")
    found = figures(bundle, tmp_path, tmp_path, "none")
    assert found["behind"].value == (0 if says == "so" else len(groups))


def trained(folder: Path) -> Path:
    """What a run of two epochs leaves that is read here."""
    (folder / "log").mkdir(parents=True)
    recipe = {"loss": {"name": "distillation", "params": {"store": "/far/away/store"}}, "keep": "last", "epochs": 2}
    (folder / "recipe.json").write_text(json.dumps({"model": "compact", "source": "synthetic", "recipe": recipe}))
    rows = "whole,0,1.5,0.3,0.7\nwhole,1,1.2,0.4,0.8\n"
    head = "stage,epoch,val_loss,val_balanced_accuracy,val_macro_auc\n"
    (folder / "log" / "metrics.csv").write_text(head + rows)
    (folder / "log" / "seconds.csv").write_text("stage,epoch,seconds\nwhole,0,60\nwhole,1,60\n")
    return folder


def test_folds_ablation_and_trainings_make_one_page(tmp_path, monkeypatch):
    for fold in range(3):
        (tmp_path / f"run{fold}").mkdir()
        table = make(
            300, seed=fold, skill=2 + fold, split_sha256=f"s{fold}", model_sha256=f"m{fold}", part="test", fold=fold
        )
        table.save(tmp_path / f"run{fold}" / "predictions.parquet")
    out = ("--out", tmp_path / "results", "--replicates", 20)
    about = {"bytes": 12345, "starting_weights": {"sha256": "a" * 64}}
    (tmp_path / "run2" / "model.json").write_text(json.dumps(about))
    for folds in ((2,), (0, 1)):  # a call keeps what the others measured
        run(monkeypatch, "by-fold", *(tmp_path / f"run{fold}" for fold in folds), *out)
    data = json.loads((tmp_path / "results" / "flagships.json").read_text())["by-fold"]["data"]
    kept = [(row["fold"], row["file"], row["split"]) for row in data["rows"]]
    assert kept == [(f, f"m{f}", f"s{f}") for f in range(3)]
    tables = [measure(Predictions.load(tmp_path / f"run{f}" / "predictions.parquet"), replicates=0) for f in range(3)]
    spread = combine(tables).views["equal_prevalence"]["diagnosis"]["balanced_accuracy"]
    mean = data["means"]["imagined"]["balanced_accuracy"]
    assert (mean["value"], mean["low"], mean["high"]) == pytest.approx((spread.mean, spread.low, spread.high), abs=4e-3)
    page = (tmp_path / "results" / "flagships.md").read_text()
    assert f"**{mean['text']}**" in page
    assert "| m2 | 12,345 | aaaaaaaaaaaa |" in page and "| m1 | not recorded | not recorded |" in page
    same = make(300, seed=0, skill=3, split_sha256="s0", model_sha256="m9", part="test")
    same.save(tmp_path / "run1" / "predictions.parquet")
    rows = [
        {"name": "base", "differs": "nothing", "run": str(tmp_path / "run0"), "against": None},
        {"name": "more", "differs": "skill", "run": str(tmp_path / "run1"), "against": "base"},
        {"name": "other", "differs": "images", "run": str(tmp_path / "run2"), "against": "base"},
    ]
    (tmp_path / "ablation.json").write_text(json.dumps(rows))
    for part in ("ablation", "alternatives"):
        run(monkeypatch, part, tmp_path / "ablation.json", *out)
    run(monkeypatch, "trainings", f"tiny={trained(tmp_path / 'trained')}", *out)
    page = (tmp_path / "results" / "flagships.md").read_text()
    assert page.count("| more | skill |") == 2
    more, other = (next(line for line in page.splitlines() if line.startswith(f"| {n} |")) for n in ("more", "other"))
    assert "not comparable" in other and "| base | 0." in more
    row = next(line for line in page.splitlines() if line.startswith("| tiny | compact |"))
    assert "| synthetic | 2 of 2; not finished | 2 min | " in row and "| balanced accuracy 0.400" in row
    assert "/far/away" not in (tmp_path / "results" / "tiny" / "recipe.json").read_text()
    assert page.count("Not measured yet.") == 3  # models, limits and peers
    assert (tmp_path / "results" / "tiny" / "training.csv").is_file()
    assert str(tmp_path) not in page + (tmp_path / "results" / "flagships.json").read_text()
    write_part(tmp_path / "results", "peers", {}, "All measured.", "python x")
    page = (tmp_path / "results" / "flagships.md").read_text()
    assert "All measured." in page and "| more |" in page


def test_stages_are_commands_that_exist_and_hang_together(tmp_path):
    asked = SimpleNamespace(
        ham=Path("ham"), isic2019=Path("isic"), imagenet=Path("w"), out=tmp_path, fold=2, precision="float32"
    )
    lines = {stage: command(stage, asked) for stage in STAGES}
    verbs = get_command(app).commands
    for arguments in lines.values():
        verb = verbs[arguments[0]]
        verb.make_context(arguments[0], list(arguments[1:]))
        recipe = json.loads(Path(arguments[arguments.index("--recipe") + 1]).read_text())
        assert Recipe.from_dict(recipe).precision == "float32"
    for stage, needs in {"soft": ("m", "e3"), "s": ("e3",), "n": ("e3",), "e3": ("pre",), "m": ("mpre",)}.items():
        assert all(lines[need][-1] in lines[stage] for need in needs)
    store = str(tmp_path / "fold-2" / "soft.safetensors")
    assert store in lines["soft"]
    assert all(store in (tmp_path / "fold-2" / f"{stage}.json").read_text() for stage in ("s", "n"))
    assert "--fold" not in lines["pre"] and lines["m"][lines["m"].index("--fold") + 1] == "2"
    (tmp_path / "pre").mkdir()
    (tmp_path / "pre" / "recipe.json").write_text("{}")
    assert command("pre", asked)[-1] == "--resume"


def test_starting_weights_are_those_of_the_first_of_a_line():
    assert starting_weights({"sha256": "b", "parent_start": {"sha256": "a", "run": {"start": {"sha256": "i"}}}}) == {
        "sha256": "a",
        "run": {"start": {"sha256": "i"}},
    }
