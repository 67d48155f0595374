"""Costs are counted to the unit: by the paper's equations, and by hand where no equation of it reaches."""

import io
import json
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from torch import nn
from torch.nn import functional as F

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


def by_equations(network, size):
    """Equations 10 and 11 over the modules that run."""
    found = []

    def count(module, _, output):
        if isinstance(module, nn.Conv2d):
            found.append(output.numel() * module.in_channels // module.groups * math.prod(module.kernel_size))
        if isinstance(module, nn.Linear):
            found.append(output.numel() * module.in_features)

    handles = [module.register_forward_hook(count) for module in network.modules()]
    with torch.no_grad():
        network.eval()(torch.zeros(1, 3, size, size, device=next(network.parameters()).device))
    for handle in handles:
        handle.remove()
    return sum(found)


@pytest.mark.parametrize("name", [*MACS, "compact", "resnet50_tl", "mobilenetv2_tl", "vgg16_sa"])
def test_the_equations_count_the_same(name):
    counted = cost(name)
    with torch.device("meta"):
        network = models.build(name)
    assert counted.macs == by_equations(network, counted.size)
    assert counted.warnings == ()
    assert sum(layer.parameters for layer in counted.layers) == counted.parameters
    assert counted.parameters == models.count_parameters(models.build(name)).total


def test_resnet50_depends_on_where_it_halves_its_maps():
    assert cost("resnet50_tl").macs == 4_087_202_016
    assert cost("resnet50_tl", stride_on_first=True).macs == 3_855_991_008


def test_products_inside_attention_are_counted():
    counted = cost("timm/vit_tiny_patch16_224")
    tokens, width, depth = 197, 192, 12
    blocks = depth * (tokens * width * width * (3 + 1 + 8) + 2 * tokens * tokens * width)
    assert counted.macs == 196 * 768 * width + blocks + width * counted.num_classes
    assert counted.warnings == ()
    assert sum(layer.parameters for layer in counted.layers) == counted.parameters


class Functional(nn.Module):
    """Attention over 16 patches of 4x4 pixels, 12 wide, 2 heads: weights in modules that are never called."""

    def __init__(self, fused):
        super().__init__()
        self.fused, self.qkv, self.project = fused, nn.Linear(48, 36), nn.Linear(12, 7)

    def forward(self, images):
        tokens = F.unfold(images, 4, stride=4).transpose(1, 2)
        q, k, v = F.linear(tokens, self.qkv.weight).reshape(-1, 16, 3, 2, 6).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v) if self.fused else (q @ k.transpose(-2, -1)).softmax(-1) @ v
        return F.linear(mixed.transpose(1, 2).reshape(-1, 16, 12), self.project.weight).mean(1)


BY_HAND = 16 * 48 * 36 + 2 * 16 * 16 * 12 + 16 * 12 * 7


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize("fused", [False, True])
def test_attention_written_as_functions(fused, device):
    with torch.device(device):
        counted = cost(Functional(fused), 16)
    assert counted.macs == BY_HAND
    assert sum(layer.macs for layer in counted.layers) == counted.macs
    assert counted.warnings == ()


class Attending(nn.Module):
    """torch's own attention over the 16 patches, 48 wide."""

    def __init__(self, whole_layer):
        super().__init__()
        self.attention = (
            nn.TransformerEncoderLayer(48, 4, 24, batch_first=True)
            if whole_layer
            else nn.MultiheadAttention(48, 4, batch_first=True)
        )
        self.whole_layer = whole_layer

    def forward(self, images):
        tokens = F.unfold(images, 4, stride=4).transpose(1, 2)
        return (self.attention(tokens) if self.whole_layer else self.attention(tokens, tokens, tokens)[0]).mean(1)


@pytest.mark.parametrize("whole_layer", [False, True])
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_multihead_attention(device, whole_layer):
    with torch.device(device):
        counted = cost(Attending(whole_layer), 16)
    attention = 16 * 48 * 48 * 4 + 2 * 16 * 16 * 48
    assert counted.macs == attention + (2 * 16 * 48 * 24 if whole_layer else 0)
    assert counted.warnings == ()
    assert torch.backends.mha.get_fastpath_enabled()


def test_transposed_convolutions():
    network = nn.Sequential(nn.Conv2d(3, 8, 1), nn.ConvTranspose2d(8, 4, 2, stride=2, groups=2), nn.Flatten())
    assert cost(network, 6).macs == 36 * 3 * 8 + 36 * 8 * 2 * 4


@pytest.mark.parametrize(
    "name", ["timm/beit_base_patch16_224", "timm/eva02_tiny_patch14_224", "timm/swin_tiny_patch4_window7_224"]
)
def test_a_name_and_its_module_cost_the_same(name):
    with torch.device("meta"):
        network = models.build(name)
    counted = cost(name)
    assert cost(network, counted.size).macs == counted.macs > 0
    assert counted.warnings == ()


def test_weights_without_an_operation_that_can_be_counted_are_named():
    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.rows, self.head = nn.LSTM(24, 5, batch_first=True), nn.Linear(5, 2)

        def forward(self, images):
            return self.head(self.rows(images.permute(0, 2, 1, 3).flatten(2))[0][:, -1])

    counted = cost(Recurrent(), 8)
    if counted.macs == 5 * 2:  # this torch runs it as one operation, which its counter doesn't know
        assert any(
            "rows (LSTM): none of the operations of its 580 weights can be counted" in warning
            for warning in counted.warnings
        )
        assert "WARNING: rows" in cost_table(counted).caption
        assert "rows (LSTM)" in json.loads(counted.to_json())["warnings"][0]
    else:
        assert counted.macs == 8 * (24 + 5) * 20 + 5 * 2


@pytest.mark.parametrize("size", [0, -1, -224, 1.5, 64.0, "64", True, 10**6, float("nan"), float("inf")])
def test_sizes_that_are_none_are_refused(size):
    with pytest.raises(RunError, match="can't be counted"):
        cost("compact", size)


@pytest.mark.parametrize("classes", [0, -7, 2.5, True])
def test_numbers_of_classes_that_are_none_are_refused(classes):
    with pytest.raises(RunError, match="classes"):
        cost("compact", num_classes=classes)


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
    network = nn.Sequential(first, second, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    assert cost(network, size).macs == by_equations(network, size)


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
