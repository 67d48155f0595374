"""The predictions table refuses what would turn into a silent NaN, and comes back from disk."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from lentigo.errors import DataError
from lentigo.evaluation.predictions import Predictions
from tests.evaluation.imagined import make


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("p_mel", np.nan, "sum to 1"),
        ("p_mel", 3.0, "sum to 1"),
        ("dx", "melanoom", "known diagnosis"),
        ("dx", None, "known diagnosis"),
        ("lesion_id", None, "no lesion"),
        ("lesion_id", 7, "no lesion_id that is a text"),
        ("image_id", "I00000", "twice"),
        ("image_id", None, "no image_id that is a text"),
        ("image_id", 7, "no image_id that is a text"),
        ("image_id", " ", "no image_id that is a text"),
        ("p_zzz", 0.0, r"columns of other labels than HAM10000's: p_zzz"),
        ("p_mel", "high", "p_mel .* not hold numbers"),
    ],
)
def test_bad_row_is_named(column, value, message):
    table = make(20).table
    table[column] = table.get(column, 0.0)
    table = table.astype({column: object})
    table.loc[7, column] = value
    table = table.infer_objects()
    with pytest.raises(DataError, match=message) as error:
        Predictions(table)
    assert "I00007" in str(error.value) or column in ("image_id", "p_zzz") or value == "high"
    assert error.value.hint


def test_ages_are_numbers_or_missing():
    table = make(20).table
    with pytest.raises(DataError, match=r"age .* not hold numbers"):
        Predictions(table.assign(age="85+"))
    for age in (-5, 120.5, 900, np.inf):
        with pytest.raises(DataError, match=r"Image I00000 has an age outside 0 to 120 years; 20 of 20"):
            Predictions(table.assign(age=age))
    assert len(Predictions(table.assign(age=[0.0, 120.0] * 10))) == 20
    assert len(Predictions(table.assign(age=None))) == 20
    assert len(Predictions(table.assign(age=[45.0, np.nan] * 10))) == 20


@pytest.mark.parametrize("shares", [[0.5, 0.5], [1 / 7] * 8, ["a"] * 7, [[1], [2, 3]], [-1.0] + [1.0] * 6, "many", 3])
def test_a_training_prevalence_that_can_not_be_right_is_told_by_the_file(shares, tmp_path):
    made = make(20)
    made.save(tmp_path / "p.parquet")
    table = pq.read_table(tmp_path / "p.parquet")
    meta = {**table.schema.metadata, b"lentigo": json.dumps({**made.meta, "training_prevalence": shares}).encode()}
    pq.write_table(table.replace_schema_metadata(meta), tmp_path / "p.parquet")
    with pytest.raises(DataError, match=r"p\.parquet: The training prevalence of the predictions is not 7 shares"):
        Predictions.load(tmp_path / "p.parquet")


def test_negative_probability_names_its_image():
    table = make(20).table
    table.loc[7, ["p_mel", "p_nv"]] = [-0.5, table.loc[7, "p_nv"] + table.loc[7, "p_mel"] + 0.5]
    with pytest.raises(DataError, match="I00007"):
        Predictions(table)


def test_empty_or_incomplete_is_refused():
    table = make(20).table
    with pytest.raises(DataError, match="empty"):
        Predictions(table.iloc[:0])
    with pytest.raises(DataError, match="p_vasc"):
        Predictions(table.drop(columns="p_vasc"))


def test_comes_back_from_disk(tmp_path):
    predictions = make(30, leaky=True)
    predictions.save(tmp_path / "p.parquet")
    loaded = Predictions.load(tmp_path / "p.parquet")
    assert loaded.table.equals(predictions.table)
    assert loaded.meta == predictions.meta
    (tmp_path / "not.parquet").write_text("nothing")
    with pytest.raises(DataError, match=r"not\.parquet"):
        Predictions.load(tmp_path / "not.parquet")


def test_edited_meta_is_an_error_with_the_file(tmp_path):
    path = tmp_path / "p.parquet"
    make(30).save(path)
    pq.write_table(pq.read_table(path).replace_schema_metadata({b"lentigo": json.dumps([1, 2])}), path)
    with pytest.raises(DataError, match=r"p\.parquet: not a predictions table"):
        Predictions.load(path)
    with pytest.raises(DataError, match="not 7 shares, but abc"):
        Predictions(make(30).table, {"training_prevalence": "abc"})
    with pytest.raises(DataError, match="7 positive shares, not "):
        _ = Predictions(make(30).table, {"training_prevalence": [0.0, *[1.0] * 6]}).training_prevalence


def test_prevalence_follows_bayes():
    predictions = make(30)
    share = np.array([0.1, 0.1, 0.1, 0.1, 0.2, 0.3, 0.1])
    expected = predictions.probabilities * share
    assert predictions.at_prevalence(share) == pytest.approx(expected / expected.sum(axis=1, keepdims=True))
    assert predictions.at_prevalence(np.ones(7)) == pytest.approx(predictions.probabilities)
