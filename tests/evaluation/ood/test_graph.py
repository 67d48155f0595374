"""The OOD score in the graph: the numbers of the fit, thresholds that hold, and wrong images far beyond them."""

import numpy as np
import pytest
import torch

from lentigo.data.pixels import load_pixels
from lentigo.data.sources.synthetic.wrong import KINDS, wrong_image
from lentigo.evaluation.ood.detector import fit_ood
from lentigo.evaluation.ood.graph import OODScore, appearance, fit_run
from lentigo.export.module import ExportModule
from lentigo.runtime import Bundle


@pytest.fixture(scope="module")
def bundle(bundle_path):
    return Bundle(bundle_path)


@pytest.mark.parametrize("features", [9, 90])
def test_the_module_computes_what_was_fitted(features):
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.uniform(0, 255, (60, 3, 32, 32))).float()
    pooled, looks = rng.normal(size=(60, features)).astype(np.float32), appearance(x).numpy()
    ood_score = fit_ood((pooled, looks), np.arange(60) % 7, (pooled[:30], looks[:30]))
    again = OODScore(ood_score)(torch.from_numpy(pooled), x)
    assert again.numpy() == pytest.approx(ood_score(pooled, looks), rel=1e-3)


@pytest.mark.parametrize("side", [16, 32, 33, 63])
def test_appearance_is_finite_and_knows_colour_from_edges(side):
    flat = torch.full((1, 3, side, side), 90.0)
    striped = flat.clone()
    striped[..., ::2] += 40
    a, b = appearance(flat), appearance(striped)
    assert a.shape == b.shape == (1, 3 + 3 + 2 + 12)
    assert torch.isfinite(a).all()
    assert (a[:, -12:-9] < b[:, -12:-9]).all()  # edges at the finest scale
    assert torch.allclose(a[:, :3], torch.full((1, 3), 90 / 255))


def test_the_threshold_is_that_of_another_path_to_the_same_scores(bundle, trained_run):
    """From the pixel cache and not from the files; which image sets it follows from the number of images alone."""
    validation = trained_run.split.validation
    squares = load_pixels(trained_run.split.records, 32).of(validation)
    scores = np.sort(bundle.predict(squares).ood_score)
    threshold = bundle.metadata.ood_score
    assert (len(validation), threshold.target_fpr) == (28, 0.04)
    assert threshold.threshold == pytest.approx(scores[-1], rel=0.01)  # 29 x 0.96, rounded up, is the 28th
    assert scores[-2] < threshold.threshold


def test_units_come_from_validation_and_not_from_test(trained_run):
    run = trained_run
    detector = fit_run(run, ExportModule(run.network(), run.mean, run.std, run.logit_offset))
    assert detector.images == len(run.split.validation)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_wrong_images_are_odder_than_lesions(bundle, trained_run, kind):
    lesions = bundle.predict(load_pixels(trained_run.split.records, 32).of(trained_run.split.test)).ood_score
    wrong = bundle.predict(np.stack([wrong_image(kind, seed) for seed in range(8)])).ood_score
    assert np.median(wrong) > np.quantile(lesions, 0.9)
