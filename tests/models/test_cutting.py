"""Backbones cut short keep their first blocks, the weights of the whole network, and exact maps."""

import os
from pathlib import Path

import pytest
import torch
import torchvision
from safetensors.torch import save_file

from lentigo import models
from lentigo.errors import RunError
from lentigo.models import load_weights
from tests.models.meta import build

REAL = os.environ.get("LENTIGO_WEIGHTS")

CUTS = {
    ("torchvision/mobilenet_v2", 14): (160, 7, "features.15 features.16 features.17 features.18"),
    ("torchvision/mobilenet_v2", 17): (320, 7, "features.18"),
    ("torchvision/mobilenet_v3_small", 1): (16, 56, " ".join(f"features.{i}" for i in range(2, 13))),
    ("torchvision/efficientnet_b0", 4): (40, 28, "features.3.1 " + " ".join(f"features.{i}" for i in range(4, 9))),
    ("torchvision/resnet50", 13): (1024, 14, "layer4"),
    ("torchvision/resnet18", 7): (512, 7, "layer4.1"),
    ("timm/tf_efficientnet_lite0", 10): (112, 14, "blocks.4.2 blocks.5 blocks.6 conv_head bn2"),
    ("timm/mobilenetv3_small_100", 3): (24, 28, "blocks.2 blocks.3 blocks.4 blocks.5"),
}


@pytest.mark.parametrize(("name", "blocks"), CUTS)
def test_all_behind_the_last_block_is_dropped_and_named(name, blocks):
    width, side, dropped = CUTS[name, blocks]
    whole, cut = build(name).features, build(name, blocks=blocks).eval().features
    assert cut.dropped == tuple(dropped.split())
    assert (cut.width, cut(torch.zeros(1, 3, 224, 224, device="meta")).shape) == (width, (1, width, side, side))
    gone = tuple(f"{part}." for part in cut.dropped)
    assert list(cut.body.state_dict()) == [key for key in whole.body.state_dict() if not key.startswith(gone)]


def test_the_whole_network_s_weights_fit_and_what_they_lose_is_named(tmp_path):
    torch.manual_seed(0)
    whole = torchvision.models.mobilenet_v2(width_mult=0.1).eval()
    save_file(whole.state_dict(), tmp_path / "whole.safetensors")
    network = models.build("torchvision/mobilenet_v2", blocks=14, width_mult=0.1).eval()
    loaded = load_weights(network, tmp_path / "whole.safetensors")
    assert loaded.dropped == ("features.15", "features.16", "features.17", "features.18")
    assert loaded.tensors + loaded.left_out == len(whole.state_dict())
    assert loaded.to_dict()["dropped"] == loaded.dropped
    images = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(network.features(images), whole.features[:15](images))
        maps = network.maps(images)
        assert torch.allclose(maps.mean((2, 3)) + network.classifier.bias, network(images), atol=1e-5)


def test_of_a_whole_network_nothing_is_recorded_as_dropped(tmp_path):
    network = models.build("torchvision/mobilenet_v2", width_mult=0.1)
    save_file(network.features.body.state_dict(), tmp_path / "whole.safetensors")
    assert "dropped" not in load_weights(network, tmp_path / "whole.safetensors").to_dict()


def test_every_weight_that_is_left_trains():
    for name in ("torchvision/mobilenet_v2", "timm/tf_efficientnet_lite0"):
        network = models.build(name, blocks=5)
        network(torch.rand(2, 3, 64, 64)).sum().backward()
        assert [n for n, p in network.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("blocks", [0, -1, 18, True, 1.0, "14", [3]])
def test_a_number_of_blocks_that_it_does_not_have(blocks):
    with pytest.raises(RunError, match="a whole number from 1 to 17"):
        build("torchvision/mobilenet_v2", blocks=blocks)


@pytest.mark.parametrize("name", ["torchvision/vgg11", "torchvision/densenet121", "timm/vit_tiny_patch16_224"])
def test_a_family_that_can_not_be_cut(name):
    with pytest.raises(RunError, match=r"can't be cut short.*MobileNet"):
        build(name, blocks=3)


@pytest.mark.skipif(not REAL, reason="LENTIGO_WEIGHTS doesn't name a folder of converted weights")
@pytest.mark.parametrize(
    ("file", "name", "options"),
    [
        ("mobilenetv2_100", "torchvision/mobilenet_v2", {"blocks": 14}),
        ("mobilenetv2_035", "torchvision/mobilenet_v2", {"blocks": 13, "width_mult": 0.35}),
        ("tf_efficientnet_lite0", "timm/tf_efficientnet_lite0", {"blocks": 10}),
        ("tf_efficientnet_lite2", "timm/tf_efficientnet_lite2", {"blocks": 12}),
        ("resnet50_conv1-4", "torchvision/resnet50", {"blocks": 13, "stride_on_first": True}),
    ],
)
def test_converted_weights_of_the_whole_network_fit(file, name, options):
    loaded = load_weights(models.build(name, **options), Path(str(REAL)) / f"{file}.safetensors")
    assert loaded.fresh == ()
    assert loaded.dropped
