"""Search: every sampler, hopeless trials pruned, an interrupted search goes on, and no look at the test part."""

import json
import re
import sys

import pandas as pd
import pytest

from lentigo import data, studies, training
from lentigo.cli import main
from lentigo.errors import RunError
from lentigo.training import Range
from lentigo.training.learner import Learner
from lentigo.training.search import search
from lentigo.training.space import check_space, grid_of, grid_size, load_space, plain_space

MODULE = sys.modules["lentigo.training.search"]  # the package has a function of that name
RECIPE = training.Recipe(size=16, epochs=2, batch_size=32, schedule="constant", rotation=0)
SPACE = {"learning_rate": Range(1e-3, 1e-2, points=2), "optimizer": ("adam", "sgd"), "widths": ([8, 8], [8, 16])}


@pytest.fixture(scope="module", autouse=True)
def tiny_network():
    """A network of two convolutions, whose widths can be searched."""
    from torch import nn

    from lentigo.models import registry

    def tiny(num_classes: int = 7, widths=(8, 8)) -> nn.Module:
        """Two convolutions."""
        first, second = widths
        layers = [nn.Conv2d(3, first, 3, 2), nn.ReLU(), nn.Conv2d(first, second, 3, 2), nn.ReLU()]
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(second, num_classes))

    registry.register(tiny)
    yield
    del registry._ENTRIES["tiny"]


@pytest.fixture(scope="module")
def split(synthetic_records):
    return data.split(synthetic_records)


def losses(found):
    return [trial.loss for trial in found.trials]


@pytest.mark.parametrize("sampler", ["tpe", "grid", "genetic"])
def test_each_sampler_searches_and_keeps_the_best_run_alone(split, tmp_path, sampler):
    found = search("tiny", split, SPACE, out=tmp_path / "s", sampler=sampler, trials=4, recipe=RECIPE)
    assert len(found.trials) == 4
    finished = [trial for trial in found.trials if trial.state == "finished"]
    assert found.best.loss == min(trial.loss for trial in finished)
    # The figure is the run's own: the lowest validation loss in its log.
    history = pd.read_csv(found.run / "log" / "metrics.csv")
    assert found.best.loss == pytest.approx(history["val_loss"].min(), abs=0)
    assert found.best.balanced_accuracy == history["val_balanced_accuracy"][history["val_loss"].idxmin()]
    best = training.load_run(found.run)
    assert best.finished
    assert best.split.hash == split.hash
    assert best.recipe.optimizer == found.best.parameters["optimizer"]
    assert best.options == {"widths": found.best.parameters["widths"]}
    runs = [path for path in (tmp_path / "s" / "trials").iterdir() if path != found.run]
    for run in runs:
        assert {str(p.relative_to(run)) for p in run.rglob("*") if p.is_file()} == {
            "recipe.json", "log/metrics.csv", "log/seconds.csv",
        }  # fmt: skip


def test_a_grid_tries_every_combination_once_and_stops(split, tmp_path):
    space = {"learning_rate": Range(1e-3, 1e-2, points=3), "batch_size": [32, 64]}
    found = search("tiny", split, space, out=tmp_path / "s", sampler="grid", trials=50, recipe=RECIPE)
    tried = {tuple(trial.parameters.values()) for trial in found.trials}
    assert len(found.trials) == len(tried) == 6
    assert {rate for rate, _ in tried} == set(grid_of(space)["learning_rate"])


def test_hopeless_trials_are_pruned(split, tmp_path, monkeypatch):
    monkeypatch.setattr(MODULE, "STARTUP", 1)
    space = {"learning_rate": [1e-2, 1e-8, 1e-9, 1e-10]}
    recipe = training.Recipe(size=16, epochs=6, batch_size=32, schedule="constant", rotation=0)
    found = search("tiny", split, space, out=tmp_path / "s", sampler="grid", trials=4, recipe=recipe, seed=4)
    assert found.trials[0].parameters == {"learning_rate": 1e-2}  # of this seed: it sets the mark
    pruned = [trial for trial in found.trials if trial.state == "pruned"]
    assert pruned
    for trial in pruned:
        assert 1 < trial.epochs < 6  # after the warm-up of a quarter
        assert len(pd.read_csv(tmp_path / "s" / "trials" / trial.run / "log" / "metrics.csv")) == trial.epochs
    assert found.best.epochs == 6
    assert f"{len(pruned)} pruned" in (tmp_path / "s" / "search.md").read_text()


