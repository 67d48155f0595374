"""Small weights become zero on a schedule, stay zero, and are zero in what ships."""

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from lentigo import compression, data, export, models, training
from lentigo.errors import RunError
from lentigo.training.hooks import CALLBACKS
from lentigo.training.learner import Learner
from lentigo.training.named import Named
from lentigo.training.pruning import _largest, prunable

SHARES = {"initial": 0.5, "final": 0.9, "shares": (0.2, 0.7)}
FULL = {
    "size": 16,
    "epochs": 4,
    "batch_size": 32,
    "accumulate": 2,
    "ema": 0.9,
    "precision": "bfloat16",
    "patience": 1,
    "callbacks": [{"name": "magnitude_pruning", "params": SHARES}],
}


def pruning(**params):
    return CALLBACKS.make(Named(name="magnitude_pruning", params=params))


@pytest.fixture(scope="module")
def split(synthetic_records):
    return data.split(synthetic_records)


@pytest.fixture(scope="module")
def pruned(split, tmp_path_factory):
    return training.train("compact", split, training.Recipe(**FULL), out=tmp_path_factory.mktemp("pruned") / "run")


def test_the_schedule_is_the_published_one():
    hook = pruning()
    steps = [step for step in range(6001) if hook.begin <= step <= hook.end and (step - hook.begin) % hook.every == 0]
    assert (steps[0], steps[-1], len(steps)) == (2000, 5000, 31)
    assert hook.sparsity_at(2000) == pytest.approx(0.85)
    assert hook.sparsity_at(3500) == pytest.approx(0.95 - 0.1 * 0.5**3)
    assert hook.sparsity_at(5000) == pytest.approx(0.95)


def test_every_layer_has_its_share_in_the_run_and_in_the_exported_file(pruned, tmp_path):
    counted = compression.sparsity(pruned)
    assert all(zeros == round(0.9 * weights) for zeros, weights in counted.layers.values())
    assert set(counted.layers) == set(prunable(models.build("compact")))
    assert compression.sparsity(pruned.network()).zeros == counted.zeros
    bundle = export.bundle(pruned, tmp_path / "pruned.onnx")
    shipped = compression.sparsity(bundle)
    assert (shipped.zeros, shipped.weights) == (counted.zeros, counted.weights)
    assert str(shipped).endswith("weights are zero (90.00 %)")


def test_biases_and_batch_norms_are_left_alone(pruned):
    tensors = load_file(pruned.path / "network.safetensors")
    assert all(value.ne(0).any() for name, value in tensors.items() if name.endswith(("running_mean", "bias")))
    assert all(value.ne(0).all() for name, value in tensors.items() if value.ndim == 1 and name.endswith("weight"))


def test_the_kept_epoch_is_one_after_the_last_pruning(pruned):
    rows = pd.read_csv(pruned.path / "log" / "metrics.csv")
    assert rows["settled"].tolist() == sorted(rows["settled"].tolist())
    assert rows["settled"].iloc[0] == 0
    assert rows["settled"].iloc[-1] == 1
    assert "best epoch" in pruned.summary()


def test_interrupted_it_resumes_to_the_same_weights(pruned, split, tmp_path, monkeypatch):
    step = Learner.training_step

    def stopped(self, batch, index):
        if self.current_epoch == 2 and index == 1:
            raise KeyboardInterrupt
        return step(self, batch, index)

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "training_step", stopped)
        with pytest.raises(KeyboardInterrupt):
            training.train("compact", split, training.Recipe(**FULL), out=tmp_path / "cut")
    resumed = training.train("compact", split, out=tmp_path / "cut", resume=True)
    one, other = (load_file(run.path / "network.safetensors") for run in (pruned, resumed))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_pruned_run_is_fine_tuned_with_its_zeros(pruned, tmp_path):
    recipe = training.Recipe(size=16, epochs=1, batch_size=32, learning_rate=1e-3, callbacks=["keep_zeros"])
    run = training.fine_tune(pruned, recipe, out=tmp_path / "run")
    before, after = (load_file(r.path / "network.safetensors") for r in (pruned, run))
    for name in compression.sparsity(pruned).layers:
        weight, tuned = before[f"{name}.weight"], after[f"{name}.weight"]
        assert torch.equal(weight == 0, tuned == 0)
        assert not torch.equal(weight, tuned)


def test_global_pruning_ranks_all_layers_and_empties_none():
    network = models.build("compact")
    network.features[0].weight.data *= 1e-6  # alone it would lose everything
    hook = pruning(scope="global")
    learner = type("Learner", (), {"network": network})()
    hook._prune(learner, 0.9)
    hook.apply(learner)
    counted = compression.sparsity(network)
    assert counted.share == pytest.approx(0.9, abs=1e-4)
    zeros, weights = counted.layers["features.0"]
    assert weights - zeros == round(0.01 * weights)
    assert len({round(z / w, 2) for z, w in counted.layers.values()}) > 3


def test_depthwise_convolutions_and_spared_layers():
    with torch.device("meta"):
        network = models.build("torchvision/mobilenet_v2")
    depthwise = {n for n, m in network.named_modules() if isinstance(m, nn.Conv2d) and m.groups > 1}
    assert len(depthwise) == 17
    assert set(prunable(network)) - set(prunable(network, depthwise=False)) == depthwise


def test_the_smallest_go_and_zeros_stay():
    kept = _largest(torch.tensor([[0.0, 3.0], [1.0, 2.0]]), 0.5)
    assert kept.tolist() == [[False, True], [False, True]]
    assert _largest(torch.ones(5), 1.0).sum() == 1
    assert _largest(torch.ones(5), 0.0).all()


@pytest.mark.parametrize(
    ("params", "changes", "message"),
    [
        ({}, {}, r"ends at step 5,000.*shares of the training"),
        ({"begin": 1, "end": 13}, {"epochs": 2}, r"ends at step 13, and this training has 10 steps.*for 3 epochs"),
        ({"shares": (0.1, 0.9)}, {"frozen_base": True}, "frozen base"),
        ({"shares": (0.1, 0.9), "spare": ("features.99",)}, {}, r"no layer 'features\.99'"),
    ],
    ids=str,
)
def test_what_can_not_be_pruned_is_refused_before_training(split, tmp_path, monkeypatch, params, changes, message):
    monkeypatch.setattr(Learner, "training_step", lambda *_: pytest.fail("trained"))
    callbacks = [{"name": "magnitude_pruning", "params": params}]
    recipe = training.Recipe(**{"size": 16, "epochs": 1, "batch_size": 32, "callbacks": callbacks} | changes)
    model = "torchvision/mobilenet_v2" if recipe.frozen_base else "compact"
    with pytest.raises(RunError, match=message):
        training.train(model, split, recipe, out=tmp_path / "run")


@pytest.mark.parametrize(
    "params",
    [
        {"initial": 0.9, "final": 0.5},
        {"begin": 10, "end": 10},
        {"shares": (0.5, 0.5)},
        {"final": 1.0},
        {"every": 0},
        {"scope": "all"},
        {"shares": (0.1, 1.1)},
        {"final": "0.9"},
    ],
    ids=str,
)
def test_parameters_out_of_range(params):
    with pytest.raises(RunError, match=r"[Pp]runing|magnitude_pruning"):
        training.Recipe(callbacks=[{"name": "magnitude_pruning", "params": params}])
