"""Every study is whole: its systems can be built, its tables read, and arithmetic is done on each of its numbers."""

import pytest

from lentigo import models
from lentigo.errors import RunError
from lentigo.studies import STUDIES, Table
from lentigo.studies.binary_melanoma import confusions

studies = pytest.mark.parametrize("study", STUDIES.values(), ids=list(STUDIES))

CONTRADICTIONS = {
    "efficient_cnn": {
        "parameters of the custom CNN's dense 256": (25_690_112, 25_690_368),
        "parameters of the custom CNN": (692_807, 25_785_415),
        "FLOPs of the custom CNN": (30.04e6, 531_465_984),
        "FLOPs of ResNet50 + TL": (4.00e9, 3_855_991_008),
        "parameters of ResNet50 in the abstract": (23.9, 23.661703),
        "parameters reduced by": (96.7, 97.072),
        "accuracy gained by transfer learning": (0.022, 2.03),
        "accuracy of the proposed system": (87.08, 87.05),
        "parameters of MobileNet": (4_253_864, 3_236_039),
    },
    "binary_melanoma": {
        "total parameters of the CNN": (66_737_352, 22_246_082),
        "benign test images": (120, 87),
    },
    "compressed_cnn": {
        "size of the base model": (14.74, 5.100316),
        "size reduction of the prototype on one footing": (97.36, 91.982),
        "decrease in accuracy at 8 bits": (1.33, 1.3078),
        "accuracy of the final prototype": (0.9815, 0.9735),
        "AUC of the final model": (1.0, 0.99),
    },
    "explainable_cnn": {"pixels a side": (224, 100)},
}


def checks(study) -> dict:
    return {check.about: check for check in STUDIES[study].checks}


@studies
def test_systems_can_be_built(study):
    for system in study.systems:
        entry = models.entry(system.network)
        assert set(system.options) <= {"stride_on_first", "conv_biases", "dropout"}
        assert entry.name == system.network
        assert system.pretrained == system.recipe.frozen_base
        assert study.system(system.name) is system


@studies
def test_figures_show_systems_that_exist(study):
    names = {system.name for system in study.systems} | {""}
    assert {figure.system for figure in study.figures} <= names


@studies
def test_contradictions_are_those_that_are_known(study):
    expected = CONTRADICTIONS[study.id]
    assert {check.about for check in study.contradictions} == set(expected)
    for check in study.contradictions:
        published, recomputed = expected[check.about]
        assert check.published == published
        assert check.recompute() == pytest.approx(recomputed, rel=1e-4)
        assert check.because.endswith(".")


@studies
def test_names_are_unique(study):
    assert len({check.about for check in study.checks}) == len(study.checks)
    assert len({table.name for table in study.tables}) == len(study.tables)


def test_the_reconstruction_has_both_figures():
    found = checks("efficient_cnn")
    assert found["parameters of the custom CNN, reconstructed"].recompute() == 692_807
    assert found["FLOPs of the custom CNN, reconstructed"].recompute() == 30_037_824
    assert found["FLOPs added by transfer learning"].recompute() == pytest.approx(13_216.54, abs=0.01)


def test_table_iii_is_explained_to_the_unit():
    found = checks("efficient_cnn")
    for row in ("ResNet50 + TL", "ResNet50 + SA", "DenseNet201 + SA", "IRV2 + SA", "Soft Attention", "IRV2 + GradCam"):
        assert found[f"parameters of {row}"].recompute() == found[f"parameters of {row}"].published
    for row in ("VGG16 + SA", "ResNet34 + SA"):
        check = found[f"parameters of {row}"]
        assert not check.agrees
        assert not check.decides


def test_table_ii_adds_up_to_its_own_network_but_for_256_biases():
    printed = sum(STUDIES["efficient_cnn"].table("II").column("parameters").values())
    assert printed + 256 == models.count_parameters(models.build("efficient_cnn")).total


def test_the_printed_total_counts_adam():
    assert checks("binary_melanoma")["total parameters of the CNN with the state of Adam"].agrees


def test_reports_tell_the_confusion_matrices():
    study = STUDIES["binary_melanoma"]
    assert confusions(study.table("4")) == [(116, 86)]
    assert confusions(study.table("5")) == [(116, 93)]
    assert confusions(study.table("3")) == [(108, 90)]


def test_a_report_that_no_confusion_matrix_has():
    rows = dict(STUDIES["binary_melanoma"].table("4").rows)
    rows["Accuracy"] = (None, None, 0.99, None)
    assert confusions(Table("x", "", ("precision", "recall", "F1", "support"), rows)) == []


def test_the_size_table_measures_the_optimizer():
    base, pruned = (STUDIES["compressed_cnn"].table("8")[row, "MB"] for row in ("Base Model", "MBWP"))
    counts = models.count_parameters(models.build("compressed_cnn"))
    assert base / pruned == pytest.approx((counts.total + 2 * counts.trainable) / counts.total, rel=0.01)


def test_tables_refuse_what_they_do_not_hold():
    study = STUDIES["compressed_cnn"]
    with pytest.raises(RunError, match="Tables: 4, 6, 7, 8, text"):
        study.table("9")
    with pytest.raises(RunError, match="Base Model"):
        study.system("other")
    with pytest.raises(KeyError):
        study.table("8")["Base Model", "size reduction %"]
    assert set(study.table("8").column("size reduction %")) == set(study.table("8").rows) - {"Base Model"}
    with pytest.raises(ValueError, match="row 'a' has 1 values"):
        Table("x", "", ("one", "two"), {"a": (1.0,)})
