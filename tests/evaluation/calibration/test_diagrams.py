"""Reliability diagrams hold every image once and show calibration where it is."""

import numpy as np
import pytest

from lentigo.errors import DataError
from lentigo.evaluation.calibration.diagrams import ReliabilityDiagram, reliability_diagram
from tests.evaluation.imagined import make, of

VIEWS = ("equal_prevalence", "training_prevalence")


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize(("task", "answer"), [("diagnosis", None), ("diagnosis", "mel"), ("malignancy", "malignant")])
def test_bins_hold_every_image_in_order(view, task, answer):
    diagram = reliability_diagram(make(300), view=view, task=task, answer=answer, replicates=50)
    assert sum(b.images for b in diagram.bins) == 300
    assert all(a.high < b.low for a, b in zip(diagram.bins, diagram.bins[1:], strict=False))
    assert all(b.low <= b.predicted <= b.high for b in diagram.bins)
    assert ReliabilityDiagram.from_json(diagram.to_json()) == diagram


def test_share_is_what_happened():
    predictions = make(300)
    p = predictions.at_prevalence()[:, 4]
    for b in reliability_diagram(predictions, answer="mel").bins:
        inside = (p >= b.low) & (p <= b.high)
        assert b.observed.value == pytest.approx((predictions.labels == 4)[inside].mean())
        assert b.predicted == pytest.approx(p[inside].mean())


def test_calibrated_model_lies_on_the_diagonal():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, (6000, 7))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (p.cumsum(axis=1) > rng.random((6000, 1))).argmax(axis=1)
    diagram = reliability_diagram(of(labels, logits, training_prevalence=[1 / 7] * 7), answer="mel", replicates=200)
    inside = [b.observed.low <= b.predicted <= b.observed.high for b in diagram.bins]
    assert sum(inside) >= len(inside) - 2


def test_unknown_answer_task_and_view_are_refused():
    for options in ({"answer": "melanoma"}, {"task": "mel"}, {"view": "prior"}):
        with pytest.raises(DataError):
            reliability_diagram(make(30), **options)
