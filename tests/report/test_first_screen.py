"""The first statement is of the default answers: counts, the worst group, and no kind word for a poor model."""

import re
from dataclasses import replace

import numpy as np
import pytest

from lentigo.evaluation.clinical import operating_points
from lentigo.evaluation.predictions import Predictions
from lentigo.evaluation.result import Estimate
from lentigo.report.first_screen import MISSES_MORE, first_screen
from lentigo.report.subject import Subject
from lentigo.report.words import in_brackets, plural
from tests.evaluation.imagined import make, of
from tests.evaluation.subgroups.test_at_threshold import POINT, imagined


def grouped(predictions, face=20):
    """The same predictions with body sites; on the face no melanoma is recognised, and the nevi are."""
    table = predictions.table.copy()
    rng = np.random.default_rng(0)
    table["site"] = rng.choice(["back", "trunk"], len(table))
    lesions = table.loc[table["dx"] == "mel", "lesion_id"].unique()[:face]
    chosen = table["lesion_id"].isin(lesions) | ((table["dx"] != "mel") & (rng.random(len(table)) < 0.1))
    table.loc[chosen, "site"] = "face"
    missed = chosen & (table["dx"] == "mel")
    table.loc[missed, "p_nv"] += table.loc[missed, "p_mel"]
    table.loc[missed, "p_mel"] = 0.0
    return Predictions(table, predictions.meta)


def subject_of(tmp_path, predictions, replicates=100):
    predictions.save(tmp_path / "predictions.parquet")
    return Subject.read(tmp_path / "predictions.parquet", replicates=replicates)


def short(subject):
    return next(s for s in first_screen(subject) if s.label == "In short")


TABLES = {"good": 4.0, "bad": 0.6, "chance": 0.0}


@pytest.mark.parametrize("kind", TABLES)
def test_the_first_sentence_counts_images_misses_and_false_alarms(kind, tmp_path):
    subject = subject_of(tmp_path, make(1000, seed=1, skill=TABLES[kind]))
    p = subject.predictions
    melanoma, called = p.labels == 4, p.probabilities.argmax(axis=1) == 4
    first = short(subject).text.partition(", going by")[0]
    assert first.startswith(f"On 1,000 images of {len(set(p.groups)):,} lesions it missed ")
    assert f"missed {(melanoma & ~called).sum():,} of {melanoma.sum():,} melanomas" in first
    assert f"called {(~melanoma & called).sum():,} of {(~melanoma).sum():,} others melanoma" in first


def test_misses_and_false_alarms_at_the_own_threshold_come_first(tmp_path):
    """A model with a threshold is judged by it, as `classify` judges; its most probable diagnosis counts otherwise."""
    logits = np.zeros((120, 7))
    logits[:28, 4] = logits[40:46, 4] = 9  # above the threshold
    logits[28:33, 4] = logits[46:49, 4] = 1.5  # most probably melanoma, but below it
    subject = subject_of(tmp_path, of(np.repeat([4, 5], [40, 80]), logits), replicates=0)
    applied = operating_points.apply(POINT, subject.predictions)
    evidence = subject.evidence.model_copy(update={"bundle_points": (applied,)})
    text = re.sub(r" \([^)]*\)", "", short(replace(subject, evidence=evidence)).text)
    assert (
        "it missed 12 of 40 melanomas and raised 6 false alarms on 80 others, going by its own threshold as classify "
        "does. Going by the most probable diagnosis, it missed 7 of 40 melanomas and called 9 of 80 others melanoma."
    ) in text


@pytest.mark.parametrize(("kind", "warned"), [("good", False), ("bad", True), ("chance", True)])
def test_a_poor_model_is_called_poor(kind, warned, tmp_path):
    subject = subject_of(tmp_path, make(1000, seed=1, skill=TABLES[kind]))
    said = short(subject)
    assert ("A poor model:" in said.text) == warned == said.alarm
    if kind == "bad":
        assert subject.metrics.get("balanced_accuracy").value == pytest.approx(0.26, abs=0.04)
        assert "wrong more often than correct" in said.text
    if kind == "chance":
        assert "not shown to name diagnoses better than guessing" in said.text
        assert "not shown to distinguish melanomas from other lesions" in said.text
    assert not re.search(r"\bcould\b|\bcan (?!not)", said.text)


