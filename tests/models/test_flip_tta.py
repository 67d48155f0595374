"""The flip test-time augmentation: invariant, and still a decomposition."""

import pytest
import torch

from lentigo import models
from lentigo.models.flip_tta import FlipTTA


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return FlipTTA(models.build("compact").eval())


@pytest.mark.parametrize("dims", [(2,), (3,), (2, 3)])
def test_mirror_images_get_the_same_logits_and_mirrored_maps(network, dims):
    x = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        assert torch.allclose(network(x), network(x.flip(dims)), atol=1e-5)
        assert torch.allclose(network.maps(x).flip(dims), network.maps(x.flip(dims)), atol=1e-5)
        assert not torch.allclose(network.network(x), network.network(x.flip(dims)), atol=1e-5)


def test_the_logits_are_the_mean_over_the_mirror_images(network):
    x = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        mean = torch.stack([network.network(x.flip(dims)) for dims in ((), (2,), (3,), (2, 3))]).mean(0)
        assert torch.allclose(network(x), mean, atol=1e-5)


def test_the_maps_mean_plus_the_bias_is_the_logit(network):
    x = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        again = network.maps(x).mean((2, 3)) + network.classifier.bias
        assert torch.allclose(again, network(x), atol=1e-5)
