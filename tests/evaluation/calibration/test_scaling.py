"""Scalings find what was done to probabilities, and stay sensible on tiny validation sets."""

import numpy as np
import pytest
from scipy.optimize import check_grad
from scipy.special import log_softmax, softmax

from lentigo.errors import DataError
from lentigo.evaluation.calibration import scaling as calibration
from lentigo.evaluation.calibration.scaling import Scaling, fit_temperature, fit_vector
from tests.evaluation.imagined import MIX


def draw(images: int, seed: int = 0, prevalence=None) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated log-probabilities [N, 7] under `prevalence`, and labels drawn from them."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (images, 7))
    chances = softmax(logits + (0 if prevalence is None else np.log(prevalence)), axis=1)
    return log_softmax(logits, axis=1), (chances.cumsum(axis=1) > rng.random((images, 1))).argmax(axis=1)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_temperature_is_found(temperature):
    logits, labels = draw(20_000)
    assert fit_temperature(logits * temperature, labels) == pytest.approx(temperature, rel=0.03)


def test_temperature_is_found_where_the_mix_is_not_equal():
    logits, labels = draw(20_000, prevalence=np.array(MIX))
    assert fit_temperature(logits * 2, labels, prevalence=np.array(MIX)) == pytest.approx(2, rel=0.03)
    assert abs(fit_temperature(logits * 2, labels) - 2) > 0.1  # the mix matters


def test_weights_count_as_images():
    logits, labels = draw(300)
    weights = np.repeat([0.0, 1.0], 150)
    assert fit_temperature(logits, labels, weights) == pytest.approx(fit_temperature(logits[150:], labels[150:]))
    assert fit_temperature(logits, labels, np.full(300, 7.0)) == pytest.approx(fit_temperature(logits, labels))


def test_vector_scaling_finds_scales_and_offsets():
    logits, labels = draw(50_000)
    scale, offset = np.linspace(0.6, 1.5, 7), np.linspace(-0.5, 0.5, 7)
    found = fit_vector((logits - offset) / scale, labels)
    assert found.scale == pytest.approx(scale, rel=0.06)
    assert found.offset - found.offset.mean() == pytest.approx(offset - offset.mean(), abs=0.1)


def test_vector_gradient_is_right():
    logits, labels = draw(50)
    problem = calibration._Problem(logits, labels, np.linspace(0.1, 2, 50), np.array(MIX))
    at = np.concatenate([np.linspace(0.5, 2, 7), np.linspace(-1, 1, 7)])
    error = check_grad(
        lambda x: problem.penalised_with_gradient(x)[0], lambda x: problem.penalised_with_gradient(x)[1], at
    )
    assert error < 1e-3


@pytest.mark.parametrize("images", [1, 3, 10])
@pytest.mark.parametrize("right", [True, False])
def test_tiny_sets_give_a_moderate_temperature(images, right):
    labels = np.arange(images) % 7
    logits = 8.0 * np.eye(7)[labels if right else (labels + 1) % 7]
    assert 0.1 < fit_temperature(logits, labels) < 20
    assert np.isfinite(fit_vector(logits, labels)(logits)).all()


def test_temperature_keeps_decisions():
    logits, _ = draw(100)
    assert (Scaling.of_temperature(3.0)(logits).argmax(axis=1) == logits.argmax(axis=1)).all()


@pytest.mark.parametrize(
    ("logits", "labels", "options"),
    [
        (np.zeros((0, 7)), np.zeros(0, int), {}),
        (np.zeros((3, 7)), np.zeros(2, int), {}),
        (np.full((3, 7), np.nan), np.zeros(3, int), {}),
        (np.zeros((3, 7)), np.array([0, 1, 7]), {}),
        (np.zeros((3, 7)), np.zeros(3, int), {"weights": np.zeros(3)}),
        (np.zeros((3, 7)), np.zeros(3, int), {"prevalence": np.zeros(7)}),
    ],
)
def test_bad_input_is_refused(logits, labels, options):
    with pytest.raises(DataError):
        fit_temperature(logits, labels, **options)
    with pytest.raises(DataError):
        fit_vector(logits, labels, **options)
