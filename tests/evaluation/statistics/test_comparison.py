"""Paired differences and tests find what is there, and refuse what can't be compared."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lentigo.errors import DataError
from lentigo.evaluation.metrics.measure import measure
from lentigo.evaluation.predictions import Predictions
from lentigo.evaluation.statistics.comparison import Comparison, compare, holm
from lentigo.evaluation.statistics.intervals import resamples
from lentigo.labels import HAM10000
from tests.evaluation.imagined import make, of


def models(skills, images=300, seed=0):
    """Models of these skills on the same images, with noise of their own."""
    truth = make(images, seed=seed)
    lesions = truth.table["lesion_id"].str[1:].astype(int)
    rng = np.random.default_rng(seed + 1)
    return {
        name: of(
            truth.labels,
            rng.normal(size=(images, 7)) + skill * np.eye(7)[truth.labels],
            lesions,
            training_prevalence=truth.meta["training_prevalence"],
        )
        for name, skill in skills.items()
    }


@pytest.fixture(scope="module")
def compared():
    return compare(models({"good": 4.0, "fair": 1.5, "same": 1.5}), replicates=200)


def find(pair, metric):
    return next(d for d in pair.differences if d.metric == metric)


def test_better_model_is_found_better(compared):
    pair = compared.pairs[0]
    assert (pair.first, pair.second) == ("good", "fair")
    found = find(pair, "balanced_accuracy")
    assert found.difference.low > 0
    assert found.p < found.p_holm < 0.05
    assert pair.mcnemar.first_only > pair.mcnemar.second_only
    assert pair.mcnemar_p_holm < 0.05
    assert all(d.p < 0.05 for d in pair.delong)


def test_equal_models_are_not(compared):
    pair = compared.pairs[2]
    assert find(pair, "auc.macro").p_holm > 0.05
    assert all(d.p_holm > 0.05 for d in pair.delong)


def test_interval_and_p_agree(compared):
    for pair in compared.pairs:
        for d in (*pair.differences, *pair.delong):
            assert (d.p < 0.05) == (not d.difference.low <= 0 <= d.difference.high), d.metric


def test_difference_is_that_of_the_metrics():
    both = models({"a": 2.0, "b": 1.0})
    pair = compare(both, replicates=20).pairs[0]
    for d in pair.differences:
        a, b = (measure(p).get(d.metric, d.task, d.view).value for p in both.values())
        assert d.difference.value == pytest.approx(a - b, abs=1e-12)


def test_pairing_narrows_the_interval():
    """Two models that err on the same images differ surely, though each is uncertain."""
    first = make(300, seed=2)
    bad = np.random.default_rng(0).random(300) < 0.05
    logits = np.log(first.probabilities)
    logits[bad] += 20 * np.eye(7)[(first.labels[bad] + 1) % 7]
    lesions = first.table["lesion_id"].str[1:].astype(int)
    second = of(first.labels, logits, lesions, training_prevalence=first.meta["training_prevalence"])
    found = find(compare({"a": first, "b": second}, replicates=300).pairs[0], "accuracy")
    alone = measure(first, replicates=300).get("accuracy", view="training_prevalence")
    assert found.difference.high - found.difference.low < 0.9 * (alone.high - alone.low)


def test_order_of_rows_does_not_matter():
    both = models({"a": 2.0, "b": 1.0})
    order = np.random.default_rng(0).permutation(len(both["b"]))
    shuffled = {"a": both["a"], "b": Predictions(both["b"].table.iloc[order], both["b"].meta)}
    assert compare(both, replicates=20) == compare(shuffled, replicates=20)


def test_the_same_model_twice_differs_by_nothing():
    both = models({"a": 2.0})
    pair = compare({"a": both["a"], "again": both["a"]}, replicates=20).pairs[0]
    assert all(d.difference.value == 0 and d.p is None for d in pair.differences)
    assert all(d.p == 1 for d in pair.delong)
    assert pair.mcnemar.p_mid == 1


def test_what_cannot_be_compared_is_refused():
    a = make(50)
    with pytest.raises(DataError, match="two models"):
        compare({"a": a})
    with pytest.raises(DataError, match="I00049"):
        compare({"a": a, "b": make(49)})
    other = a.table.copy()
    other.loc[7, "dx"] = "df" if other.loc[7, "dx"] != "df" else "nv"
    with pytest.raises(DataError, match="I00007"):
        compare({"a": a, "b": Predictions(other, a.meta)})


def test_leak_is_carried():
    a, b = make(60), make(60, leaky=True)
    found = compare({"a": a, "b": b}, replicates=10)
    assert found.provenance["b"].leaky
    assert any(w.startswith("LEAKY: b ") for w in found.warnings)
    assert Comparison.from_json(found.to_json()) == found


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=8))
def test_holm_is_monotone_and_between_the_p_and_bonferroni(ps):
    found = holm(ps)
    known = [(p, q) for p, q in zip(ps, found, strict=True) if p is not None]
    assert [q is None for q in found] == [p is None for p in ps]
    assert all(p <= q <= min(1, p * len(known)) + 1e-12 for p, q in known)
    by_p = sorted(known)
    assert [q for _, q in by_p] == sorted(q for _, q in by_p)


def test_holm_example():
    assert holm([0.01, 0.04, 0.03, None]) == pytest.approx([0.03, 0.06, 0.06, None])


def test_equal_models_are_told_apart_in_one_of_twenty_cases():
    """Two-sided p of the difference in accuracy of equally good models: below 0.05 in 5 % of 300 draws, +- 1.3 %."""
    rng = np.random.default_rng(3)
    lesions = np.repeat(np.arange(80), 2)
    labels = np.zeros(160, int)
    false = 0
    for seed in range(300):
        right = rng.random((2, 80))[:, lesions] * 0.6 + rng.random((2, 160)) * 0.4 < 0.6
        difference = right[0].astype(float) - right[1]
        drawn = np.concatenate(list(resamples(labels, lesions, 150, seed))) @ difference / 160
        false += abs(difference.mean()) > 1.99 * drawn.std(ddof=1)
    assert 0.02 < false / 300 < 0.09


def test_models_of_other_labels_are_refused_by_name():
    first = make(60)
    values = HAM10000.to_dict()
    labels = [{**label, "malignant": label["id"] == "mel"} for label in values["labels"]]
    other = Predictions(first.table, {**first.meta, "label_set": {**values, "name": "others", "labels": labels}})
    with pytest.raises(DataError, match=r"one has the labels of HAM10000.*two of others"):
        compare({"one": first, "same": first, "two": other}, replicates=0)


def test_without_resamples_there_are_differences_and_no_intervals():
    (pair,) = compare(models({"a": 1.0, "b": 2.0}, images=80), replicates=0).pairs
    values = [d.difference.value for d in pair.differences if d.difference.value is not None]
    assert len(values) > 5
    assert any(values)
    assert all(d.difference.low is None and d.p is None for d in pair.differences)
