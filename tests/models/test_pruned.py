"""Networks with fewer channels are built from plain numbers, and described by them."""

import json

import pytest
import torch
from torch import nn

from lentigo import models
from lentigo.errors import RunError
from lentigo.models.pruned import narrow, narrowed
from tests.models.meta import build

SMALL = {
    "features.body.features.0.0": [4, 3, 1],
    "features.body.features.0.1": [4],
    "features.body.features.1.conv.0.0": [4, 4, 4],
    "features.body.features.1.conv.0.1": [4],
    "features.body.features.1.conv.1": [16, 4, 1],
}


def test_a_narrow_network_is_rebuilt_from_json_and_described_by_the_same_numbers():
    options = {"blocks": 3}
    network = models.build("torchvision/mobilenet_v2", channels=json.loads(json.dumps(SMALL)), **options).eval()
    first = network.features.body.features[1].conv[0]
    assert (first[0].groups, first[0].weight.shape, first[1].running_mean.shape) == (4, (4, 1, 3, 3), (4,))
    images = torch.rand(1, 3, 32, 32)
    assert torch.allclose(network.maps(images).mean((2, 3)) + network.classifier.bias, network(images), atol=1e-5)
    assert narrowed(network, build("torchvision/mobilenet_v2", **options)) == SMALL
    network(images).sum().backward()
    assert all(p.grad is not None for p in network.parameters())


def test_the_width_of_a_backbone_follows():
    shapes = {
        "features.body.features.18.0": [40, 320, 1],
        "features.body.features.18.1": [40],
        "head.classify.1": [7, 40],
    }
    network = build("torchvision/mobilenet_v2", channels=shapes).eval()
    assert network.features.width == 40
    assert network.maps(torch.zeros(1, 3, 32, 32, device="meta")).shape == (1, 7, 1, 1)


def test_maps_of_timm_keep_their_layout_with_other_widths():
    network = build("timm/tf_efficientnet_lite0", blocks=1).eval()
    narrow(network, {"features.body.blocks.0.0.conv_pw": [8, 32, 1], "features.body.blocks.0.0.bn2": [8]})
    assert network.features(torch.zeros(1, 3, 32, 32, device="meta")).shape == (1, 8, 16, 16)
    assert network.features.width == 8


def test_no_channels_change_nothing():
    assert build("compact", channels={}).state_dict().keys() == build("compact").state_dict().keys()


@pytest.mark.parametrize(
    "channels",
    [
        {"features.99": [4, 3, 1]},
        {"features.0": [4, 3]},
        {"features.0": [400, 3, 1]},
        {"features.0": [0, 3, 1]},
        {"features.0": [24.0, 3, 1]},
        {"features.0": [True, 3, 1]},
        {"features.0": "abc"},
        {"features.0": 3},
        {"features.0": [24, 3, 2]},
        {"features.2": [24]},
        {"classifier": [7]},
        [24],
        "all",
    ],
    ids=str,
)
def test_shapes_that_a_layer_can_not_have(channels):
    with pytest.raises(RunError, match="Channels"):
        build("compact", channels=channels)


def test_a_network_that_shapes_do_not_describe():
    class Normed(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, width, 1), nn.GroupNorm(1, width)

    with pytest.raises(RunError, match=r"norm\.weight lost channels"):
        narrowed(Normed(4), Normed(8))