def test_a_training_that_diverges_is_pruned(split, tmp_path, monkeypatch):
    recipe = training.Recipe(size=16, epochs=2, batch_size=32, optimizer="sgd", schedule="constant", rotation=0)
    loss = Learner.loss
    monkeypatch.setattr(Learner, "loss", lambda s, *a: loss(s, *a) * (float("nan") if s.rate == 1e-3 else 1))
    space = {"learning_rate": [1e-2, 1e-3]}
    found = search("tiny", split, space, out=tmp_path / "s", sampler="grid", trials=2, recipe=recipe)
    lost = next(trial for trial in found.trials if trial.parameters["learning_rate"] == 1e-3)
    assert (lost.state, lost.loss) == ("pruned", None)
    assert "diverged" in (tmp_path / "s" / "search.md").read_text()
    assert json.loads((tmp_path / "s" / "search.json").read_text())["trials"][lost.number]["loss"] is None
    with pytest.raises(RunError, match="no trial finished"):
        search("tiny", split, {"learning_rate": [1e-3]}, out=tmp_path / "t", trials=1, recipe=recipe)


@pytest.mark.parametrize("sampler", ["tpe", "genetic"])
def test_an_interrupted_search_goes_on_to_the_same_result(split, tmp_path, monkeypatch, sampler):
    arguments = {"sampler": sampler, "trials": 4, "recipe": RECIPE, "seed": 3}
    whole = search("tiny", split, SPACE, out=tmp_path / "whole", **arguments)
    out, step, begun = tmp_path / "cut", Learner.training_step, []

    def power_cut(self, batch, index):
        begun.append(self.current_epoch)
        if begun.count(0) > 2 * self.trainer.num_training_batches and self.current_epoch == 1:  # of the third trial
            raise KeyboardInterrupt
        return step(self, batch, index)

    monkeypatch.setattr(Learner, "training_step", power_cut)
    with pytest.raises(KeyboardInterrupt):
        search("tiny", split, SPACE, out=out, **arguments)
    assert not (out / "search.json").exists()
    trained = []
    monkeypatch.setattr(
        Learner, "training_step", lambda s, batch, index: trained.append(s.current_epoch) or step(s, batch, index)
    )
    resumed = search("tiny", split, SPACE, out=out, **arguments)
    assert trained[0] == 1  # the third trial goes on from the end of its first epoch
    assert [(t.parameters, t.loss, t.epochs) for t in resumed.trials] == [
        (t.parameters, t.loss, t.epochs) for t in whole.trials
    ]


def test_a_finished_search_takes_more_trials_and_trains_nothing_twice(split, tmp_path, monkeypatch):
    space = {"batch_size": [32, 64]}
    first = search("tiny", split, space, out=tmp_path / "s", trials=1, recipe=RECIPE)
    calls = []
    train = MODULE.train
    monkeypatch.setattr(MODULE, "train", lambda *a, **k: calls.append(k["out"].name) or train(*a, **k))
    again = search("tiny", split, space, out=tmp_path / "s", trials=1, recipe=RECIPE)
    assert (calls, losses(again)) == ([], losses(first))
    more = search("tiny", split, space, out=tmp_path / "s", trials=6, recipe=RECIPE)
    assert len(calls) == 1
    assert losses(more)[0] == losses(first)[0]
    assert len(set(losses(more))) == 2
    assert sum(trial.repeats for trial in more.trials) == 4


def test_the_test_part_is_not_touched(split, tmp_path, monkeypatch):
    test = set(split.test.ids)
    seen, of, part = set(), data.Pixels.of, data.Split.part

    def no_test(self, name):
        assert name != "test"
        return part(self, name)

    def noted(self, records):
        seen.update(records.ids)
        return of(self, records)

    monkeypatch.setattr(data.Split, "part", no_test)
    monkeypatch.setattr(data.Pixels, "of", noted)
    search("tiny", split, SPACE, out=tmp_path / "s", trials=2, recipe=RECIPE)
    assert seen == set(split.records.ids) - test


