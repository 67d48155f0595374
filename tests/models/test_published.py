"""The published networks have the published numbers of parameters, and all say what they take."""

import pytest
import torch
from torch import nn

from lentigo import models
from tests.models.meta import batch_norm_channels, build

PUBLISHED = {
    # efficient_cnn: sum of table II; tables III and IV
    "efficient_cnn": (25_785_415, 0, 25_785_415),
    "efficient_cnn_reconstructed": (692_359, 448, 692_807),
    # binary_melanoma, table 1: total trainable, total non-trainable
    "melanoma_cnn": (22_245_634, 448, 22_246_082),
    # explainable_cnn, table 1
    "explainable_cnn": (4_031_527, 0, 4_031_527),
    # efficient_cnn, table III: DenseNet201 + SA
    "densenet201_sa": (17_264_151, 213_312, 17_477_463),
}


@pytest.mark.parametrize(("name", "counts"), PUBLISHED.items())
def test_count(name, counts):
    assert models.count_parameters(build(name)) == counts


def test_compressed_cnn_is_what_its_file_sizes_measure():
    counts = models.count_parameters(build("compressed_cnn"))
    assert counts.total == 1_275_079
    assert counts.total - counts.trainable == 2 * (32 + 64 + 128 + 256 + 128 + 64 + 32) == 1408


def test_transfer_networks_are_keras_bases_and_a_head():
    vgg16, mobilenetv2 = 14_714_688, 2_257_984  # keras.applications, include_top=False
    head = {width: width * 256 + 256 + 256 * 2 + 2 for width in (512, 1280)}
    assert models.count_parameters(build("vgg16_tl")).total == vgg16 + head[512] == 14_846_530
    assert models.count_parameters(build("mobilenetv2_tl")).total == mobilenetv2 + head[1280] == 2_586_434


def test_resnet50_differs_from_keras_by_biases_that_a_batch_norm_takes_out_again():
    bare, biased = build("resnet50_tl"), build("resnet50_tl", conv_biases=True)
    assert models.count_parameters(biased).total == 23_661_703
    convolutions = [m for m in bare.modules() if isinstance(m, nn.Conv2d)]
    missing = sum(m.out_channels for m in convolutions)
    assert all(m.bias is None for m in convolutions)
    assert missing == 26_560
    assert models.count_parameters(bare).total == 23_661_703 - missing
    assert models.count_parameters(bare.head).total == 8_192 + 65_568 + 231


def test_a_bias_in_front_of_a_batch_norm_changes_nothing():
    torch.manual_seed(0)
    network = models.build("torchvision/resnet50", conv_biases=True).train()
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    stem = nn.Sequential(network.features.body.conv1, network.features.body.bn1)
    before = stem(images)
    with torch.no_grad():
        stem[0].bias.uniform_(-1, 1)
    assert torch.allclose(stem(images), before, atol=1e-4)


def test_resnet50_with_soft_attention():
    assert models.count_parameters(build("resnet50_sa", conv_biases=True)).total == 23_911_319


def test_inception_resnet_differs_from_keras_by_the_scales_of_its_batch_norms():
    network = build("inception_resnet_v2_sa")
    assert models.count_parameters(network).total - batch_norm_channels(network) == 47_535_287
    assert batch_norm_channels(network) == 27_200


@pytest.mark.parametrize(("name", "published"), [("vgg16_sa", 62_650_711), ("resnet34_sa", 31_414_167)])
def test_the_other_soft_attention_networks_are_smaller_than_published(name, published):
    network = build(name)
    block = 512 * 9 * 16 + 16
    assert models.count_parameters(network.head).total == block + 1024 * 7 + 7
    assert models.count_parameters(network).total < published - 10_000_000


@pytest.mark.parametrize("name", models.names())
@pytest.mark.parametrize("num_classes", [2, 7])
def test_logits_at_the_native_size(name, num_classes):
    entry = models.entry(name)
    network = build(name, num_classes=num_classes).eval()
    images = torch.zeros(2, 3, entry.size, entry.size, device="meta")
    assert network(images).shape == (2, num_classes)
    assert entry.num_classes in (2, 7)
    assert entry.summary.endswith(".")


@pytest.mark.parametrize("name", models.names())
def test_other_sizes_fit_where_the_entry_says_so(name):
    entry = models.entry(name)
    images = torch.zeros(1, 3, entry.size + 64, entry.size + 64, device="meta")
    network = build(name).eval()
    if entry.any_size:
        assert network(images).shape == (1, entry.num_classes)
    else:
        with pytest.raises(RuntimeError):
            network(images)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["compressed_cnn", "efficient_cnn_reconstructed", "explainable_cnn", "compact"])
def test_a_fresh_network_learns_seven_colours(name):
    torch.manual_seed(0)
    network = models.build(name)
    size, labels = models.entry(name).size, torch.arange(7).repeat(2)
    colours = torch.randn(7, 3, 1, 1)[labels]
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    losses = []
    for _ in range(12):
        loss = nn.functional.cross_entropy(network(colours + 0.1 * torch.randn(14, 3, size, size)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert min(losses[-3:]) < losses[0] / 1.5
