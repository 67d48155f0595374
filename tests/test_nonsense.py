"""Numbers that make no sense, absent files and odd types end in one message, and results are shown in a line."""

import pytest

from lentigo import data
from lentigo.data import augment
from lentigo.data.pixels import load_pixels
from lentigo.data.sources import pixel_csv
from lentigo.errors import DataError, LentigoError, reason
from lentigo.evaluation import Predictions, measure
from lentigo.evaluation.statistics.intervals import bootstrap
from lentigo.training import load_run, search
from tests.evaluation.imagined import make


@pytest.mark.parametrize("size", [0, -4])
def test_no_squares_without_pixels(synthetic_records, tmp_path, size):
    for call in (
        lambda: load_pixels(synthetic_records, size),
        lambda: data.pack(synthetic_records, tmp_path / "p.parquet", size=size),
        lambda: pixel_csv.write(synthetic_records, tmp_path / "x.csv", size),
    ):
        with pytest.raises(DataError, match=f"Squares of {size} pixels") as caught:
            call()
        assert caught.value.hint == "Use a whole number of 1 or more."
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_no_seed_that_generators_refuse(synthetic_records, tmp_path, seed):
    split = data.split(synthetic_records)
    for call in (
        lambda: augment.sheet_of(synthetic_records, tmp_path / "a.png", seed=seed),
        lambda: search("compact", split, {"learning_rate": [0.1]}, out=tmp_path / "s", seed=seed),
        lambda: data.split(synthetic_records, seed=seed),
    ):
        with pytest.raises(DataError, match=f"Seed {seed} is out of range"):
            call()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("replicates", [1, -5])
def test_no_interval_from_one_resample_or_fewer(replicates):
    predictions = make(40, seed=1)
    for call in (
        lambda: measure(predictions, replicates=replicates),
        lambda: bootstrap(lambda weights: weights, predictions.labels, predictions.groups, replicates, 0),
    ):
        with pytest.raises(DataError, match=f"{replicates} resamples give no interval"):
            call()
    assert measure(predictions).get("accuracy").low is None


def test_resamples_without_end_are_refused():
    predictions = make(40, seed=1)
    with pytest.raises(DataError, match=r"1,000,001 resamples would take too long; at most 1,000,000"):
        bootstrap(lambda weights: weights[:, 0], predictions.labels, predictions.groups, 1_000_001, 0)


@pytest.mark.parametrize("read", [load_run, Predictions.load, data.load_split], ids=["run", "table", "split"])
def test_an_absent_file_is_said_in_words(tmp_path, synthetic_records, read):
    rest = (synthetic_records,) if read is data.load_split else ()
    with pytest.raises(LentigoError) as caught:
        read(tmp_path / "nope", *rest)
    assert "no such file or directory" in caught.value.message
    assert "Errno" not in caught.value.message


def test_the_reason_of_any_error():
    assert reason(PermissionError(13, "Permission denied")) == "permission denied"
    assert reason(FileNotFoundError("a.parquet")) == "no such file or directory"
    assert reason(OSError("Something odd")) == "something odd"
    assert reason(ValueError("Expecting value")) == "Expecting value"
    assert reason(KeyError()) == "KeyError"


def test_results_are_shown_in_a_line(trained_run, synthetic_records):
    predictions = make(40, seed=1, part="test")
    metrics = measure(predictions)
    assert repr(data.split(synthetic_records)).startswith("<Split of synthetic: grouped, fold 0: test ")
    assert repr(trained_run) == f"<Run {trained_run.path}: compact at 32 pixels on synthetic, finished>"
    assert repr(predictions) == "<Predictions of imagined: 40 rows, test, HAM10000>"
    assert str(metrics.get("balanced_accuracy")) in repr(metrics)
    assert "40 images of" in repr(metrics)
    assert max(len(repr(one)) for one in (data.split(synthetic_records), trained_run, predictions, metrics)) < 300