@pytest.mark.parametrize("skill", [0.0, 0.6, 1.6, 1.9, 4.0])
def test_better_than_always_nevus_is_said_of_the_default_view_alone_where_it_is_true(skill, tmp_path):
    """Between 1.6 and 1.9 the training prior beats 'always nevus' while the balanced prior, the default, does not."""
    subject = subject_of(tmp_path, make(1000, seed=1, skill=skill))
    accuracy, always = subject.metrics.get("accuracy"), subject.metrics.get("majority_class_baseline.nv")
    text = short(subject).text
    assert "at the balanced prior, its default, is correct for" in text
    assert ("against that it is better" in text) == (accuracy.low > always.value)
    assert ("against that it is worse" in text) == (accuracy.high < always.value)
    assert "training prior" not in text


def test_the_views_do_part_in_these_tables(tmp_path):
    metrics = subject_of(tmp_path, make(1000, seed=1, skill=1.6)).metrics
    always = metrics.get("majority_class_baseline.nv").value
    assert metrics.get("accuracy").high < always
    assert metrics.get("accuracy", view="training_prevalence").low > always


def test_the_worst_group_stands_in_the_first_statement(tmp_path):
    subject = subject_of(tmp_path, grouped(make(1500, seed=2, skill=4.0)))
    text = short(subject).text
    assert "Worst group: site face, where it names 0" in text
    assert re.search(r"\(\d+ lesions of melanoma; (beyond chance|how far)", text)


def test_groups_of_few_melanomas_are_not_named(tmp_path):
    subject = subject_of(tmp_path, grouped(make(1500, seed=2, skill=4.0), face=4))
    assert "site face" not in short(subject).text


def test_without_groups_that_is_said(tmp_path):
    text = short(subject_of(tmp_path, make(300))).text
    assert "Whether it is worse for some people, sites or cameras is unknown." in text


def test_one_class_counts_nothing(tmp_path):
    subject = subject_of(tmp_path, of(np.full(20, 5), np.random.default_rng(0).normal(size=(20, 7))))
    assert "none shows melanoma, so that misses can't be counted" in short(subject).text


def test_missing_most_melanomas_is_a_warning_of_its_own(tmp_path):
    said = short(subject_of(tmp_path, grouped(make(1500, seed=2, skill=4.0), face=1000)))
    assert said.alarm
    assert "it names most melanomas as something else" in said.text


@pytest.mark.parametrize(("name", "words"), [("melanoma", "melanomas"), ("malignant", "malignant lesions")])
def test_plural(name, words):
    assert plural(name) == words


def test_natural_frequencies_stand_in_one_pair_of_brackets():
    assert in_brackets(Estimate(value=0.25, low=0.1, high=0.4)) == "(25 of 100; 10 to 40)"
    assert in_brackets(Estimate(value=0.25, low=0.1, high=0.4), complement=True) == "(75 of 100; 60 to 90)"
    assert in_brackets(Estimate(value=0.25)) == "(25 of 100)"


def test_groups_that_the_own_threshold_serves_worse_are_named(tmp_path):
    subject = subject_of(tmp_path, imagined(12, 18), replicates=0)
    assert not [s for s in first_screen(subject) if s.label.startswith(MISSES_MORE)]  # it has no threshold of its own
    applied = operating_points.apply(POINT, subject.predictions)
    evidence = subject.evidence.model_copy(update={"bundle_points": (applied,)})
    (said,) = [s for s in first_screen(replace(subject, evidence=evidence)) if s.label.startswith(MISSES_MORE)]
    assert said.alarm and "finds 30 of 40 melanomas" in said.text and "sex female 12 of 20" in said.text
