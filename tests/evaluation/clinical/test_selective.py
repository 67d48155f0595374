"""Risk-coverage curves by their definition, and at their extremes."""

import numpy as np
import pytest

from lentigo.evaluation.clinical.selective import RiskCoverage, risk_coverage
from tests.evaluation.imagined import make, of


def test_curve_is_the_definition():
    predictions = make(300)
    p = predictions.at_prevalence()
    order = np.argsort(-p.max(axis=1))
    wrong = (p.argmax(axis=1) != predictions.labels)[order]
    risks = np.cumsum(wrong) / np.arange(1, 301)
    found = risk_coverage(predictions, at="training_prevalence")
    assert found.area.value == pytest.approx(risks.mean())
    assert [point.coverage for point in found.points] == pytest.approx([0.1 * k for k in range(1, 10)] + [0.95, 1])
    for point in found.points:
        assert point.risk.value == pytest.approx(risks[round(point.coverage * 300) - 1])


def test_last_point_is_the_risk_of_answering_all():
    predictions = make(300)
    balanced = risk_coverage(predictions).points[-1].risk.value
    right = predictions.probabilities.argmax(axis=1) == predictions.labels
    expected = 1 - np.mean([right[predictions.labels == k].mean() for k in range(7)])
    assert balanced == pytest.approx(expected)


def test_confidence_that_knows_its_mistakes_has_the_optimal_area():
    labels = np.arange(2000) % 2
    wrong = np.arange(2000) < 400
    decided = np.where(wrong, 1 - labels, labels)
    sure = np.where(wrong, 1.0, 5.0) + np.linspace(0, 0.1, 2000)
    found = risk_coverage(of(labels, sure[:, None] * np.eye(7)[decided], training_prevalence=[1 / 7] * 7))
    assert found.points[-1].risk.value == pytest.approx(0.2)
    assert found.area.value == pytest.approx(found.optimal_area, abs=2e-3)
    assert found.points[0].risk.value == 0


def test_equal_confidence_goes_together():
    labels = np.arange(70) % 7
    found = risk_coverage(of(labels, np.zeros((70, 7))))
    assert all(point.coverage == 1 for point in found.points)
    assert found.area.value == pytest.approx(6 / 7)


def test_all_wrong():
    labels = np.arange(70) % 7
    found = risk_coverage(of(labels, 5 * np.eye(7)[(labels + 1) % 7]))
    assert found.area.value == pytest.approx(1)
    assert found.optimal_area == 1


def test_intervals_and_json():
    found = risk_coverage(make(300), task="malignancy", replicates=100)
    assert found.area.low < found.area.value < found.area.high
    assert RiskCoverage.from_json(found.to_json()) == found
