"""Each method against arithmetic on a network whose maps are known, and against captum where it has the method."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from lentigo.explanation import METHODS, explain, open_model
from lentigo.explanation.methods.rise import random_masks
from lentigo.explanation.network import Network
from lentigo.runtime import decode

captum_attr = pytest.importorskip("captum.attr")


def red_of(picture):
    """The map of red, by hand: red less green where above 0, mean of 2x2 pixels, [8, 8]."""
    excess = np.maximum(picture[..., 0].astype(float) - picture[..., 1], 0) / 255
    return excess.reshape(8, 2, 8, 2).mean((1, 3))


def test_class_activation_maps(network, picture):
    np.testing.assert_allclose(explain(picture, "cam", "red", model=network).map, 8 * red_of(picture), rtol=1e-5)


def test_the_mean_of_a_map_is_the_logit(network, picture):
    logit = network.score(network.input(picture), 0).item()
    assert explain(picture, "cam", "red", model=network).map.mean() == pytest.approx(logit, rel=1e-5)


@pytest.mark.parametrize("method", ["grad_cam", "layer_cam"])
def test_where_gradients_are_even_both_are_the_class_activation_map(network, mirrored, picture, method):
    for model in (network, mirrored):  # the gradient of the mean over 64 positions is 8 / 64 at each
        found = explain(picture, method, "red", model=model)
        np.testing.assert_allclose(found.map, 8 / 64 * red_of(picture), rtol=1e-4, atol=1e-7)


def test_grad_cam_pp(network, picture):
    maps = red_of(picture)
    slope = 8 / 64
    alpha = slope**2 / (2 * slope**2 + maps.sum() * slope**3)
    found = explain(picture, "grad_cam_pp", "red", model=network)
    np.testing.assert_allclose(found.map, 64 * alpha * slope * maps, rtol=1e-4, atol=1e-7)


def test_score_cam(network, picture):
    fill = network.input(picture).mean((2, 3), keepdim=True)
    maps = network.network.features(network.input(picture) / 255)
    answers = []
    for k in range(2):
        mask = F.interpolate(maps[:, k : k + 1], (16, 16), mode="bilinear")
        mask = (mask - mask.min()) / (mask.max() - mask.min())
        shown = fill * (1 - mask) + network.input(picture) * mask
        answers.append(network.network(shown / 255).softmax(1)[0, 0])
    weights = torch.stack(answers).softmax(0)
    wanted = (weights[:, None, None] * maps[0]).sum(0).detach().numpy()
    np.testing.assert_allclose(explain(picture, "score_cam", "red", model=network).map, wanted, rtol=1e-4, atol=1e-7)


def test_grad_cam_is_captums(network, picture):
    theirs = captum_attr.LayerGradCam(network.network, network.network.features[0])
    wanted = theirs.attribute(network.input(picture) / 255, target=0, relu_attributions=True)[0, 0]
    found = explain(picture, "grad_cam", "red", model=network, layer="features.0")
    np.testing.assert_allclose(found.map, wanted.detach().numpy(), rtol=1e-4, atol=1e-7)


def test_grad_cam_of_a_trained_network_is_captums(trained_run, synthetic_records):
    ours = open_model(trained_run)
    model = Network(ours.network, ours.labels, size=ours.size)  # without the average over mirror images
    pixels = decode(synthetic_records.table["path"][1])
    theirs = captum_attr.LayerGradCam(model.network, model.network.features[4])
    wanted = theirs.attribute(model.input(pixels) / 255, target=2, relu_attributions=True)[0, 0].detach().numpy()
    found = explain(pixels, "grad_cam", model.labels.classes[2], model=model, layer="features.4")
    np.testing.assert_allclose(found.map, wanted, rtol=1e-3, atol=1e-6)


def test_occlusion_is_captums(network, picture):
    def probability(x):
        return network.module.logits(x).logits.softmax(1)

    fill = network.input(picture).mean((2, 3)).round().view(1, 3, 1, 1).expand(1, 3, 16, 16)
    theirs = captum_attr.Occlusion(probability).attribute(
        network.input(picture),
        (3, 4, 4),
        strides=(3, 2, 2),
        target=0,
        baselines=fill,
    )
    found = explain(picture, "occlusion", "red", model=network)
    np.testing.assert_allclose(found.map, theirs[0, 0].detach().numpy(), atol=1e-5)
    assert np.unravel_index(found.map.argmax(), (16, 16)) < (4, 4)
    assert found.map[-4:, -4:].max() < 0  # what is green speaks against red


def test_rise_is_the_mean_over_its_masks(network, picture):
    found = explain(picture, "rise", "red", model=network, masks=200, cells=4)
    square = network.input(picture)[0].permute(1, 2, 0).numpy()
    fill, masks = square.mean((0, 1)), list(random_masks(16, 200, 4, 0.5, 0))
    shown = np.stack([square * m[..., None] + fill * (1 - m[..., None]) for m in masks]).round().astype(np.uint8)
    answers = network.predict(shown).probabilities[:, 0]
    wanted = (answers[:, None, None] * masks).sum(0) / np.sum(masks, axis=0) - answers.mean()
    np.testing.assert_allclose(found.map, wanted, atol=1e-5)
    assert found.map[:4, :4].mean() > found.map[6:10, 6:10].mean() > found.map[-4:, -4:].mean()


@pytest.mark.parametrize("method", list(METHODS))
def test_every_method_finds_what_is_red(network, mirrored, picture, method):
    for model in (network, mirrored):
        found = explain(picture, method, "red", model=model).heat()
        assert found[:4, :4].mean() > 2 * found[4:-4, 4:-4].mean()


@pytest.mark.parametrize("method", list(METHODS))
def test_the_same_again(network, picture, method):
    first, second = (explain(picture, method, "red", model=network).map for _ in range(2))
    np.testing.assert_array_equal(first, second)
