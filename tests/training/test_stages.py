"""Transfer in two stages: cached features are those of the base, frozen parts stay, interrupted caches go on."""

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from lentigo import data, models, training
from lentigo.errors import DataError, RunError
from lentigo.training import cached_features as features
from lentigo.training.cached_features import cache_features

NAME = "torchvision/resnet18"
FROZEN = training.Recipe(size=32, epochs=2, batch_size=32, frozen_base=True, normalisation="imagenet")
TWO_STAGES = training.Recipe(**{**FROZEN.to_dict(), "unfrozen_blocks": 1, "finetune_epochs": 2})


@pytest.fixture(scope="module")
def split(synthetic_records):
    return data.split(synthetic_records)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A 'trained' base: all of resnet18 but its last layer, as a known conversion of a larger one has it."""
    torch.manual_seed(7)
    path = tmp_path_factory.mktemp("weights") / "base.safetensors"
    state = models.build(NAME).features.body.state_dict()
    save_file({k: v.clone() for k, v in state.items() if not k.startswith("layer4.")}, path)
    return path


def normal(run):
    return torch.tensor(run.mean), torch.tensor(run.std)


def test_the_base_stays_and_the_head_learns(split, tmp_path):
    run = training.train(NAME, split, FROZEN, out=tmp_path / "run")
    torch.manual_seed(0)
    trained = load_file(run.path / "network.safetensors")
    torch.manual_seed(FROZEN.seed)
    fresh = models.build(NAME).state_dict()
    same = {name for name, value in trained.items() if torch.equal(value, fresh[name])}
    assert {n for n in trained if n.startswith("features.")} <= same
    assert "head.classify.1.weight" not in same
    history = pd.read_csv(run.path / "log" / "metrics.csv")
    assert list(history["stage"]) == ["head"] * 2


def test_the_second_stage_moves_the_last_block_alone(split, tmp_path):
    run = training.train(NAME, split, TWO_STAGES, out=tmp_path / "run")
    torch.manual_seed(TWO_STAGES.seed)
    fresh = models.build(NAME).state_dict()
    trained = load_file(run.path / "network.safetensors")
    moved = {
        name.split(".")[2] for name, v in trained.items() if "features" in name and not torch.equal(v, fresh[name])
    }
    assert moved == {"layer4"}
    assert not any("layer4.0" in n for n, v in trained.items() if not torch.equal(v, fresh[n]))
    history = pd.read_csv(run.path / "log" / "metrics.csv")
    assert list(zip(history["stage"], history["epoch"], strict=True)) == [
        ("head", 0),
        ("head", 1),
        ("tail", 2),
        ("tail", 3),
    ]
    again = training.train(NAME, split, TWO_STAGES, out=tmp_path / "run", resume=True)
    assert again.finished


def test_what_the_weights_lack_trains_from_the_first_stage_on(split, weights, tmp_path):
    run = training.train(NAME, split, FROZEN, out=tmp_path / "run", weights=weights)
    assert training.load_run(run.path).start["fresh"] == ["layer4"]
    before, after = load_file(weights), load_file(run.path / "network.safetensors")
    assert all(torch.equal(after[f"features.body.{k}"], v) for k, v in before.items() if "num_batches" not in k)
    again = training.train(NAME, split, FROZEN, out=tmp_path / "run", resume=True)
    assert again.start == training.load_run(run.path).start


def test_predictions_from_kept_features_are_those_from_pixels(split, tmp_path):
    run = training.train(NAME, split, TWO_STAGES, out=tmp_path / "run")
    records, kept = run.logits_of(split.test)
    pixels = data.load_pixels(split.records, 32)
    assert np.abs(kept - run.logits(pixels.of(records))).max() < 0.02  # kept in 16 bits


def test_an_interrupted_cache_goes_on(split, monkeypatch, tmp_path):
    monkeypatch.setenv("LENTIGO_CACHE", str(tmp_path))
    network = models.build(NAME).eval()
    network.freeze()
    pixels = data.load_pixels(split.records, 32)
    colours = torch.zeros(3), torch.ones(3)
    whole, calls = features._compute, []

    def failing(*args):
        calls.append(len(args[-1]))
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        return whole(*args)

    monkeypatch.setattr(features, "_compute", failing)
    with pytest.raises(DataError, match="No space left"):
        cache_features(network, FROZEN, *colours, pixels, split.train)
    done = sum(calls[:2])
    calls.clear()
    monkeypatch.setattr(features, "_compute", lambda *args: (calls.append(len(args[-1])), whole(*args))[1])
    kept = cache_features(network, FROZEN, *colours, pixels, split.train)
    assert sum(calls) == len(split.train) - done
    direct = whole(network, FROZEN, *colours, pixels.of(split.train))
    assert np.allclose(kept.array[pixels.rows(split.train)], direct, atol=1e-2)


def test_other_weights_have_a_cache_of_their_own(split, monkeypatch, tmp_path):
    monkeypatch.setenv("LENTIGO_CACHE", str(tmp_path))
    pixels = data.load_pixels(split.records, 32)
    found = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        network = models.build(NAME)
        network.freeze()
        found.append(cache_features(network, FROZEN, torch.zeros(3), torch.ones(3), pixels, split.test).array)
    assert not np.array_equal(*found)
    assert len(list(pixels.folder.glob("features-*"))) == 2


@pytest.mark.parametrize("harm", ["flip", "truncate", "empty", "checksums", "clock"])
def test_damaged_features_are_computed_again(split, monkeypatch, tmp_path, harm):
    monkeypatch.setenv("LENTIGO_CACHE", str(tmp_path))
    network = models.build(NAME).eval()
    network.freeze()
    pixels, colours = data.load_pixels(split.records, 32), (torch.zeros(3), torch.ones(3))
    rows = pixels.rows(split.test)
    first = np.array(cache_features(network, FROZEN, *colours, pixels, split.test).array[rows])
    (folder,) = pixels.folder.glob("features-*")
    kept = folder / "features.f16"
    content = bytearray(kept.read_bytes())
    if harm == "flip":
        content[int(rows[0]) * first[0].nbytes] ^= 255
        kept.write_bytes(content)
    elif harm in ("truncate", "empty"):
        kept.write_bytes(content[: 100 if harm == "truncate" else 0])
    else:
        (folder / {"checksums": "checksums.u32", "clock": "clock.json"}[harm]).write_bytes(b"[1,")
    again = cache_features(network, FROZEN, *colours, pixels, split.test).array
    assert np.array_equal(again[rows], first)


def test_networks_of_the_same_weights_but_another_structure_share_nothing(split, monkeypatch, tmp_path):
    monkeypatch.setenv("LENTIGO_CACHE", str(tmp_path))
    pixels = data.load_pixels(split.records, 32)
    for pool in (torch.nn.MaxPool2d(3, 2, 1), torch.nn.AvgPool2d(3, 2, 1)):
        torch.manual_seed(0)
        network = models.build(NAME)
        network.features.body.maxpool = pool
        network.freeze()
        cache_features(network, FROZEN, torch.zeros(3), torch.ones(3), pixels, split.test)
    assert len(list(pixels.folder.glob("features-*"))) == 2


def test_a_network_without_a_base_has_nothing_to_freeze(split, tmp_path):
    with pytest.raises(RunError, match="no pretrained base"):
        training.train("compact", split, FROZEN, out=tmp_path / "run")


def test_dropout_of_the_head_is_on_while_it_trains(split, monkeypatch, tmp_path):
    modes = []
    forward = torch.nn.Dropout.forward
    monkeypatch.setattr(torch.nn.Dropout, "forward", lambda self, x: (modes.append(self.training), forward(self, x))[1])
    training.train(NAME, split, FROZEN, out=tmp_path / "run", options={"head": "hidden"})
    assert modes[0]
    assert not all(modes)
