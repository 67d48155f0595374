"""The engine: all studies run, each table has its columns, and what is done is not done again."""

import dataclasses
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from lentigo import data, studies, training
from lentigo.cli import app
from lentigo.errors import RunError
from lentigo.evaluation import Predictions
from lentigo.studies import STUDIES
from lentigo.studies.budgets import budget
from lentigo.studies.cells import fill, metric_of
from lentigo.studies.jobs import Start, plan, recipe_for, subsample
from lentigo.studies.outcome import Finished, native_predictions, run_job
from lentigo.studies.writing import Reproduction, write_study


def reproduce_all(root, out, *options):
    """All four studies in the smallest budget, through the command line."""
    asked = []

    def leakage(root, out, *, budget, **_):
        asked.append((root, budget))
        return out / "leakage.md"

    words = ["reproduce", "all", "--data", str(root), "--out", str(out), "--budget", "quick", *options]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lentigo.studies.engine.leakage", leakage)  # which test_leakage.py runs
        done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert asked == [(root, "quick")]
    return out


@pytest.fixture(scope="module")
def reproduced(synthetic_root, tmp_path_factory):
    """All four studies under one protocol, and one study under all of its own."""
    out = reproduce_all(synthetic_root, tmp_path_factory.mktemp("reproduced"), "--protocol", "grouped")
    studies.reproduce("compressed_cnn", synthetic_root, out, budget="quick")
    return out


def protocols_of(study):
    """Those that it was run under."""
    return (*study.protocols, study.honest) if study.id == "compressed_cnn" else ("grouped",)


def outcomes_in(folder):
    pages = {name: (folder / name / "study.json").read_text() for name in STUDIES}
    return {name: list(Reproduction.from_json(text).outcomes) for name, text in pages.items()}


@pytest.fixture(scope="module")
def outcomes(reproduced):
    return outcomes_in(reproduced)


def test_every_system_is_run_under_each_protocol(outcomes):
    for name, study in STUDIES.items():
        expected = {(s.name, p) for s in study.systems for p in protocols_of(study)}
        assert {(o.system, o.protocol) for o in outcomes[name]} == expected
        assert all(o.leaky == o.protocol.endswith("_leaky") for o in outcomes[name])


@pytest.mark.slow
def test_every_study_has_every_system_under_every_protocol(synthetic_root, tmp_path):
    outcomes = outcomes_in(reproduce_all(synthetic_root, tmp_path))
    for name, study in STUDIES.items():
        expected = {(s.name, p) for s in study.systems for p in (*study.protocols, study.honest)}
        assert {(o.system, o.protocol) for o in outcomes[name]} == expected
        page = (tmp_path / name / "study.md").read_text()
        assert all(f"`{protocol}`" in page for protocol in (*study.protocols, study.honest))


@pytest.mark.parametrize("name", STUDIES)
def test_a_page_shows_printed_recomputed_and_measured_values(reproduced, name):
    page = (reproduced / name / "study.md").read_text()
    study = STUDIES[name]
    for words in ("lentigo reproduce", "Budget quick", "What the paper leaves open", *protocols_of(study)):
        assert words in page
    assert "## Where the paper contradicts itself" in page
    assert "Not finished" not in page
    if name != "compressed_cnn":  # whose compressed forms this budget makes under the honest protocol alone
        assert "not run" not in page
    assert "nan" not in page.lower().split()
    for line in page.splitlines():
        if line.startswith("!["):
            assert (reproduced / name / line.partition("(")[2].rstrip(")")).is_file()


def test_printed_values_stand_as_printed(reproduced):
    page = (reproduced / "compressed_cnn" / "study.md").read_text()
    assert "| Base Model | accuracy | 0.9864 |" in page
    assert "| Base Model | MB | 14.74 | 14.58 |" in page


def test_compressed_forms_have_their_sizes_on_one_footing_and_their_accuracy(reproduced):
    page = (reproduced / "compressed_cnn" / "study.md").read_text()
    for words in (
        "| Base Model | 14.74 | 14.58",
        "| MBWP | 4.96 | 4.864",
        "| optimized prototype | 0.39 |",
        "weights_zstd",
    ):
        assert words in page
    assert "accuracy, `grouped`" in page


def test_every_check_is_shown(reproduced):
    for name, study in STUDIES.items():
        page = (reproduced / name / "study.md").read_text()
        for check in study.checks:
            assert f"| {check.about} | {check.where} |" in page
        agreeing = page.partition("## Where recomputation agrees or is inconclusive")[2]
        assert not any(f"| {check.about} | {check.where} |" in agreeing for check in study.contradictions)


