"""Metrics agree with scikit-learn to 1e-9, keep their identities, and say why a number is missing."""

import numpy as np
import pytest
from sklearn import metrics as sk

from lentigo.evaluation.metrics import HEADLINE, Metrics, measure
from tests.evaluation.imagined import make


@pytest.fixture(scope="module")
def predictions():
    return make(600, seed=3)


def test_headline_metrics_are_all_there(predictions):
    metrics = measure(predictions)
    assert all(metrics.get(name).value is not None for name in HEADLINE)
    assert metrics.get("balanced_accuracy").value == pytest.approx(
        sk.balanced_accuracy_score(predictions.labels, predictions.probabilities.argmax(axis=1)), abs=1e-9
    )
    assert metrics.get("accuracy", view="training_prevalence").value == pytest.approx(
        np.mean(predictions.labels == predictions.at_prevalence().argmax(axis=1)), abs=1e-9
    )


def test_json_comes_back_equal(predictions):
    metrics = measure(predictions, replicates=20)
    assert Metrics.from_json(metrics.to_json()) == metrics
