"""Distances against scipy's, thresholds that keep their promise, and answers for data that barely suffice."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import mahalanobis
from sklearn.covariance import LedoitWolf

from lentigo.errors import DataError
from lentigo.evaluation.ood.detector import fit_gaussian, fit_ood, ood_threshold


def test_distances_are_mahalanobis_to_the_nearest_mean():
    rng = np.random.default_rng(0)
    labels = np.arange(300) % 3
    rows = rng.normal(size=(300, 4)) @ rng.normal(size=(4, 4)) + 5 * rng.normal(size=(3, 4))[labels]
    means = np.stack([rows[labels == k].mean(axis=0) for k in range(3)])
    precision = LedoitWolf(assume_centered=True).fit(rows - means[labels]).precision_
    found = fit_gaussian(rows, labels)(rows[:20])
    wanted = [min(mahalanobis(row, mean, precision) ** 2 for mean in means) for row in rows[:20]]
    assert found == pytest.approx(wanted, rel=1e-4)


def test_a_rare_class_with_a_spread_of_its_own_is_not_odd():
    """Of 1,000 images 20 are of a class that spreads ten times as far: it shapes half of the covariance."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], [980, 20])
    rows = rng.normal(size=(1000, 3)) * np.where(labels, 10, 1)[:, None]
    assert np.median(fit_gaussian(rows, labels)(rows[labels == 1])) < 2 * 3


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999))
def test_distances_do_not_depend_on_the_order_of_images_or_features(seed):
    rng = np.random.default_rng(seed)
    rows, labels = rng.normal(size=(40, 5)), rng.integers(0, 7, 40)
    images, features = rng.permutation(40), rng.permutation(5)
    shuffled = fit_gaussian(rows[images][:, features], labels[images])
    assert shuffled(rows[:, features]) == pytest.approx(fit_gaussian(rows, labels)(rows), rel=1e-6)


@settings(max_examples=30, deadline=None)
@given(images=st.integers(1, 300), per_mille=st.integers(10, 500), seed=st.integers(0, 999))
@example(images=99, per_mille=180, seed=0)
def test_the_threshold_is_the_conformal_quantile(images, per_mille, seed):
    """Neither more nor fewer lie above it than the formula's rank leaves there; with too few images none does."""
    distances = np.random.default_rng(seed).permutation(images) + 0.5
    rank = -((-(images + 1) * (1000 - per_mille)) // 1000)  # rounded up, in whole numbers
    found = ood_threshold(distances, per_mille / 1000)
    assert found in distances
    assert (distances > found).sum() == max(0, images - rank)


def test_fresh_images_are_flagged_as_often_as_wanted():
    """500 repetitions with 99 images each: the expected share is exactly 0.04, known to +- 0.0009 (one sigma)."""
    rng = np.random.default_rng(0)
    shares = [(rng.random(1000) > ood_threshold(rng.random(99), 0.04)).mean() for _ in range(500)]
    assert np.mean(shares) == pytest.approx(0.04, abs=0.004)


def test_either_description_can_flag():
    rng = np.random.default_rng(1)
    train, validation = rng.normal(size=(2, 400, 3)), rng.normal(size=(2, 200, 3))
    ood_score = fit_ood(tuple(train), np.zeros(400, int), tuple(validation))
    usual, far = np.zeros((1, 3)), np.full((1, 3), 20.0)
    assert ood_score(usual, usual) < ood_score.threshold
    assert ood_score(far, usual) > ood_score.threshold
    assert ood_score(usual, far) > ood_score.threshold
    assert ood_score.images == 200


def test_fewer_images_than_features_and_features_that_never_vary():
    rows = np.random.default_rng(2).normal(size=(10, 50))
    rows[:, 10:] = 3.0
    gaussian = fit_gaussian(rows, np.arange(10) % 4)
    assert np.isfinite(gaussian(rows)).all()
    assert gaussian(rows + 1)[0] > gaussian(rows)[0]
    assert np.isfinite(fit_gaussian(np.ones((5, 3)), np.zeros(5))(np.zeros((1, 3)))).all()


@pytest.mark.parametrize(
    ("features", "labels"),
    [
        (np.ones((1, 3)), np.zeros(1)),
        (np.ones(4), np.zeros(4)),
        (np.full((4, 2), np.nan), np.zeros(4)),
        (np.ones((4, 2)), np.zeros(3)),
    ],
)
def test_what_cannot_be_fitted_is_said(features, labels):
    with pytest.raises(DataError, match="A Gaussian needs finite features"):
        fit_gaussian(features, labels)


def test_no_image_no_threshold():
    with pytest.raises(DataError, match="OOD threshold needs images"):
        ood_threshold(np.array([]))


def test_the_compact_form_keeps_the_scores_of_many_features():
    """As pooled features are: a few directions hold most of what varies."""
    rng = np.random.default_rng(3)
    spread = np.exp(-np.arange(150) / 15)
    mix = np.linalg.qr(rng.normal(size=(150, 150)))[0]
    train, fresh = ((rng.normal(size=(n, 150)) * spread) @ mix for n in (2000, 300))
    exact = fit_gaussian(train, np.arange(2000) % 7)
    compact = exact.compact()
    assert compact.directions.shape == (150, 64)
    assert np.corrcoef(exact(fresh), compact(fresh))[0, 1] > 0.9
    far = fresh + 10 * spread[0] * mix[0]
    assert compact(far).min() > np.quantile(compact(fresh), 0.99)
    assert fit_gaussian(train[:, :64], np.zeros(2000)).compact().directions.shape == (64, 64)