def test_a_saving_in_time_says_how_long_either_was_trained(reproduced):
    rows = (reproduced / "efficient_cnn" / "study.md").read_text().splitlines()
    assert any("training time reduced" in row and "1 epochs against 1 + 1" in row for row in rows)


def test_an_unfinished_page_says_how_much_of_it_there_is(outcomes, synthetic_records, tmp_path):
    """Until then there are no figures, which would be drawn again after each system."""
    finished = [Finished(outcomes["compressed_cnn"][0], tmp_path)]
    limits = budget("quick")
    page = write_study(
        STUDIES["compressed_cnn"], finished, synthetic_records, limits, "", tmp_path, planned=2
    ).read_text()
    assert "**Not finished: 1 of 2 trainings are in these tables.**" in page
    assert not (tmp_path / "figures").exists()


def test_nothing_is_trained_twice(reproduced, synthetic_root, monkeypatch):
    monkeypatch.setattr(training, "train", lambda *args, **kwargs: pytest.fail("trained again"))
    before = (reproduced / "compressed_cnn" / "study.md").read_text()
    studies.reproduce("compressed_cnn", synthetic_root, reproduced, budget="quick")
    assert (reproduced / "compressed_cnn" / "study.md").read_text() == before


def test_another_budget_needs_another_folder(reproduced, synthetic_root):
    with pytest.raises(RunError, match="budget"):
        studies.reproduce("compressed_cnn", synthetic_root, reproduced, budget="cpu")


def test_a_network_decides_as_it_was_trained(reproduced):
    """What is stored is calibrated; undoing it gives the network's own logits back."""
    for study, system in (("compressed_cnn", "base-model"), ("binary_melanoma", "mobilenetv2")):
        folder = next((reproduced / study / "runs" / system).rglob("test.parquet")).parent
        run, predictions = training.load_run(folder / "run"), Predictions.load(folder / "test.parquet")
        records, logits = run.logits_of(run.split.test)
        own = native_predictions(predictions, run)
        assert list(records.ids) == list(own.table["image_id"])
        assert own.label_set == run.classes
        assert own.probabilities.shape[1] == (7 if study == "compressed_cnn" else 2)
        logits = logits + run.logit_offset
        assert np.array_equal(own.probabilities.argmax(1), logits.argmax(1))
        expected = np.exp(logits - logits.max(axis=1, keepdims=True))
        assert np.allclose(own.probabilities, expected / expected.sum(axis=1, keepdims=True), atol=1e-5)


def test_an_oversampled_data_set_is_not_oversampled_again():
    system = STUDIES["compressed_cnn"].systems[0]
    limits = budget("cpu")
    assert recipe_for(system, "oversampled_then_split_leaky", limits, 1000).balance == "none"
    assert recipe_for(system, "grouped", limits, 1000).balance == "oversampling"


