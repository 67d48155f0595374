"""Teachers over folds: resumable, out of fold, measured together, and refused before hours are lost."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from lentigo import compression, data, training
from lentigo.compression import teachers as teaching
from lentigo.compression.taught import ensemble_of
from lentigo.compression.turned import predict_turned
from lentigo.errors import OutputError, RunError
from lentigo.evaluation import Predictions

RECIPE = training.Recipe(size=16, epochs=1, batch_size=32, flip_tta=False)
SPECS = (
    compression.TeacherSpec(name="first", model="compact", recipe=RECIPE),
    compression.TeacherSpec(name="second", model="compact", recipe=RECIPE.replaced(seed=1)),
)


@pytest.fixture(scope="module")
def taught(synthetic_records, tmp_path_factory):
    """Two teachers on two of three folds."""
    out = tmp_path_factory.mktemp("teachers") / "out"
    return compression.train_teachers(synthetic_records, SPECS, out, folds=(0, 2), of=3), out


def test_turned_answers_are_those_of_an_image_and_its_quarter_turn(taught):
    run = training.load_run(taught[1] / "first" / "fold0")
    found = predict_turned(run, "test")
    pixels = data.load_pixels(run.split.records, 16)
    squares = pixels.of(pixels.readable(run.split.test))
    logits = (run.logits(squares) + run.logits(np.rot90(squares, axes=(1, 2)).copy())) / 2
    expected = np.exp(logits / found.meta["temperature"])
    assert np.allclose(found.probabilities, expected / expected.sum(axis=1, keepdims=True), atol=1e-5)
    assert found.meta["turns"] and found.table["image_id"].tolist() == list(run.split.test.ids)
    turned = SPECS[0].model_copy(update={"turns": True})
    assert turned.declared()["turns"] and "turns" not in SPECS[0].declared()
    frozen = turned.model_copy(update={"recipe": RECIPE.replaced(frozen_base=True)})
    with pytest.raises(RunError, match="frozen base"):
        teaching._check([frozen], [0], 3, taught[1])


def weights(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("network.safetensors"))}


def test_each_image_is_predicted_by_the_network_that_has_not_learned_from_it(taught, synthetic_records):
    _, out = taught
    pooled = Predictions.load(out / "first" / "out_of_fold.parquet")
    expected = [i for fold in (0, 2) for i in data.split(synthetic_records, fold=fold, folds=3).test.ids]
    assert sorted(pooled.table["image_id"]) == sorted(expected)
    for fold in (0, 2):
        run = training.load_run(out / "first" / f"fold{fold}")
        own = Predictions.load(run.path / "predictions.parquet")
        assert set(own.table["image_id"]) == set(run.split.test.ids)
        assert data.load_split(out / "splits" / f"fold{fold}.csv", synthetic_records).hash == run.split_sha256


def test_the_ensemble_is_the_mean_of_its_members(taught):
    found, out = taught
    members = [Predictions.load(out / name / "fold0" / "predictions.parquet") for name in ("first", "second")]
    shuffled = Predictions(members[1].table.sample(frac=1, random_state=0), members[1].meta)
    mean = ensemble_of([members[0], shuffled])
    assert np.allclose(mean.probabilities, (members[0].probabilities + members[1].probabilities) / 2)
    assert set(found.results) == {"first", "second", "ensemble"}
    assert found.results["ensemble"].folds == 2


def test_the_table_says_what_was_measured_on_what(taught):
    found, out = taught
    page = (out / "teachers.md").read_text()
    assert page == found.to_markdown()
    assert "2 of 3 folds (0, 2)" in page
    for words in ("alanced accuracy", "acro AUC", "| ensemble |", "95 %"):
        assert words in page, words
    assert compression.TaughtTeachers.from_json((out / "table.json").read_text()) == found


def test_called_again_it_trains_nothing_and_more_folds_only_what_is_new(
    taught, synthetic_records, tmp_path, monkeypatch
):
    _, out = taught
    copy = tmp_path / "copy"
    shutil.copytree(out, copy)
    before, asked = weights(copy), []

    def spied(*arguments, **options):
        asked.append(str(options["out"].relative_to(copy)))
        raise KeyboardInterrupt

    monkeypatch.setattr(teaching, "train", spied)
    compression.train_teachers(synthetic_records, SPECS, copy, folds=(0, 2), of=3)
    assert not asked
    assert weights(copy) == before
    with pytest.raises(KeyboardInterrupt):
        compression.train_teachers(synthetic_records, SPECS, copy, folds=(0, 1, 2), of=3)
    assert asked == ["first/fold1"]


def test_interrupted_it_ends_in_the_same_files(taught, synthetic_records, tmp_path, monkeypatch):
    _, whole = taught
    step = training.learner.Learner.training_step
    steps = []

    def stopped(self, batch, index):
        steps.append(index)
        if len(steps) == 3:
            raise KeyboardInterrupt
        return step(self, batch, index)

    with monkeypatch.context() as patch:
        patch.setattr(training.learner.Learner, "training_step", stopped)
        with pytest.raises(KeyboardInterrupt):
            compression.train_teachers(synthetic_records, SPECS, tmp_path / "out", folds=(2,), of=3)
    compression.train_teachers(synthetic_records, SPECS, tmp_path / "out", folds=(2,), of=3)
    found = weights(tmp_path / "out")
    assert {str(path.parent) for path in found} == {"first/fold2", "second/fold2"}
    assert found.items() <= weights(whole).items()
    assert (tmp_path / "out" / "splits" / "fold2.csv").read_bytes() == (whole / "splits" / "fold2.csv").read_bytes()


def test_how_long_it_takes_is_said_first(taught, synthetic_records, tmp_path):
    _, out = taught
    splits = {0: data.split(synthetic_records, folds=3)}
    assert teaching.how_long(SPECS, splits, out) == "All teachers are trained."
    text = teaching.how_long(SPECS[:1], splits, tmp_path)
    assert "first: 1 epochs, " in text
    assert "ms an image" in text
    assert "Together about" in text


def test_without_a_card_three_folds_are_trained_and_it_is_said(monkeypatch, capsys):
    assert teaching._folds(None, 5, "cpu") == [0, 1, 2]
    assert "3 of 5 folds" in capsys.readouterr().err
    assert teaching._folds((4,), 5, "cpu") == [4]


@pytest.mark.parametrize(
    ("specs", "options", "message"),
    [
        ((), {}, "no teacher"),
        ((SPECS[0], SPECS[0]), {}, "first, first"),
        (SPECS, {"folds": (0, 5)}, "no such folds of 5: 0, 5"),
        (SPECS, {"folds": (1, 1)}, "no such folds"),
        ((compression.TeacherSpec(name="a", model="compat"),), {}, "compat"),
        ((compression.TeacherSpec(name="a", model="compact", weights="absent.safetensors"),), {}, "absent"),
    ],
    ids=["none", "twice", "fold", "same fold", "network", "weights"],
)
def test_what_can_not_be_trained_is_refused_first(specs, options, message, synthetic_records, tmp_path):
    with pytest.raises(RunError, match=message):
        compression.train_teachers(synthetic_records, specs, tmp_path / "out", **{"folds": (0,), **options})
    assert not (tmp_path / "out").exists()


def test_a_folder_of_other_teachers_or_other_files_is_refused(taught, synthetic_records, tmp_path):
    _, out = taught
    with pytest.raises(OutputError, match="belongs to other teachers"):
        compression.train_teachers(synthetic_records, SPECS[:1], out, folds=(0,), of=3)
    with pytest.raises(OutputError, match="belongs to other teachers"):
        compression.train_teachers(synthetic_records, SPECS, out, folds=(0,), of=4)
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(OutputError, match="other files"):
        compression.train_teachers(synthetic_records, SPECS, tmp_path, folds=(0,), of=3)


def test_what_was_trained_on_other_diagnoses_of_as_many_images_is_refused(taught, synthetic_records, tmp_path):
    """And the splits that it was trained on stay."""
    copy = tmp_path / "copy"
    shutil.copytree(taught[1], copy)
    table = synthetic_records.table
    turned = dict(
        zip(synthetic_records.label_set.classes, np.roll(synthetic_records.label_set.classes, 1), strict=True)
    )
    other = dataclasses.replace(
        synthetic_records, table=table.assign(dx=table["dx"].map(turned).where(table.index > 99, table["dx"]))
    )
    before = (copy / "splits" / "fold0.csv").read_bytes()
    with pytest.raises(RunError, match=r"fold0\.csv: this is of another split"):
        compression.train_teachers(other, SPECS, copy, folds=(0, 2), of=3)
    assert (copy / "splits" / "fold0.csv").read_bytes() == before
    shutil.rmtree(copy / "splits")
    with pytest.raises(RunError, match=r"first.fold0: this is of another split"):
        compression.train_teachers(other, SPECS, copy, folds=(0, 2), of=3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no json", "not a list"),
        ("{}", "not a list"),
        ('[{"model": "compact"}]', "lacks name"),
        ('[{"name": "../up", "model": "compact"}]', "name is '../up'"),
        ('[{"name": "a", "model": "compact", "recipe": {"sise": 3}}]', "sise"),
    ],
)
def test_a_wrong_list_is_refused_by_name(text, message, tmp_path):
    path = tmp_path / "teachers.json"
    path.write_text(text)
    with pytest.raises(RunError, match=message) as caught:
        compression.load_teachers(path)
    assert "teachers.json" in str(caught.value)


def test_a_list_is_what_a_file_says(tmp_path):
    path = tmp_path / "teachers.json"
    path.write_text(json.dumps([{"name": "a", "model": "compact", "recipe": {"size": 16}, "options": {"x": 1}}]))
    (spec,) = compression.load_teachers(path)
    assert spec == compression.TeacherSpec(name="a", model="compact", recipe=training.Recipe(size=16), options={"x": 1})