@pytest.fixture(scope="module")
def found(split, tmp_path_factory):
    out = tmp_path_factory.mktemp("report") / "s"
    return search("tiny", split, SPACE, out=out, sampler="grid", trials=8, recipe=RECIPE)


class TestReport:
    def test_json_holds_every_trial(self, found, split):
        values = json.loads((found.path / "search.json").read_text())
        assert [trial["loss"] for trial in values["trials"]] == losses(found)
        assert values["split_sha256"] == split.hash
        assert values["leaky"] is False
        assert values["best"]["number"] == found.best.number

    def test_importance_is_a_share_of_each_parameter(self, found):
        assert set(found.importance) == set(SPACE)
        assert sum(found.importance.values()) == pytest.approx(1, abs=1e-3)

    def test_table_and_pictures(self, found):
        text = (found.path / "search.md").read_text()
        assert len(re.findall(r"^\| \d", text, re.M)) == 8
        assert f"validation loss {found.best.loss:.4f}" in text
        for name, said in (("history", "lowest so far"), ("importance", "learning_rate")):
            assert said in (found.path / f"{name}.svg").read_text()

    def test_the_page_says_how_to_search_so_again(self, found):
        command = next(line for line in (found.path / "search.md").read_text().splitlines() if "lentigo search" in line)
        assert f"--trials {len(found.trials)} " in command
        assert "--space space.json --recipe recipe.json" in command
        assert plain_space(load_space(found.path / "space.json")) == plain_space(SPACE)
        assert training.Recipe.load(found.path / "recipe.json") == RECIPE

    def test_the_best_recipe_can_be_trained(self, found):
        recipe = training.Recipe.load(found.path / "best.json")
        assert recipe == training.load_run(found.run).recipe


class TestRefused:
    @pytest.mark.parametrize(
        ("space", "said"),
        [
            ({}, "search space is empty"),
            ({"optimizer": []}, "search space is empty: optimizer has no value"),
            ({"batch_size": [16, 32, 16]}, "names batch_size 16 twice"),
            ({"patience": ["fast"]}, "The search space's patience: The recipe's patience is 'fast'"),
            ({"balance": ["none", "oversampling"]}, "what the validation loss measures"),
            ({"optimizer": ["adam", "adamm"]}, "adamm"),
            ({"batch_size": Range(8, 64)}, "any real number"),
            ({"filtres": [[1, 2]]}, "Did you mean 'filters'"),
            ({"lerning_rate": [1e-3]}, "Did you mean 'learning_rate'"),
            ({"epochs": [30, "60"]}, "epochs is '60'"),
            ({"label_smoothing": [0.1, 1.7]}, "label_smoothing is 1.7"),
            ({"learning_rate": Range(1e-3, 1e3)}, "learning_rate is 1000.0"),
            ({"filters": [[8, 8], [8]]}, "can't be built"),
            ({"workers": [0, 2]}, "affects only speed"),
        ],
    )
    def test_spaces_that_can_not_be(self, space, said):
        with pytest.raises(RunError, match=said):
            check_space(space, "explainable_cnn", RECIPE)

    @pytest.mark.parametrize(
        ("low", "high", "points"),
        [(0, 1, 3), (2, 1, 3), (1, 2, 1), ("1", 2, 3), (1, float("inf"), 3), (1, 2, 2.5), (True, 2, 3)],
    )
    def test_ranges_that_can_not_be(self, low, high, points):
        with pytest.raises(RunError, match="range"):
            Range(low, high, points)

    def test_a_grid_that_can_not_be_listed(self, split, tmp_path):
        """It filled the memory before anything was said."""
        many = {name: Range(1e-4, 1e-2, points=1000) for name in ("learning_rate", "weight_decay", "dropout")}
        assert grid_size(SPACE) == 8
        with pytest.raises(RunError, match=r"1,000,000,000 combinations; at most 100,000"):
            grid_size(many)

    def test_what_names_no_storage_or_device_writes_nothing(self, split, tmp_path):
        for options, said in (
            ({"study": "mine"}, "'mine' names a search in a shared"),
            ({"device": "q"}, "device 'q'"),
        ):
            with pytest.raises(RunError, match=said):
                search("tiny", split, SPACE, out=tmp_path / "s", recipe=RECIPE, **options)
        assert not (tmp_path / "s").exists()

    @pytest.mark.parametrize("text", ["{", "[]", "\x00", '{"study": "search"}'])
    def test_a_note_of_the_storage_that_is_damaged(self, split, tmp_path, text):
        (tmp_path / "s").mkdir()
        (tmp_path / "s" / "storage.json").write_text(text)
        with pytest.raises(RunError, match=r"storage\.json: it doesn't say which storage"):
            search("tiny", split, SPACE, out=tmp_path / "s", recipe=RECIPE, storage=tmp_path / "trials.log")

    def test_another_search_in_the_folder(self, split, tmp_path):
        space = {"batch_size": [32, 64]}
        search("tiny", split, space, out=tmp_path / "s", trials=1, recipe=RECIPE)
        with pytest.raises(RunError, match="space"):
            search("tiny", split, SPACE, out=tmp_path / "s", trials=1, recipe=RECIPE)
        with pytest.raises(RunError, match=r": recipe.epochs: 2 recorded, 3 requested\. Choose"):
            search("tiny", split, space, out=tmp_path / "s", trials=1, recipe=RECIPE.replaced(epochs=3))
        journal = tmp_path / "s" / "journal.log"
        journal.write_text(journal.read_text().replace('"split_sha256"', '"split"', 1))
        with pytest.raises(RunError, match="split_sha256: None recorded"):
            search("tiny", split, space, out=tmp_path / "s", trials=1, recipe=RECIPE)
        journal.write_text(journal.read_text().replace('"recipe"', '"rezept"', 1))
        with pytest.raises(RunError, match="description of its search is damaged"):
            search("tiny", split, space, out=tmp_path / "s", trials=1, recipe=RECIPE)
        with pytest.raises(RunError, match="there is a search"):
            search("tiny", split, space, out=tmp_path / "s", trials=1, recipe=RECIPE, resume=False)

    def test_foreign_folders_and_samplers(self, split, tmp_path):
        (tmp_path / "precious.txt").write_text("mine")
        with pytest.raises(RunError, match="no search"):
            search("tiny", split, SPACE, out=tmp_path, recipe=RECIPE)
        with pytest.raises(RunError, match="genetics"):
            search("tiny", split, SPACE, out=tmp_path / "s", sampler="genetics", recipe=RECIPE)
        with pytest.raises(RunError, match="0 trials"):
            search("tiny", split, SPACE, out=tmp_path / "s", trials=0, recipe=RECIPE)


