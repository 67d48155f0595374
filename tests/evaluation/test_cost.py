"""Costs are counted to the unit by the paper's equations, and torch counts the same."""

import io
import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from torch import nn

from lentigo import models
from lentigo.errors import RunError
from lentigo.evaluation.cost import cost, cost_table, measure, measured_table


def conv(side: int, width_in: int, width_out: int) -> int:
    """Equation 10, for a 3x3 kernel and a square output map."""
    return side * side * width_in * width_out * 9


MACS = {
    "efficient_cnn": conv(224, 3, 32) + conv(112, 32, 64) + conv(56, 64, 128) + 100_352 * 256 + 256 * 7,
    "efficient_cnn_reconstructed": (
        conv(62, 3, 32) + conv(29, 32, 64) + conv(12, 64, 128) + 4_608 * 128 + 128 * 64 + 64 * 7
    ),
    "melanoma_cnn": conv(222, 3, 32) + conv(109, 32, 64) + conv(52, 64, 128) + 86_528 * 256 + 256 * 2,
    "compressed_cnn": (
        conv(28, 3, 32)
        + conv(14, 32, 64)
        + conv(14, 64, 64)
        + conv(7, 64, 128)
        + conv(7, 128, 128)
        + conv(3, 128, 256)
        + conv(3, 256, 256)
        + 256 * 256
        + 256 * 128
        + 128 * 64
        + 64 * 32
        + 32 * 7
    ),
    "explainable_cnn": (
        conv(98, 3, 32) + conv(96, 32, 32) + conv(46, 32, 64) + conv(44, 64, 64) + 30_976 * 128 + 128 * 7
    ),
    "plain_cnn": conv(100, 3, 32) + conv(50, 32, 64) + conv(25, 64, 128) + 18_432 * 128 + 128 * 7,
}


@pytest.mark.parametrize(("name", "macs"), MACS.items())
def test_macs_by_hand(name, macs):
    assert cost(name).macs == macs


def test_macs_as_the_papers_give_them():
    assert MACS["efficient_cnn"] == 531_465_984
    assert MACS["efficient_cnn_reconstructed"] == 30_037_824


@pytest.mark.parametrize("name", [*MACS, "compact", "resnet50_tl", "mobilenetv2_tl", "vgg16_sa"])
def test_torch_counts_the_same(name):
    counted = cost(name)
    assert counted.torch_flops == counted.flops == 2 * counted.macs
    assert sum(layer.parameters for layer in counted.layers) == counted.parameters
    assert counted.parameters == models.count_parameters(models.build(name)).total


def test_resnet50_depends_on_where_it_halves_its_maps():
    assert cost("resnet50_tl").macs == 4_087_202_016
    assert cost("resnet50_tl", stride_on_first=True).macs == 3_855_991_008


def test_products_inside_attention_show_beside_the_equations():
    counted = cost("timm/vit_tiny_patch16_224")
    tokens, width, depth = 197, 192, 12
    assert counted.torch_flops - counted.flops == 2 * 2 * depth * tokens * tokens * width
    assert sum(layer.parameters for layer in counted.layers) == counted.parameters


@settings(max_examples=25, deadline=None)
@given(
    width=st.integers(1, 4),
    groups=st.integers(1, 3),
    kernel=st.integers(1, 5),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
    size=st.integers(8, 20),
)
def test_any_convolution_agrees_with_torch(*, width, groups, kernel, stride, padding, size):
    first = nn.Conv2d(3, groups * width, 1)
    second = nn.Conv2d(groups * width, groups, kernel, stride, padding, groups=groups)
    counted = cost(nn.Sequential(first, second, nn.AdaptiveAvgPool2d(1), nn.Flatten()), size)
    assert counted.flops == counted.torch_flops


def test_the_table_shows_each_layer():
    layers = {layer.name: layer for layer in cost("efficient_cnn").layers}
    first, dense = layers["features.0"], layers["classifier.0"]
    assert (first.kind, first.output, first.parameters) == ("Conv2d", (32, 224, 224), 896)
    assert (dense.kind, dense.output, dense.parameters, dense.macs) == ("Linear", (256,), 25_690_368, 25_690_112)


def test_memory_by_hand():
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Flatten())
    counted = cost(network, 8)
    assert [layer.activations for layer in counted.layers] == [8 * 64, 0, 8 * 16, 0]
    assert counted.activations == 8 * 64 + 8 * 16
    assert counted.peak_activations == 3 * 64 + 8 * 64


def test_bytes_by_precision():
    counted = cost("compressed_cnn")
    assert [counted.weight_bytes(bits) for bits in (32, 16, 8)] == [5_100_316, 2_550_158, 1_275_079]


def test_energy_is_the_stated_assumption():
    counted = cost("compressed_cnn")
    assert counted.energy(32) == pytest.approx(1e-12 * (counted.macs * 4.6 + 1_275_079 * 640))
    assert counted.energy(8) < counted.energy(16) < counted.energy(32)


def test_json_holds_layers_and_totals():
    counted = cost("compressed_cnn", num_classes=2)
    values = json.loads(counted.to_json())
    assert values["macs"] == counted.macs
    assert values["num_classes"] == 2
    assert values["weight_bytes"]["8"] == counted.parameters
    assert sum(layer["macs"] for layer in values["layers"]) == counted.macs
    assert "45 nm" in values["energy_assumption"]


def test_a_network_is_left_as_it_was():
    network = models.build("compact").train()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    assert cost(network, 64).macs == cost("compact").macs
    assert network.training
    assert not any(module._forward_hooks for module in network.modules())
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())


def test_what_cannot_be_counted_says_why():
    with pytest.raises(RunError, match="can't take 32x32"):
        cost("efficient_cnn", size=32)
    with pytest.raises(RunError, match="size"):
        cost(models.build("compact"))


def test_measurements_say_where_they_were_made():
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 64, 7)).train()
    measured = measure(network, 8, batches=(1, 2), threads=(1,), runs=3)
    assert [(s.batch, s.threads, s.runs) for s in measured.speeds] == [(1, 1, 3), (2, 1, 3)]
    assert all(0 < s.median_ms <= s.p90_ms for s in measured.speeds)
    assert measured.speeds[1].images_per_second == pytest.approx(2000 / measured.speeds[1].median_ms)
    assert measured.peak_bytes == 4 * 2 * 8 * 64
    assert measured.machine
    assert network.training
    assert json.loads(measured.to_json())["versions"]["torch"] == torch.__version__


def test_tables_show_the_numbers():
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(cost_table(cost("efficient_cnn_reconstructed")))
    console.print(measured_table(measure(models.build("compressed_cnn"), 28, batches=(1,), threads=(1,), runs=1)))
    text = console.export_text()
    for shown in ("692,807", "30,037,824", "60,075,648", "2.77 MB at 32 bits", "images/s", "torch"):
        assert shown in text
