"""Conformal sets cover each diagnosis as often as they promise, with several images a lesion too."""

import numpy as np
import pytest

from lentigo import taxonomy
from lentigo.errors import DataError, LeakError
from lentigo.evaluation.clinical.conformal import ConformalReport, assess, calibrate
from tests.evaluation.imagined import make, of


def part(name: str, seed: int, images: int = 600, **options):
    return make(images, seed=seed, part=name, split_sha256="a split", **options)


def test_threshold_is_the_textbook_quantile():
    """One image a lesion: the ceil((n + 1)(1 - alpha))-th smallest score 1 - p."""
    validation = part("validation", 0, per_lesion=1)
    found = calibrate(validation, alpha=0.2)
    own = np.sort(1 - validation.probabilities[validation.labels == 4, 4])
    rank = int(np.ceil((len(own) + 1) * 0.8))
    assert found.thresholds["mel"] == pytest.approx(1 - own[rank - 1])


def test_each_diagnosis_is_covered_on_average_over_calibrations():
    """60 calibrations with tests of 700 lesions; the guarantee is for their mean: at least 0.80, not much above."""
    held = []
    for seed in range(60):
        sets = calibrate(part("validation", seed, 500, mix=(1,) * 7, per_lesion=3), alpha=0.2)
        report = assess(sets, part("test", 1000 + seed, 700, mix=(1,) * 7, per_lesion=3))
        held.append([report.coverage[c].value for c in taxonomy.CLASSES])
    coverage = np.mean(held, axis=0)
    assert (coverage > 0.80 - 0.02).all()
    assert (coverage < 0.86).all()


def test_smaller_alpha_gives_larger_sets():
    validation, test = part("validation", 0), part("test", 1)
    strict, lax = (calibrate(validation, alpha).sets(test) for alpha in (0.05, 0.30))
    assert (strict | ~lax).all()
    assert strict.sum() > lax.sum()


def test_too_few_lesions_are_never_left_out():
    sets = calibrate(of([4] * 5 + [5] * 40, np.random.default_rng(0).normal(size=(45, 7))), alpha=0.1)
    assert sets.thresholds["mel"] == 0 == sets.thresholds["df"]
    assert sets.thresholds["nv"] > 0
    assert "mel" in sets.warnings[0]
    assert "nv" not in sets.warnings[0]


def test_many_images_of_one_lesion_count_as_one():
    rng = np.random.default_rng(0)
    labels, logits = np.full(30, 4), rng.normal(size=(30, 7))
    rows = np.concatenate([np.arange(30), np.zeros(200, int)])
    once = calibrate(of(labels, logits), alpha=0.2)
    again = calibrate(of(labels[rows], logits[rows], lesions=rows), alpha=0.2)
    assert once.thresholds["mel"] == pytest.approx(again.thresholds["mel"])


def test_report_adds_up():
    test = part("test", 1)
    sets = calibrate(part("validation", 0), alpha=0.1)
    report = assess(sets, test, replicates=100)
    members = sets.sets(test)
    assert report.size.value == pytest.approx(members.sum(axis=1).mean())
    assert report.singletons.value == pytest.approx((members.sum(axis=1) == 1).mean())
    assert report.coverage["nv"].low < report.coverage["nv"].value < report.coverage["nv"].high
    assert ConformalReport.from_json(report.to_json()) == report


def test_leaks_and_impossible_wishes_are_refused():
    with pytest.raises(LeakError):
        calibrate(part("test", 0))
    with pytest.raises(LeakError):
        assess(calibrate(part("validation", 0)), part("validation", 0))
    with pytest.raises(DataError, match="Alpha"):
        calibrate(part("validation", 0), alpha=0)