def test_spaces_are_data(tmp_path):
    space = studies.search_space("explainable_cnn")
    assert set(space) == {"learning_rate", "filters", "batch_size", "optimizer"}
    check_space(space, "explainable_cnn", training.Recipe(size=100))
    (tmp_path / "space.json").write_text(json.dumps(plain_space(space)))
    assert plain_space(load_space(tmp_path / "space.json")) == plain_space(space)
    assert "filters" not in studies.search_space("compact")
    (tmp_path / "bad.json").write_text('[["learning_rate", [0.1, 0.2]]]')
    with pytest.raises(RunError, match=r"bad\.json: not a search space"):
        load_space(tmp_path / "bad.json")
    (tmp_path / "bad.json").write_text('{"learning_rate": 3}')
    with pytest.raises(RunError, match=r"bad\.json, learning_rate"):
        studies.search_space("compact", tmp_path / "bad.json")


def test_the_verb_searches(synthetic_root, tmp_path, monkeypatch, capsys):
    (tmp_path / "space.json").write_text('{"learning_rate": [0.001, 0.01]}')
    options = ["--sampler", "grid", "--trials", "2", "--epochs", "3", "--size", "16", "--space"]
    folders = ["--data", str(synthetic_root), "--out", str(tmp_path / "s")]
    monkeypatch.setattr("sys.argv", ["lentigo", "search", "tiny", *folders, *options, str(tmp_path / "space.json")])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code in (0, None)
    printed = capsys.readouterr()
    assert "Best of 2 trials" in printed.out
    page = (tmp_path / "s" / "search.md").read_text()
    for number in (0, 1):  # under one number on the console, on the page and as a folder
        assert f"Trial {number} of 0 to 1: " in printed.err and f"| {number} |" in page
        assert (tmp_path / "s" / "trials" / f"{number:03d}").is_dir()
