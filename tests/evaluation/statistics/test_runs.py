"""Folds and seeds are combined as documented, and what must not be combined is refused."""

import numpy as np
import pytest
from scipy.stats import t

from lentigo.errors import DataError, LeakError
from lentigo.evaluation.metrics.measure import measure
from lentigo.evaluation.predictions import Predictions
from lentigo.evaluation.statistics.runs import TEST_TO_TRAIN, Combined, combine, compare_runs, pool, spread
from lentigo.evaluation.statistics.tables import _named
from tests.evaluation.imagined import make


def run(fold: int, seed: int = 0, images: int = 80, **meta) -> Predictions:
    """A fold's predictions; its lesions and images bear its number."""
    predictions = make(images, seed=10 * fold + seed, split_sha256=f"split {fold}", part="test", **meta)
    table = predictions.table.assign(
        image_id=f"F{fold}" + predictions.table["image_id"], lesion_id=f"F{fold}" + predictions.table["lesion_id"]
    )
    return Predictions(table, {**predictions.meta, "model_sha256": f"model {fold} {seed} {meta}"})


@pytest.fixture(scope="module")
def folds():
    return [measure(run(fold)) for fold in range(5)]


def accuracies(runs):
    return np.array([r.get("accuracy").value for r in runs])


def test_folds_have_the_corrected_interval(folds):
    found = combine(folds)
    spread = found.views["equal_prevalence"]["diagnosis"]["accuracy"]
    values = accuracies(folds)
    assert (found.folds, found.runs) == (5, 5)
    assert spread.mean == pytest.approx(values.mean())
    assert spread.sd_folds == pytest.approx(values.std(ddof=1))
    reach = t.ppf(0.975, 4) * values.std(ddof=1) * np.sqrt(1 / 5 + TEST_TO_TRAIN)
    assert (spread.low, spread.high) == pytest.approx((values.mean() - reach, values.mean() + reach))
    assert spread.sd_seeds is None
    assert pytest.approx(0.2 / 0.7) == TEST_TO_TRAIN


def test_seeds_of_one_fold_have_the_plain_interval():
    runs = [measure(run(0, seed)) for seed in range(3)]
    found = combine(runs)
    spread = found.views["equal_prevalence"]["diagnosis"]["accuracy"]
    values = accuracies(runs)
    reach = t.ppf(0.975, 2) * values.std(ddof=1) / np.sqrt(3)
    assert (spread.low, spread.high) == pytest.approx((values.mean() - reach, values.mean() + reach))
    assert spread.sd_seeds == pytest.approx(values.std(ddof=1))
    assert spread.sd_folds is None
    assert any("share one split" in w for w in found.warnings)


def test_seeds_are_averaged_within_folds():
    runs = [measure(run(fold, seed)) for fold, seeds in ((0, 3), (1, 1)) for seed in range(seeds)]
    spread = combine(runs).views["equal_prevalence"]["diagnosis"]["accuracy"]
    values = accuracies(runs)
    assert spread.mean == pytest.approx((values[:3].mean() + values[3]) / 2)
    assert spread.sd_seeds == pytest.approx(values[:3].std(ddof=1))


def test_single_run_has_no_interval(folds):
    spread = combine(folds[:1]).views["equal_prevalence"]["diagnosis"]["accuracy"]
    assert (spread.low, spread.note) == (None, "no interval: a single run")


def test_undefined_in_one_run_is_said(folds):
    without = measure(Predictions(run(7).table.query("dx != 'df'"), run(7).meta))
    spread = combine([*folds, without]).views["equal_prevalence"]["diagnosis"]["recall.df"]
    assert (spread.mean, spread.note) == (None, "undefined in one of the runs")


def test_recipes_are_compared_fold_by_fold(folds):
    better = [measure(run(fold, skill=3.0)) for fold in range(5)]
    found = compare_runs(better, folds).views["equal_prevalence"]["diagnosis"]["accuracy"]
    assert found.mean == pytest.approx((accuracies(better) - accuracies(folds)).mean())
    assert found.low > 0
    assert found.p < 0.05
    with pytest.raises(DataError, match="different splits"):
        compare_runs(better, folds[:4])


def test_what_must_not_be_combined_is_refused(folds):
    with pytest.raises(DataError, match="no runs"):
        combine([])
    with pytest.raises(DataError, match="twice"):
        combine([folds[0], folds[0]])
    with pytest.raises(DataError, match="protocol"):
        combine([folds[0], measure(run(1, leaky=True, protocol="leaky_image"))])


def test_json_and_warnings_survive(folds):
    leaky = [measure(run(fold, leaky=True)) for fold in range(2)]
    found = combine(leaky)
    assert any(w.startswith("LEAKY") for w in found.warnings)
    assert Combined.from_json(found.to_json()) == found


def test_pool_holds_each_image_once():
    tables = [run(fold) for fold in range(3)]
    pooled = pool(tables)
    assert len(pooled) == 240
    assert pooled.meta["part"] == "test"
    assert len(pooled.meta["pooled"]) == 3
    assert measure(pooled).get("accuracy").value == pytest.approx(accuracies([measure(p) for p in tables]).mean())


def test_pool_refuses_overlap():
    with pytest.raises(LeakError, match="two folds"):
        pool([run(0), run(0, seed=1)])
    with pytest.raises(DataError, match="twice"):
        pool([run(0, leaky=True), run(0, seed=1, leaky=True)])
    with pytest.raises(DataError, match="no folds"):
        pool([])


def test_runs_of_other_labels_are_refused(folds):
    other = folds[1].provenance.model_copy(update={"majority": "bkl"})
    with pytest.raises(DataError, match="differ in their labels"):
        combine([folds[0], folds[1].model_copy(update={"provenance": other})])


def test_only_a_comparison_is_tested(folds):
    assert all(spread.p is None for spread in combine(folds).views["equal_prevalence"]["diagnosis"].values())


def test_a_mean_is_tested_on_request_alone():
    folds = [[0.1], [0.3], [0.2]]
    assert spread(folds).p is None
    assert 0 < spread(folds, tested=True).p < 1


def test_a_pool_numbers_its_rows_anew():
    assert pool([run(0), run(1)]).table.index.tolist() == list(range(160))


def test_tables_are_named_by_what_tells_them_apart(tmp_path):
    paths = [tmp_path / "a" / "predictions.parquet", tmp_path / "b" / "predictions.parquet"]
    assert list(_named(paths)) == ["a", "b"]
    assert list(_named([tmp_path / "x" / "one.parquet", tmp_path / "x" / "two.parquet"])) == ["one", "two"]
