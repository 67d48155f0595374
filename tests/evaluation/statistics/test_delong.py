"""DeLong's variance agrees with its definition, and with lesions of several images it doesn't fool itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from lentigo.evaluation.statistics.delong import delong, delong_test


def by_definition(scores, positive):
    """DeLong's covariance from all pairs of a positive and a negative."""
    pairs = np.stack([np.sign(s[positive][:, None] - s[~positive][None, :]) / 2 + 0.5 for s in scores])
    ten, one = pairs.mean(axis=2), pairs.mean(axis=1)
    return pairs.mean(axis=(1, 2)), np.cov(ten) / ten.shape[1] + np.cov(one) / one.shape[1]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 30), st.integers(2, 30), st.sampled_from([1, 2, 8]))
def test_agrees_with_definition_ties_included(seed, positives, negatives, decimals):
    rng = np.random.default_rng(seed)
    positive = rng.permutation(np.repeat([True, False], [positives, negatives]))
    scores = (rng.normal(size=(3, len(positive))) + positive).round(decimals)
    areas, covariance = delong(scores, positive, np.arange(len(positive)))
    expected, expected_covariance = by_definition(scores, positive)
    assert areas == pytest.approx(expected, abs=1e-9)
    assert covariance == pytest.approx(expected_covariance, abs=1e-9)
    assert areas[0] == pytest.approx(roc_auc_score(positive, scores[0]), abs=1e-9)


def test_doubling_every_image_adds_no_certainty():
    rng = np.random.default_rng(0)
    positive = np.arange(300) < 60
    scores = rng.normal(size=(2, 300)) + positive
    _, once = delong(scores, positive, np.arange(300))
    _, twice = delong(np.tile(scores, 2), np.tile(positive, 2), np.tile(np.arange(300), 2))
    assert twice == pytest.approx(once)


def test_two_models_of_equal_skill_are_found_different_in_one_of_twenty_cases():
    rng = np.random.default_rng(1)
    lesions = np.repeat(np.arange(150), 2)
    positive = lesions < 50
    ps = []
    for _ in range(600):
        shared = rng.normal(size=150)[lesions]
        scores = [shared + rng.normal(size=150)[lesions] + 0.3 * rng.normal(size=300) + positive for _ in range(2)]
        ps.append(delong_test(*scores, positive, lesions)[2])
    assert 0.03 < np.mean(np.array(ps) < 0.05) < 0.075  # 0.05, +- 3 standard errors of 600 draws


def test_same_order_differs_by_nothing():
    positive = np.arange(20) % 3 == 0
    score = np.linspace(0, 1, 20)
    assert delong_test(score, score**3, positive, np.arange(20)) == (0.0, 0.0, 1.0)


def test_one_positive_lesion_has_no_variance():
    areas, covariance = delong(np.arange(5.0)[None], np.arange(5) == 4, np.arange(5))
    assert areas[0] == 1
    assert np.isnan(covariance).all()


def test_lesions_with_images_of_both_kinds_count_as_one_unit():
    """As the jackknife over lesions has it, which knows nothing of the formula."""
    rng = np.random.default_rng(2)
    lesions = np.repeat(np.arange(200), 2)
    positive = np.tile([True, False], 200)
    scores = (2 * rng.normal(size=200)[lesions] + rng.normal(size=400) + positive)[None]
    without = np.array(
        [delong(scores[:, lesions != k], positive[lesions != k], lesions[lesions != k])[0] for k in range(200)]
    )
    jackknife = 199**2 / 200 * without.var(ddof=1)
    assert delong(scores, positive, lesions)[1][0, 0] == pytest.approx(jackknife, rel=0.05)
    apart = delong(scores, positive, np.arange(400))[1][0, 0]
    assert jackknife != pytest.approx(apart, rel=0.2)


def test_the_variance_of_lesions_of_both_kinds_is_obuchowskis():
    """By loops over the lesions, from the sums of structural components (Biometrics 53:567, 1997)."""
    lesions = np.array([0, 0, 0, 1, 1, 2, 2, 3, 3])
    positive = np.array([True, False, False, True, False, True, True, False, True])
    scores = np.array([0.9, 0.2, 0.8, 0.3, 0.4, 0.7, 0.1, 0.6, 0.5])
    wins = (scores[positive][:, None] > scores[~positive][None, :]).astype(float)
    area, m, n = wins.mean(), positive.sum(), (~positive).sum()
    x = [sum(wins.mean(axis=1)[lesions[positive] == k] - area) for k in range(4)]
    y = [sum(wins.mean(axis=0)[lesions[~positive] == k] - area) for k in range(4)]
    of_positives, of_negatives = 4 / 3 * sum(v**2 for v in x), 3 / 2 * sum(v**2 for v in y)  # 3 lesions have negatives
    both = 4 / 3 * sum(a * b for a, b in zip(x, y, strict=True))
    expected = of_positives / m**2 + of_negatives / n**2 + 2 * both / (m * n)
    found, covariance = delong(scores[None], positive, lesions)
    assert (found[0], covariance[0, 0]) == pytest.approx((area, expected))
