"""Backbones of both libraries, whole and varied."""

import pytest
import torch
from torch import nn

from lentigo import models
from lentigo.errors import RunError
from lentigo.models.backbones import torchvision_backbone
from tests.models.meta import build

FAMILIES = {
    "torchvision/vgg16": (512, 7),
    "torchvision/resnet18": (512, 7),
    "torchvision/mobilenet_v2": (1280, 7),
    "torchvision/densenet169": (1664, 7),
    "timm/mobilenetv3_small_100": (576, 7),
    "timm/vgg16": (512, 7),
    "timm/vit_tiny_patch16_224": (192, 14),
    "timm/swin_tiny_patch4_window7_224": (768, 7),
    "timm/convnext_atto": (320, 7),
}


@pytest.mark.parametrize(("name", "shape"), FAMILIES.items())
def test_maps_have_the_width_that_the_backbone_states(name, shape):
    features = build(name).eval().features
    maps = features(torch.zeros(2, 3, 224, 224, device="meta"))
    width, side = shape
    assert maps.shape == (2, width, side, side)
    assert features.width == width


LARGE = ("torchvision/densenet169", "timm/swin_tiny_patch4_window7_224")


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in LARGE else n for n in FAMILIES])
def test_every_weight_that_is_left_has_a_part_in_the_logits(name):
    network = models.build(name) if "vgg" not in name else build(name)
    if "vgg" in name:  # too large to be worth real numbers: nothing but convolutions and the head is left
        kinds = {type(m) for m in network.modules() if next(m.parameters(recurse=False), None) is not None}
        assert kinds == {nn.Conv2d, nn.Linear}
        return
    network(torch.rand(2, 3, 224, 224)).sum().backward()
    assert [n for n, p in network.named_parameters() if p.grad is None] == []


def test_the_stride_can_sit_on_the_first_convolution():
    late, early = (torchvision_backbone("resnet50", stride_on_first=first).body for first in (False, True))
    for layer in ("layer2", "layer3", "layer4"):
        assert (getattr(late, layer)[0].conv1.stride, getattr(late, layer)[0].conv2.stride) == ((1, 1), (2, 2))
        assert (getattr(early, layer)[0].conv1.stride, getattr(early, layer)[0].conv2.stride) == ((2, 2), (1, 1))
    assert early.layer1[0].conv1.stride == (1, 1)


def test_padding_of_tensorflow_moves_the_grid_by_one_pixel():
    torch.manual_seed(0)
    plain = torchvision_backbone("mobilenet_v2", width_mult=0.35)
    torch.manual_seed(0)
    padded = torchvision_backbone("mobilenet_v2", width_mult=0.35, tensorflow_padding=True)
    assert plain.state_dict().keys() == padded.state_dict().keys()
    moved = [n for n, m in padded.body.named_modules() if type(m).__name__ == "_TensorFlowConv2d"]
    assert moved == [f"features.{n}" for n in ("0.0", "2.conv.1.0", "4.conv.1.0", "7.conv.1.0", "14.conv.1.0")]
    first, image = padded.body.features[0][0], torch.rand(1, 3, 16, 16)
    beside = nn.functional.conv2d(nn.functional.pad(image, (0, 1, 0, 1)), first.weight, stride=2)
    assert torch.equal(first(image), beside)
    assert padded(torch.rand(1, 3, 64, 64)).shape == plain(torch.rand(1, 3, 64, 64)).shape


def test_epsilon_of_all_batch_norms():
    body = torchvision_backbone("densenet121", batch_norm_eps=1.001e-5).body
    assert {m.eps for m in body.modules() if isinstance(m, nn.BatchNorm2d)} == {1.001e-5}


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("torchvision/resnet5", {}, "resnet"),
        ("torchvision/vit_b_16", {}, "split into blocks"),
        ("torchvision/resnet18", {"stride_on_first": True}, "no bottlenecks"),
        ("torchvision/vgg16", {"width_mult": 0.5}, "width_mult"),
        ("timm/mobilenetv3_smal_100", {}, "Did you mean 'mobilenetv3_small_100'"),
        ("timm/mobilenetv3_small_100", {"head": "round"}, "Heads: linear"),
    ],
)
def test_what_cannot_be_built_says_why(name, options, message):
    with pytest.raises(RunError, match=message):
        build(name, **options)