def test_a_budget_cuts_epochs_by_operations():
    system = STUDIES["efficient_cnn"].systems[0]
    assert recipe_for(system, "grouped", budget("full"), 7000).epochs == 30
    assert recipe_for(system, "grouped", budget("cpu"), 7000).epochs == int(8e12 // (531_465_984 * 7000))
    assert recipe_for(system, "grouped", budget("cpu"), 10**9).epochs == 1


def test_the_smallest_budget_cuts_the_images_of_pretrained_networks_alone():
    own, pretrained = (STUDIES["efficient_cnn"].system(name) for name in ("Custom CNN (table II)", "ResNet50 + TL"))
    assert recipe_for(own, "grouped", budget("quick"), 70).size == 224
    assert recipe_for(pretrained, "grouped", budget("quick"), 70).size == 64
    assert recipe_for(pretrained, "grouped", budget("cpu"), 70).size == 224


def test_recipes_are_those_of_the_papers():
    study = STUDIES["compressed_cnn"]
    recipe = recipe_for(study.systems[0], "grouped", budget("full"), 1000)
    assert (recipe.epochs, recipe.batch_size, recipe.schedule, recipe.plateau_patience) == (25, 128, "plateau", 2)
    assert (recipe.keep, recipe.flip_tta, recipe.label_smoothing, recipe.augments) == ("last", False, 0.0, False)
    binary = recipe_for(STUDIES["binary_melanoma"].systems[0], "balanced_subset", budget("full"), 840)
    assert (binary.target, binary.balance, binary.patience, binary.keep) == ("malignancy", "class_weights", 3, "best")
    transfer = recipe_for(STUDIES["efficient_cnn"].system("ResNet50 + TL"), "grouped", budget("full"), 7000)
    assert (transfer.frozen_base, transfer.unfrozen_blocks, transfer.finetune_epochs) == (True, 3, 10)
    assert transfer.normalisation == "imagenet"


def test_a_slice_keeps_groups_whole_and_every_diagnosis(synthetic_records):
    split = data.split(synthetic_records)
    small = subsample(split, budget("quick"))
    used = small.manifest[small.manifest["part"] != "unused"]
    assert len(used) < len(split.manifest)
    assert set(split.records.take(used["image_id"]).table["dx"]) == set(synthetic_records.table["dx"])
    assert used.groupby("group")["part"].nunique().max() == 1


def test_several_folds_give_mean_and_spread(outcomes):
    one = next(o for o in outcomes["compressed_cnn"] if o.protocol == "grouped")
    assert metric_of([one], "accuracy") == one.native.get("accuracy")
    provenance = one.native.provenance.model_copy(update={"split_sha256": "other"})
    other = one.model_copy(update={"fold": 1, "native": one.native.model_copy(update={"provenance": provenance})})
    both = metric_of([one, other], "accuracy")
    assert both.value == pytest.approx(one.native.get("accuracy").value)
    assert "mean of 2" in both.note


def test_cells_that_were_not_run_say_so(outcomes, synthetic_records):
    study = STUDIES["efficient_cnn"]
    table = fill(study, study.table("IV"), outcomes["efficient_cnn"], ["external"], synthetic_records.counts())
    accuracy = next(c for c in table.cells if c.column == "accuracy %")
    assert accuracy.measured == {"external": None}
    flops = next(c for c in table.cells if c.column == "FLOPs" and c.row == "Custom CNN")
    assert flops.recomputed == 531_465_984


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"study": "no_such"}, "Unknown study"),
        ({"budget": "huge"}, "Unknown budget"),
        ({"protocols": ["honest"]}, "Unknown protocol"),
        ({"tables": ["XIV"]}, "no table"),
        ({"weights": {"compressed_cnn": "x"}}, "No system initialises"),
        ({"study": "all", "weights": {"resnet50_tl": "absent.safetensors"}}, "no such file"),
    ],
)
def test_wrong_words_are_answered(synthetic_root, tmp_path, arguments, words):
    with pytest.raises(RunError, match=words):
        studies.reproduce(**{"study": "compressed_cnn", "root": synthetic_root, "out": tmp_path, **arguments})


def test_weights_change_the_plan(synthetic_records, tmp_path):
    """The library's own weights are those of its own variant of a network."""
    random, downloaded = (
        next(
            job
            for job in plan(STUDIES["efficient_cnn"], synthetic_records, budget("quick"), ["grouped"], Start({}, down))
            if job.system.pretrained
        )
        for down in (False, True)
    )
    assert random.options == {"stride_on_first": True}
    assert not random.download
    assert downloaded.options == {}
    assert downloaded.download


def test_the_real_images_give_the_published_counts(real_records):
    study = STUDIES["compressed_cnn"]
    table = fill(study, study.table("4"), [], [], real_records.counts())
    assert all(cell.published == cell.recomputed for cell in table.cells)


class TestWhatWasMeasuredBefore:
    """It is read again only for the images and weights that it was measured with."""

    @pytest.fixture
    def job(self, synthetic_records):
        study, limits = STUDIES["compressed_cnn"], budget("quick")
        return next(j for j in plan(study, synthetic_records, limits, ["grouped"], Start({})))

    @pytest.fixture
    def place(self, reproduced, job, tmp_path):
        whole = reproduced / "compressed_cnn" / "runs" / job.folder
        shutil.copytree(whole, tmp_path / "place")
        return tmp_path / "place"

    def test_of_another_data_set_it_is_refused(self, job, place, synthetic_records):
        assert run_job(job, budget("quick"), place).test_images == len(job.split.test)
        other = data.split(synthetic_records, "grouped", fold=1)
        with pytest.raises(RunError, match="of another split, of other or changed data"):
            run_job(dataclasses.replace(job, split=other), budget("quick"), place)

    def test_random_weights_are_not_taken_for_pretrained_ones(self, job, place):
        with pytest.raises(RunError, match="began with random ones, not pretrained weights"):
            run_job(dataclasses.replace(job, download=True), budget("quick"), place)

    @pytest.mark.parametrize("text", ["", "{", "{}", "\x00"])
    def test_damaged_it_is_an_error_that_names_the_file(self, job, place, text):
        (place / "outcome.json").write_text(text)
        with pytest.raises(RunError, match=r"outcome\.json: not what a reproduction wrote.*Remove this file"):
            run_job(job, budget("quick"), place)
