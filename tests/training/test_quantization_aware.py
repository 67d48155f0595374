"""Training with the rounding of the int8 file: a plain network at the end, whose weights and ranges are the file's."""

import json
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from lentigo import compression, data, export, models, training
from lentigo.errors import RunError
from lentigo.training.quantization_aware import RANGES, quantization_aware


@pytest.fixture
def learner(tmp_path):
    network = models.build("compact", num_classes=7)
    recipe = SimpleNamespace(frozen_base=False)
    return SimpleNamespace(
        network=network.train(), recipe=recipe, trainer=SimpleNamespace(default_root_dir=tmp_path, current_epoch=0)
    )


def test_layers_round_from_the_start_epoch_on_and_end_plain(learner, tmp_path):
    names, plain = list(learner.network.state_dict()), type(learner.network.features[0])
    hook = quantization_aware(start=1)
    hook.setup(learner.trainer, learner, "fit")
    assert list(learner.network.state_dict()) == names
    x = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    first = learner.network.features[0]
    hook.on_train_epoch_start(learner.trainer, learner)
    assert torch.equal(first(x), torch.nn.functional.conv2d(x, first.weight, None, 2, 1))
    assert first.observed_range.tolist() == pytest.approx([0, float(x.max())])
    learner.trainer.current_epoch = 1
    hook.on_train_epoch_start(learner.trainer, learner)
    assert not torch.equal(first(x), torch.nn.functional.conv2d(x, first.weight, None, 2, 1))
    learner.network(x).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in learner.network.parameters())
    assert type(learner.network.classifier) is torch.nn.Linear  # the last layer stays exact
    hook.on_kept(learner)
    assert type(first) is plain
    assert list(learner.network.state_dict()) == names
    rows = first.weight.detach().flatten(1).numpy()
    steps = rows / (np.abs(rows).max(axis=1, keepdims=True) / 64)
    assert steps == pytest.approx(np.round(steps), abs=1e-3)
    assert len(json.loads((tmp_path / RANGES).read_text())) == 13


def test_an_interrupted_training_keeps_its_ranges(learner):
    one, other = quantization_aware(), quantization_aware()
    one.setup(learner.trainer, learner, "fit")
    learner.network(torch.rand(4, 3, 32, 32))
    kept = one.state_dict()
    again = SimpleNamespace(**vars(learner))
    again.network = models.build("compact", num_classes=7)
    other.setup(again.trainer, again, "fit")
    other.load_state_dict(kept)
    assert all(torch.equal(other.state_dict()[name], value) for name, value in kept.items())
    assert max(float(value.max()) for value in kept.values()) > 0


def test_a_frozen_base_is_refused(learner):
    learner.recipe.frozen_base = True
    with pytest.raises(RunError, match="frozen base"):
        quantization_aware().setup(learner.trainer, learner, "fit")


def test_the_file_has_the_steps_that_were_trained_with(synthetic_records, trained_run, tmp_path):
    recipe = training.Recipe(
        size=16, epochs=2, batch_size=64, flip_tta=True, ema=0.9, callbacks=[{"name": "quantization_aware"}]
    )
    run = training.train("compact", data.split(synthetic_records), recipe, out=tmp_path / "run")
    bundle = export.bundle(run, tmp_path / "fp32.onnx")
    ranges = compression.learned_ranges(run, bundle)
    assert len(ranges) == 12  # two layers read the same tensor
    small = compression.quantize(bundle, synthetic_records, tmp_path / "int8.onnx", images=30, ranges=ranges)
    assert small.metadata.compression[-1]["learned"] == sorted(ranges)
    known = json.loads((run.path / RANGES).read_text())
    model = onnx.load(small.path)
    values = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    made = {output: node for node in model.graph.node for output in node.output}
    scales = [float(values[made[n.input[0]].input[1]]) for n in model.graph.node if n.op_type == "Conv"]
    expected = [(high - low) / 255 for low, high in known.values()]
    assert sorted(scales) == pytest.approx(sorted(expected), rel=1e-4)
    with pytest.raises(RunError, match="no ranges were learned"):
        compression.learned_ranges(trained_run, bundle)
