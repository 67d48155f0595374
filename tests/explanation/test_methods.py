"""Each method against arithmetic on a network whose maps are known, and against captum where it has the method."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from lentigo import models
from lentigo.errors import RunError
from lentigo.explanation import METHODS, explain, open_model
from lentigo.explanation.methods.rise import random_masks
from lentigo.explanation.network import Network
from lentigo.explanation.relevance_graph import relevance_graph
from lentigo.labels import HAM10000
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


class TestPixels:
    def test_saliency(self, network, picture):
        """A pixel of red has the gradient 8 / 256 / 255 of red and its negative of green; grey has none."""
        found = explain(picture, "saliency", "red", model=network).map
        red = picture[..., 0].astype(int) > picture[..., 1]
        np.testing.assert_allclose(found[red], 8 / 256 / 255, rtol=1e-4)
        assert not found[~red].any()

    def test_integrated_gradients_sum_to_what_the_logit_gains(self, network, picture):
        x = network.input(picture)
        gained = network.score(x, 0) - network.score(x.mean((2, 3), keepdim=True).expand_as(x), 0)
        found = explain(picture, "integrated_gradients", "red", model=network, steps=200)
        assert found.map.sum() == pytest.approx(gained.item(), rel=0.02)

    def test_smooth_grad_without_noise_is_saliency(self, network, picture):
        found = explain(picture, "smooth_grad", "red", model=network, noise=0.0, samples=2).map
        np.testing.assert_allclose(found, explain(picture, "saliency", "red", model=network).map, rtol=1e-4)

    def test_layer_wise_relevance_of_linear_layers_is_gradient_times_input(self, network, picture):
        x = network.input(picture).requires_grad_()
        (gradient,) = torch.autograd.grad(network.score(x, 0), x)
        wanted = (gradient * x)[0].sum(0).detach().numpy()
        found = explain(picture, "lrp", "red", model=network)
        np.testing.assert_allclose(found.map, wanted, atol=1e-5)

    def test_layer_wise_relevance_is_conserved(self, network, picture):
        found = explain(picture, "lrp", "red", model=network)
        assert found.map.sum() == pytest.approx(network.score(network.input(picture), 0).item(), rel=1e-3)


class TestSuperpixels:
    @pytest.mark.parametrize("method", ["lime", "shap"])
    def test_where_superpixels_add_up_each_has_what_it_adds(self, network, picture, method):
        found = explain(picture, method, "red", model=network, samples=400, segments=9).map[:4, :4]
        covered = picture.copy()
        covered[:4, :4] = picture.mean((0, 1)).round()
        with_, without = network.predict(np.stack([picture, covered])).probabilities[:, 0]
        assert found.mean() == pytest.approx(with_ - without, rel=0.1)

    @pytest.mark.parametrize("method", ["lime", "shap"])
    def test_a_blank_image_has_an_empty_map(self, network, method):
        blank = np.full((16, 16, 3), 120, np.uint8)
        assert explain(blank, method, "red", model=network, ungradable=True).empty


@pytest.mark.parametrize("name", ["explainable_cnn", "compact", "torchvision/mobilenet_v2", "torchvision/resnet18"])
def test_layer_wise_relevance_passes_through(name):
    torch.manual_seed(0)
    size = models.entry(name).size if not models.entry(name).any_size else 64
    model = Network(models.build(name, num_classes=7), HAM10000, size=size, mean=(0.5,) * 3, std=(0.5,) * 3)
    image = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)
    x = ((model.input(image) - model.plain.mean) / model.plain.std).requires_grad_()
    score = model.network(x)[0, 2]
    found = explain(image, "lrp", HAM10000.classes[2], model=model).map
    if "mobilenet" in name:  # where ReLU6 saturates, its gradient is 0, but relevance passes through
        assert np.isfinite(found).all()
        return
    # Without bias and with ReLUs the epsilon rule is gradient times input.
    (gradient,) = torch.autograd.grad(score, x)
    wanted = (gradient * x)[0].sum(0).detach().numpy()
    np.testing.assert_allclose(found, wanted, atol=0.02 * np.abs(wanted).max())


@pytest.mark.parametrize("name", ["timm/vit_tiny_patch16_224", "timm/mobilenetv3_small_050", "resnet50_sa"])
def test_layer_wise_relevance_refuses_what_has_no_rule(name):
    with pytest.raises(RunError, match="can't pass through"):
        relevance_graph(models.build(name))
