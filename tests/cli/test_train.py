"""lentigo train: starts, says how far it is, stops and resumes, and says what is wrong in one line."""

import json
import shutil
from types import SimpleNamespace

import pytest

from lentigo import data, training
from lentigo.training.learner import Learner

OPTIONS = {"fold": 1, "folds": 4}


@pytest.fixture(scope="module")
def finished(synthetic_root, tmp_path_factory):
    """A run of one epoch."""
    out = tmp_path_factory.mktemp("cli") / "first"
    training.train_from(synthetic_root, "compact", training.Recipe(size=16, epochs=1), out=out, **OPTIONS)
    return out


@pytest.fixture
def call(run):
    """Run `lentigo ARGUMENTS`, with .code, .out and .err."""
    return lambda *arguments: SimpleNamespace(**dict(zip(("code", "out", "err"), run(*arguments), strict=True)))


def test_it_says_how_far_it_is_and_ends_with_scores_time_and_place(call, synthetic_root, tmp_path):
    out = tmp_path / "first"
    options = ("--size", "16", "--epochs", "1", "--fold", "1", "--folds", "4")
    result = call("train", "compact", "--data", synthetic_root, "--out", out, *options)
    assert result.code == 0
    assert "first: epoch 1 of 1, training loss" in result.err
    assert "left at most" in result.err
    for words in ("Trained compact in", "1 of at most 1 epochs", "Validation part", "macro AUC", str(out), "Next:"):
        assert words in result.out
    split = training.load_run(out).split
    assert (split.fold, split.folds) == (1, 4)


def test_a_finished_run_has_nothing_to_resume(finished, call):
    out = finished
    result = call("train", "compact", "--out", str(out), "--resume")
    assert result.code == 0
    assert "nothing to resume" in result.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--epochs", "60"), "epochs: 1 recorded, 60 requested"),
        (("--fold", "0"), "fold: 1 recorded, 0 requested"),
        (("--option", "dropout=0.5"), "options: none recorded, {'dropout': 0.5} requested"),
    ],
)
def test_a_conflict_is_one_line(finished, call, synthetic_root, options, words):
    out = finished
    result = call("train", "compact", "--data", str(synthetic_root), "--out", str(out), "--resume", *options)
    assert result.code == 1
    assert words in result.err.splitlines()[0]


def test_another_network_is_a_conflict(finished, call):
    result = call("train", "plain_cnn", "--out", str(finished), "--resume")
    assert "model: compact recorded, plain_cnn requested" in result.err


def test_an_interruption_exits_with_130_and_resumes_without_options(call, synthetic_root, tmp_path, monkeypatch):
    out, step = tmp_path / "run", Learner.training_step

    def stopped(self, batch, index):
        if self.current_epoch == 1:
            raise KeyboardInterrupt
        return step(self, batch, index)

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "training_step", stopped)
        place = ("--data", str(synthetic_root), "--out", str(out))
        result = call("train", "compact", *place, "--size", "16", "--epochs", "2")
    assert result.code == 130
    assert "interrupted in epoch 2. Re-run with --resume" in result.err
    assert call("train", "compact", "--out", str(out), "--resume").code == 0
    recipe = training.load_run(out).recipe
    assert (recipe.size, recipe.epochs) == (16, 2)


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ({"epochs": "60"}, "epochs is '60'"),
        ({"size": 64.5}, "size is 64.5"),
        ({"label_smoothing": 1.7}, "label_smoothing is 1.7"),
        ({"zoom": "wide"}, "zoom is 'wide'"),
        ({"lerning_rate": 1}, "Did you mean 'learning_rate'"),
        ({"augmentations": ["mix_up"]}, "Did you mean 'MixUp'"),
    ],
)
def test_a_wrong_recipe_is_one_message_with_the_file(call, synthetic_root, tmp_path, recipe, words):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(recipe))
    place = ("--data", str(synthetic_root), "--out", str(tmp_path / "run"))
    result = call("train", "compact", *place, "--recipe", str(path))
    assert result.code == 1
    assert words in result.err
    assert "mine.json" in result.err
    assert "Traceback" not in result.err


def test_options_that_cannot_be_are_one_message(call, synthetic_root, tmp_path):
    place = ("--data", str(synthetic_root), "--out", str(tmp_path / "run"))
    assert "dropout='much'" in call("train", "compact", *place, "--option", "dropout=much").err
    assert "Name its folder: --data" in call("train", "compact", "--out", str(tmp_path / "run")).err
    assert "nothing to resume" in call("train", "compact", *place, "--resume").err
    assert "Did you mean 'cuda'" in call("train", "compact", *place, "--device", "cude").err
    assert "Did you mean 'compact'" in call("train", "compatc", *place).err
    assert not (tmp_path / "run").exists()


def test_a_run_whose_images_moved_is_measured_where_they_are(call, trained_run, synthetic_root, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(trained_run.path, moved)
    description = moved / "recipe.json"
    description.write_text(description.read_text().replace(str(synthetic_root), "/gone/lesions"))
    lost = call("evaluate", moved)
    assert lost.code == 1
    assert "/gone/lesions" in lost.err
    assert "evaluate --own-test --data FOLDER" in lost.err
    found = call("evaluate", moved, "--data", synthetic_root, "--own-test", "--replicates", 0, "--device", "cpu")
    assert found.code == 0
    assert "Balanced accuracy" in found.out


def test_a_saved_split_is_taken(call, synthetic_root, synthetic_records, tmp_path):
    saved = data.split(synthetic_records, fold=2)
    saved.save(tmp_path / "split.csv")
    place = ("--data", str(synthetic_root), "--out", str(tmp_path / "run"), "--split", str(tmp_path / "split.csv"))
    assert "own fold" in call("train", "compact", *place, "--fold", "2").err
    assert call("train", "compact", *place, "--size", "16", "--epochs", "1").code == 0
    assert training.load_run(tmp_path / "run").split_sha256 == saved.hash
