"""Heads and freezing."""

import pytest
import torch
from torch import nn

from lentigo import models
from lentigo.errors import RunError
from lentigo.models.heads import HEADS, AttentionHead, PooledHead, SoftAttention
from tests.models.meta import build

SMALL = "timm/mobilenetv3_small_050"


@pytest.mark.parametrize("head", HEADS)
def test_any_head_fits_any_backbone(head):
    network = build(SMALL, num_classes=2, head=head).eval()
    assert network(torch.zeros(3, 3, 96, 96, device="meta")).shape == (3, 2)
    assert hasattr(network, "maps") == (head == "linear")


def test_maps_add_up_to_the_logits():
    torch.manual_seed(0)
    network = models.build(SMALL).eval()
    images = torch.randn(2, 3, 96, 96)
    maps = network.maps(images)
    assert maps.shape == (2, 7, 3, 3)
    assert torch.allclose(maps.mean((2, 3)) + network.head.classify[-1].bias, network(images), atol=1e-5)
    assert network.classifier is network.head.classify[-1]


@pytest.mark.parametrize("head", ["linear", "hidden", "norm"])
def test_a_pooled_head_sees_means_alone(head):
    network = models.build(SMALL, head=head).eval()
    assert isinstance(network.head, PooledHead)
    images = torch.randn(2, 3, 64, 64)
    pooled = network.features(images).mean((2, 3))
    assert torch.allclose(network.head.classify(pooled), network(images), atol=1e-6)


def test_soft_attention_weighs_positions():
    torch.manual_seed(0)
    block, maps = SoftAttention(8, heads=4), torch.randn(2, 8, 5, 6)
    weights = block.attention(maps)
    assert weights.shape == (2, 1, 5, 6)
    assert torch.allclose(weights.sum((1, 2, 3)), torch.full((2,), 4.0))
    assert torch.equal(block(maps), maps * weights)


def test_attention_head_keeps_the_odd_edge():
    head = AttentionHead(4, 7, positions=16)
    assert head(torch.randn(2, 4, 7, 7)).shape == (2, 7)
    assert AttentionHead(4, 7)(torch.randn(2, 4, 9, 9)).shape == (2, 7)


def test_frozen_batch_norms_keep_their_statistics_in_training():
    network = models.build(SMALL)
    network.freeze()
    network.train()
    before = {k: v.clone() for k, v in network.features.state_dict().items()}
    network(torch.randn(4, 3, 64, 64)).sum().backward()
    assert all(torch.equal(v, before[k]) for k, v in network.features.state_dict().items())
    assert {n for n, p in network.named_parameters() if p.grad is not None} == {
        "head.classify.1.weight",
        "head.classify.1.bias",
    }


def test_the_last_blocks_can_be_unfrozen():
    network = models.build("torchvision/resnet18", head="norm")
    network.freeze(unfrozen=2)
    network.train()
    free = {name.rpartition(".")[0] for name, p in network.features.named_parameters() if p.requires_grad}
    assert all(name.startswith("body.layer4.") for name in free)
    norms = {n: m.training for n, m in network.features.named_modules() if isinstance(m, nn.BatchNorm2d)}
    assert all(training == n.startswith("body.layer4.") for n, training in norms.items())
    counts = models.count_parameters(network)
    assert counts.trainable == sum(p.numel() for n, p in network.named_parameters() if "layer4" in n or "head" in n)
    network.freeze(len(network.features.blocks))
    assert all(p.requires_grad for p in network.parameters())


def test_more_blocks_than_there_are_cannot_be_unfrozen():
    with pytest.raises(RunError, match="blocks"):
        build(SMALL).freeze(1000)
