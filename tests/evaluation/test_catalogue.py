"""The table of metrics: names, labels, directions, and that one entry is all that a new metric needs."""

from types import MappingProxyType

import numpy as np
import pytest

from lentigo.errors import DataError
from lentigo.evaluation import catalogue, measure, summarise
from lentigo.evaluation.catalogue import METRICS, Metric, choice, entry, label
from lentigo.evaluation.statistics.intervals import SCALES
from lentigo.render.markdown import once, table
from tests.evaluation.imagined import make, of


def test_headline_leads_with_what_the_mix_does_not_flatter():
    assert choice("headline", alarm="mel", majority="nv") == (
        "balanced_accuracy",
        "auc.macro",
        "sensitivity_at_80_specificity.mel",
        "specificity_at_95_sensitivity.mel",
        "ece",
        "accuracy",
        "majority_class_baseline.nv",
    )


def test_what_has_no_class_to_miss_shows_no_metric_of_it():
    assert choice("headline", alarm=None, majority="a") == (
        "balanced_accuracy",
        "auc.macro",
        "ece",
        "accuracy",
        "majority_class_baseline.a",
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("balanced_accuracy", "Balanced accuracy"),
        ("auc.macro", "Macro AUC"),
        ("recall.mel", "Melanoma recall"),
        ("auc.malignant", "Malignant AUC"),
        ("majority_class_baseline.nv", "Majority-class baseline (always melanocytic nevus)"),
    ],
)
def test_labels(name, text):
    assert label(name) == text


def test_an_unknown_metric_is_named():
    with pytest.raises(DataError, match="Unknown metric 'cleverness"):
        entry("cleverness.mel")


def test_every_value_that_is_measured_has_an_entry_and_a_scale():
    values = measure(make(200)).views["equal_prevalence"]["diagnosis"].values
    assert {name.partition(".")[0] for name in values} == set(METRICS)
    assert all(metric.scale in SCALES for metric in METRICS.values())
    assert {m.name for m in METRICS.values() if m.better == "lower"} == {"ece", "ece_equal_mass", "brier", "log_loss"}
    assert not entry("recall").needs_probabilities
    assert entry("auc").needs_probabilities


def test_a_new_metric_is_one_entry(monkeypatch):
    """It is computed in every view and task, with its interval on its own scale, and stands on the pages."""
    youden = Metric(
        "youden",
        "Youden's J",
        "decisions of a class",
        lambda d: catalogue.confusion.recall(d) + catalogue.confusion.specificity(d) - 1,
        averages=("macro",),
        scale="correlation",
        shown={"class": ("",)},
    )
    monkeypatch.setattr(catalogue, "METRICS", MappingProxyType({**METRICS, "youden": youden}))
    metrics = measure(make(300), replicates=30)
    for tasks in metrics.views.values():
        for task, one in tasks.items():
            answer = one.classes[-1]
            found = metrics.get(f"youden.{answer}", task=task)
            expected = metrics.get(f"recall.{answer}", task).value + metrics.get(f"specificity.{answer}", task).value
            assert found.value == pytest.approx(expected - 1)
            assert -1 < found.low < found.value < found.high < 1
    assert choice("class", alarm=None, majority="nv")[-1] == "youden"
    assert "| Youden's J |" in summarise(metrics)


def test_headings_say_how_it_was_decided_and_what_was_counted():
    text = summarise(measure(make(200)))
    assert "decided at the balanced prior, counted on these images" in text
    assert "decided at the training prior, counted on these images" in text
    assert "| metric | diagnoses equally common |" not in text


def test_a_reason_is_stated_once_a_row():
    text = summarise(measure(of(np.full(20, 5), np.random.default_rng(0).normal(size=(20, 7)))))
    row = next(line for line in text.splitlines() if line.startswith("| melanoma |"))
    assert row.count("undefined") == 1
    assert once(["a", "undefined (x)", "0.1", "undefined (x)", "undefined (y)"]) == [
        "a",
        "undefined (x)",
        "0.1",
        "–",
        "undefined (y)",
    ]


def test_cells_can_not_break_a_table():
    assert table(("a", "b"), [("x|y", "two\nlines")]).splitlines()[2] == r"| x\|y | two lines |"
