"""Net benefit by its definition, against treating all and none."""

import numpy as np
import pytest

from lentigo.errors import DataError
from lentigo.evaluation.clinical.decision_curves import DecisionCurve, decision_curve
from lentigo.evaluation.predictions import Predictions
from tests.evaluation.imagined import make, of

MEL = 4


def test_net_benefit_is_the_definition():
    predictions = make(300, seed=4)
    curve = decision_curve(predictions, "melanoma", thresholds=[0.05, 0.2, 0.4])
    p, positive = predictions.at_prevalence()[:, MEL], predictions.labels == MEL
    for point in curve.points:
        t, acted = point.threshold, p >= point.threshold
        expected = (acted & positive).mean() - (acted & ~positive).mean() * t / (1 - t)
        assert point.net_benefit.value == pytest.approx(expected)
        treat_all = positive.mean() - (1 - positive.mean()) * t / (1 - t)
        assert point.treat_all == pytest.approx(treat_all)
        assert point.gain.value == pytest.approx(expected - max(treat_all, 0))


def test_stated_prevalence_moves_probabilities_and_weights():
    """As if each nevus stood in the table ten times, and melanomas were as much rarer in training."""
    predictions = make(300, seed=4)
    few = decision_curve(predictions, "melanoma", prevalence=0.02, thresholds=[0.05])
    training = predictions.training_prevalence
    mix = training * np.where(np.arange(7) == MEL, 0.02 / training[MEL], 0.98 / (1 - training[MEL]))
    acted, positive = predictions.at_prevalence(mix)[:, MEL] >= 0.05, predictions.labels == MEL
    expected = acted[positive].mean() * 0.02 - acted[~positive].mean() * 0.98 * 0.05 / 0.95
    assert few.points[0].net_benefit.value == pytest.approx(expected)
    assert (few.prevalence, few.stated) == (0.02, True)


def test_perfect_model_gains_all_and_useless_one_nothing():
    labels = np.repeat([MEL, 5], [30, 70])
    share = [0.05, 0.05, 0.05, 0.05, 0.3, 0.45, 0.05]
    perfect = of(labels, 20 * np.eye(7)[labels], training_prevalence=share)
    useless = of(labels, np.zeros((100, 7)), training_prevalence=share)
    for point in decision_curve(perfect, "melanoma").points:
        assert point.net_benefit.value == pytest.approx(0.3)
    assert all(p.gain.value <= 1e-9 for p in decision_curve(useless, "melanoma").points)


def test_intervals_hold_their_values():
    for point in decision_curve(make(300), "malignancy", thresholds=[0.1, 0.3], replicates=200).points:
        assert point.gain.low < point.gain.value < point.gain.high
        width = point.net_benefit.high - point.net_benefit.low
        assert width == pytest.approx(point.gain.high - point.gain.low)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"task": "diagnosis"}, "task"),
        ({"prevalence": 1.0}, "prevalence"),
        ({"thresholds": [0.2, 0.1]}, "ascend"),
        ({"thresholds": [0.0, 0.1]}, "ascend"),
        ({"thresholds": []}, "ascend"),
    ],
)
def test_impossible_wishes_are_refused(options, message):
    with pytest.raises(DataError, match=message):
        decision_curve(make(50), **{"task": "melanoma", **options})


def test_one_class_or_unknown_prevalence_is_refused():
    with pytest.raises(DataError, match="both classes"):
        decision_curve(of([5] * 20, np.zeros((20, 7)), training_prevalence=[1 / 7] * 7), "melanoma")
    with pytest.raises(DataError, match="training prevalence"):
        decision_curve(Predictions(make(50).table, {}), "melanoma")


def test_json_comes_back_equal():
    curve = decision_curve(make(60), "melanoma", thresholds=[0.1], replicates=10)
    assert DecisionCurve.from_json(curve.to_json()) == curve
