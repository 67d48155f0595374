"""The target layer is found in every registered network and in timm's, and its absence is said."""

import pytest
import torch
from torch import nn

from lentigo import models
from lentigo.errors import RunError
from lentigo.explanation import explain
from lentigo.explanation.layers import as_maps, find_layer, recorded
from lentigo.explanation.network import Network
from tests.explanation.conftest import COLOURS, Colours

HEAVY = {"vgg16_sa", "vgg16_tl", "inception_resnet_v2_sa", "densenet201_sa", "resnet34_sa", "melanoma_cnn"}
TIMM = ("timm/mobilenetv3_small_050", "timm/vit_tiny_patch16_224", "timm/swin_tiny_patch4_window7_224")


def check(network, size):
    x = torch.rand(1, 3, size, size)
    layer = find_layer(network.eval(), x)
    with torch.no_grad(), recorded(network, layer) as outputs:
        network(x)
    maps = as_maps(outputs[-1], network)
    assert maps.shape[2] * maps.shape[3] > 1
    return layer


@pytest.mark.parametrize("name", [n for n in models.names() if n not in HEAVY] + [*TIMM])
def test_found_in(name):
    check(models.build(name), models.entry(name).size)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(HEAVY))
def test_found_in_heavy(name):
    check(models.build(name), models.entry(name).size)


def test_maps_of_one_position_are_passed_over():
    assert check(models.build("compressed_cnn"), 28) != "features"  # its last pool leaves 1x1


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "swin_tiny_patch4_window7_224", "resnet18"])
def test_found_in_bare_networks_of_timm(name):
    import timm

    layer = check(timm.create_model(name, num_classes=2), 224)
    if name.startswith("vit"):  # only the class token is read at the end
        assert layer == "blocks.11.norm1"


class Flat(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 2))

    def forward(self, x):
        return self.layers(x)


def test_a_network_without_spatial_features(picture):
    model = Network(Flat(), COLOURS, size=16)
    with pytest.raises(RunError, match="no layer with spatial maps"):
        explain(picture, "grad_cam", model=model)


@pytest.mark.parametrize(("layer", "match"), [("features.9", "no layer"), ("classifier", "no spatial maps")])
def test_a_layer_that_does_not_do(picture, layer, match):
    with pytest.raises(RunError, match=match):
        explain(picture, "grad_cam", model=Network(Colours(), COLOURS, size=16), layer=layer)
