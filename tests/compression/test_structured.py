"""Channels go until a target is met; what is left is a run like any other."""

import json

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from lentigo import compression, export, models, training
from lentigo.compression import Target
from lentigo.compression.structured import IMPORTANCE, SCOPES, _prune
from lentigo.compression.targets import Meter
from lentigo.errors import RunError
from lentigo.evaluation import predict_part
from lentigo.evaluation.cost import cost
from lentigo.training.learner import Learner

SHORT = training.Recipe(size=32, epochs=1, batch_size=32, learning_rate=1e-3)
MACS = 23_799_104
"""Of the compact network over four mirror images of 32 pixels."""


@pytest.fixture(scope="module")
def pruned(trained_run, tmp_path_factory):
    out = tmp_path_factory.mktemp("pruned") / "run"
    return compression.prune_structured(trained_run, out, target=Target(macs=0.5 * MACS), recipe=SHORT)


def test_it_is_a_smaller_run_like_any_other(pruned, trained_run, bundle_path, tmp_path):
    run = training.load_run(pruned.path)
    network = run.network()
    counted = cost(network, 32)
    assert counted.macs == run.start["reached"]["macs"] <= 0.5 * MACS
    assert run.start["before"]["macs"] == cost(trained_run.network(), 32).macs == MACS
    assert json.loads((run.path / "recipe.json").read_text())["options"]["channels"]
    images = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        maps = network.maps(images)
        assert torch.allclose(maps.mean((2, 3)) + network.classifier.bias, network(images), atol=1e-5)
    assert len(predict_part(run, "validation").labels)
    bundle = export.bundle(run, tmp_path / "small.onnx")
    assert bundle.metadata.parent_sha256 == trained_run.network_sha256
    assert [step["target"] for step in bundle.metadata.compression] == [{"macs": 0.5 * MACS}]
    assert bundle.metadata.parameters == sum(p.numel() for p in network.parameters())
    weights = [w for w in onnx.load(bundle.path).graph.initializer if w.data_type == onnx.TensorProto.FLOAT]
    layers = [w for w in weights if len(w.dims) == 4 and w.dims[2] in (1, 3)]
    kernels = 4 * sum(int(np.prod(w.dims)) for w in layers)
    assert kernels < run.start["reached"]["bytes"] < 1.03 * kernels  # biases and the last layer besides
    assert bundle.path.stat().st_size < 0.75 * bundle_path.stat().st_size


def test_it_can_be_pruned_again(pruned, tmp_path):
    target = Target(macs=0.3 * MACS, bytes=0.9 * pruned.start["reached"]["bytes"])
    again = compression.prune_structured(pruned, tmp_path / "again", target=target, recipe=SHORT)
    assert cost(training.load_run(again.path).network(), 32).macs == again.start["reached"]["macs"] <= 0.3 * MACS
    assert again.start["reached"]["bytes"] <= target.bytes
    assert again.parent_sha256 == pruned.network_sha256


def test_killed_and_repeated_it_ends_in_the_same_weights(pruned, trained_run, tmp_path, monkeypatch):
    def call():
        target = Target(macs=0.5 * MACS)
        return compression.prune_structured(trained_run, tmp_path / "cut", target=target, recipe=SHORT)

    def stop(*_arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "training_step", stop)
        with pytest.raises(KeyboardInterrupt):
            call()
    assert call().network_sha256 == pruned.network_sha256


@pytest.mark.parametrize(
    ("name", "options", "size"),
    [
        ("compressed_cnn", {}, 28),
        ("efficient_cnn_reconstructed", {}, 64),
        ("torchvision/mobilenet_v2", {"blocks": 6, "width_mult": 0.5}, 32),
        ("timm/tf_efficientnet_lite0", {"blocks": 4}, 32),
        ("torchvision/resnet18", {"blocks": 3}, 32),
    ],
)
def test_networks_of_all_kinds_meet_the_target(trained_run, name, options, size):
    torch.manual_seed(0)
    network = models.build(name, 7, **options).eval()
    recipe = SHORT.replaced(size=size)
    averaged = hasattr(network, "maps")
    before = Meter(network, size, averaged, timed=False)(network)
    assert before.macs == cost((models.FlipTTA(network) if averaged else network).eval(), size).macs
    target = Target(macs=0.5 * before.macs, bytes=0.8 * before.bytes)
    _, reached = _prune(network, target, trained_run, recipe, "magnitude", "isomorphic", 4, 0.9)
    assert target.met_by(reached)
    assert reached.macs > 0.3 * before.macs  # no more than was asked for
    shapes = models.pruned.narrowed(network, models.build(name, 7, **options))
    rebuilt = models.build(name, 7, channels=json.loads(json.dumps(shapes)), **options).eval()
    rebuilt.load_state_dict(network.state_dict())
    assert reached.macs == cost((models.FlipTTA(rebuilt) if averaged else rebuilt).eval(), size).macs
    images = torch.rand(1, 3, size, size)
    with torch.inference_mode():
        assert torch.equal(rebuilt(images), network(images))


@pytest.mark.parametrize(
    ("importance", "scope"), [*((i, "isomorphic") for i in IMPORTANCE), *(("magnitude", s) for s in SCOPES[1:])]
)
def test_every_criterion_and_scope(trained_run, importance, scope):
    network = trained_run.trained_network()
    target = Target(macs=0.7 * MACS)
    _, reached = _prune(network, target, trained_run, SHORT, importance, scope, 8, 0.8)
    assert reached.macs <= target.macs
    widths = [m.out_channels for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert all(width % 8 == 0 for width in widths)
    assert network.classifier.out_features == 7


def test_time_is_measured_in_turns(trained_run):
    network = trained_run.trained_network()
    _, reached = _prune(network, Target(latency_ratio=0.97), trained_run, SHORT, "magnitude", "isomorphic", 8, 0.9)
    assert reached.latency_ratio <= 0.97
    assert reached.latency_ms > 0
    assert reached.macs < MACS


def test_a_target_that_can_not_be_met_says_what_was_reached(trained_run, tmp_path):
    with pytest.raises(RunError, match=r"0\.00 million MACs can't be met; the best that was reached is \d.* kB of wei"):
        compression.prune_structured(trained_run, tmp_path / "run", target=Target(macs=1000), recipe=SHORT)
    assert not (tmp_path / "run").exists()


def test_a_target_that_is_met_already(trained_run, tmp_path):
    with pytest.raises(RunError, match="which meets the target"):
        compression.prune_structured(trained_run, tmp_path / "run", target=Target(bytes=1e9), recipe=SHORT)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "limits", [{}, {"macs": 0}, {"bytes": -1}, {"macs": float("nan")}, {"latency_ms": "5"}, {"macs": True}], ids=str
)
def test_targets_that_are_none(limits):
    with pytest.raises(RunError, match="target"):
        Target(**limits)


@pytest.mark.parametrize(
    "wrong",
    [{"importance": "size"}, {"scope": "all"}, {"round_to": 0}, {"round_to": 2.5}, {"most": 1.0}, {"most": True}],
    ids=str,
)
def test_parameters_out_of_range(trained_run, tmp_path, wrong):
    with pytest.raises(RunError, match="Use"):
        compression.prune_structured(trained_run, tmp_path / "run", target=Target(macs=1e6), **wrong)


def test_a_network_that_can_not_be_pruned_by_channels(trained_run):
    class Fixed(nn.Module):
        """Its number of channels is written into its code."""

        def __init__(self):
            super().__init__()
            self.conv, self.last = nn.Conv2d(3, 16, 3), nn.Linear(16, 7)

        def forward(self, x):
            return self.last(self.conv(x).mean((2, 3)).view(-1, 4, 4).relu().flatten(1))

    with pytest.raises(RunError, match="can't be pruned by channels"):
        _prune(Fixed().eval(), Target(bytes=500), trained_run, SHORT, "magnitude", "isomorphic", 1, 0.9)


def test_the_command_line(run, trained_run, tmp_path):
    (tmp_path / "recipe.json").write_text('{"size": 32, "epochs": 1, "batch_size": 32}')
    common = ("--recipe", tmp_path / "recipe.json", "--out", tmp_path / "run")
    code, out, err = run("prune", trained_run.path, "--macs", "20e6", *common)
    assert code == 0, err
    assert "Trained compact" in out
    assert training.load_run(tmp_path / "run").start["reached"]["macs"] <= 20e6
    code, _, err = run("prune", trained_run.path, *common)
    assert code == 1
    assert "no target" in err
