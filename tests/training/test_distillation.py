"""A student repeats the store's views, learns what its teachers answered, resumes to the same, and remembers them."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import save
from safetensors.torch import load_file
from torch.nn import functional as F

from lentigo import compression, data, training
from lentigo.errors import LeakError, RunError
from lentigo.evaluation.run_predictor import RunPredictor
from lentigo.export.assemble import _describe
from lentigo.runtime import IdSet
from lentigo.training.hooks import LOSSES, BatchContext
from lentigo.training.learner import Learner
from lentigo.training.named import Named
from lentigo.training.soft_labels import save_soft_labels
from lentigo.training.students import check_student, with_store
from lentigo.training.views import ReplayedInput, Views


@pytest.fixture(scope="module")
def split(synthetic_records):
    return data.split(synthetic_records)


@pytest.fixture(scope="module")
def path(trained_run, split, tmp_path_factory):
    """A store of two views."""
    out = tmp_path_factory.mktemp("store") / "soft.safetensors"
    compression.build_soft_labels(RunPredictor(trained_run), split, training.Recipe(size=32, rotation=90), 2, out)
    return out


def recipe(path, **entries):
    loss = {"name": "distillation", "params": {"store": str(path), "temperature": 3.0, "soft": 0.7}}
    return training.Recipe(**{"size": 24, "epochs": 3, "batch_size": 32, "loss": loss, **entries})


@pytest.fixture(scope="module")
def student(path, split, tmp_path_factory):
    return training.train("compact", split, recipe(path, seed=3), out=tmp_path_factory.mktemp("student") / "run")


def test_a_student_sees_the_views_of_the_store_at_its_own_size(path, split, tmp_path, monkeypatch):
    found = []
    step = Learner.training_step

    def spied(self, batch, index):
        loss = step(self, batch, index)
        found.append(self.context)
        return loss

    monkeypatch.setattr(Learner, "training_step", spied)
    training.train("compact", split, recipe(path), out=tmp_path / "run")
    store = compression.load_soft_labels(path)
    squares = torch.from_numpy(data.load_pixels(split.records, 32).of(split.train)).permute(0, 3, 1, 2)
    views = Views(store.description.augmentation, store.description.seed)
    assert {context.epoch for context in found} == {0, 1, 2}
    for context in found:
        drawn = views(squares[context.positions], context.image_ids, context.epoch % 2)
        small = F.interpolate(drawn.float() / 255, (24, 24), mode="bilinear", antialias=True)
        torch.testing.assert_close(context.views, small, rtol=0, atol=1e-6)


def test_the_loss_is_its_formula(path, split):
    store = compression.load_soft_labels(path)
    generator = torch.Generator().manual_seed(0)
    positions, offset = torch.tensor([4, 0, 9]), torch.randn(7, generator=generator)
    targets, logits = torch.eye(7)[:3] * 0.9 + 0.1 / 7, torch.randn(3, 7, generator=generator)
    context = BatchContext(3, 0, 0, positions, positions, targets, targets, split.train.ids, offset)
    named = Named(name="distillation", params={"store": str(path), "temperature": 3.0, "soft": 0.7})
    teacher = torch.from_numpy(store.log_probabilities[[4, 0, 9], 1]).float()
    p, q = (teacher / 3).softmax(1), ((logits - offset) / 3).softmax(1)
    expected = 0.7 * 9 * (p * (p / q).log()).sum(1) + 0.3 * F.cross_entropy(logits, targets, reduction="none")
    torch.testing.assert_close(LOSSES.make(named)(logits, targets, context), expected)
    copied = LOSSES.make(Named(name="distillation", params={"store": str(path), "soft": 1.0}))
    assert copied(teacher + offset, targets, context).abs().max() < 1e-5  # a perfect copy loses nothing


@pytest.mark.parametrize(("balance", "carried"), [("logit_adjustment", True), ("none", True), ("oversampling", False)])
def test_the_offset_is_what_the_loss_sees_of_the_prevalence(balance, carried):
    prior = torch.tensor([0.7, 0.3])
    learner = Learner(torch.nn.Identity(), None, training.Recipe(balance=balance), prior)
    logits, positions = torch.randn(4, 2), torch.arange(4)
    assert torch.equal(learner._offset(positions), prior.log() if carried else torch.zeros(2))
    torch.testing.assert_close(learner.fitted(logits) - learner._offset(positions), learner.equal(logits))


def test_a_student_resumes_to_the_same_result(student, path, split, tmp_path, monkeypatch):
    step = Learner.training_step

    def stopped(self, batch, index):
        if self.current_epoch == 1 and index == 1:
            raise KeyboardInterrupt
        return step(self, batch, index)

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "training_step", stopped)
        with pytest.raises(KeyboardInterrupt):
            training.train("compact", split, recipe(path, seed=3), out=tmp_path / "cut")
    resumed = training.train("compact", split, recipe(path, seed=3), out=tmp_path / "cut", resume=True)
    first, second = (load_file(run.path / "network.safetensors") for run in (student, resumed))
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    pd.testing.assert_frame_equal(*(pd.read_csv(run.path / "log" / "metrics.csv") for run in (student, resumed)))


def test_a_run_and_its_bundle_remember_the_store_and_the_teachers(student, path, trained_run):
    store = compression.load_soft_labels(path)
    loaded = training.load_run(student.path)
    assert loaded.recipe.loss.params["sha256"] == store.sha256
    assert loaded.recipe.rotation == 90  # as the views were drawn
    assert loaded.soft_labels["sha256"] == store.sha256
    assert loaded.soft_labels["teachers"][0]["sha256"] == RunPredictor(trained_run).sha256
    travels = _describe(loaded, "student", 1).recipe
    assert travels["soft_labels"]["sha256"] == store.sha256
    assert travels["loss"]["params"]["store"] == "soft.safetensors"
    assert str(path.parent) not in json.dumps(travels)


def test_what_teachers_have_seen_counts_as_seen_by_the_student(student):
    foreign = ["ISIC_7777777", "ISIC_7777778"]
    taught = replace(student, soft_labels={**student.soft_labels, "seen": IdSet.of(foreign[:1]).encode()})
    asked = [*foreign, *student.split.train.ids[:1]]
    assert RunPredictor(taught).origin.seen(asked).tolist() == [True, False, True]
    in_bundle = IdSet.decode(_describe(taught, "student", 1).fingerprints.train)
    assert in_bundle.contains(asked).tolist() == [True, False, True]


def test_entries_that_the_store_overrides_are_said(path, capsys):
    pinned = with_store(recipe(path, rotation=10.0, brightness=0.5))
    assert (pinned.rotation, pinned.brightness) == (90, 0.2)
    assert "rotation, brightness is not used" in capsys.readouterr().err
    with_store(recipe(path))
    assert capsys.readouterr().err == ""


def altered(path, out, **entries):
    """The store with other entries of its description."""
    store = compression.load_soft_labels(path)
    save_soft_labels(store.description.model_copy(update=entries), store.log_probabilities, out)
    return out


def test_a_store_that_does_not_fit_is_refused_before_anything_is_trained(path, split, synthetic_records, tmp_path):
    out = tmp_path / "run"
    other = data.split(synthetic_records, fold=1)
    with pytest.raises(LeakError, match="test images"):
        training.train("compact", other, recipe(path), out=out)
    with pytest.raises(RunError, match="32 pixels wide"):
        training.train("compact", split, recipe(path, size=48), out=out)
    with pytest.raises(RunError, match="the student BINARY"):
        training.train("compact", split, recipe(path, target="malignancy"), out=out)
    with pytest.raises(RunError, match="not a store"):
        training.train("compact", split, recipe(tmp_path / "absent.safetensors"), out=out)
    few = altered(path, tmp_path / "few.safetensors", ids=[f"x{i}" for i in range(len(split.train))])
    with pytest.raises(RunError, match="have no soft labels"):
        training.train("compact", split, recipe(few), out=out)
    assert not out.exists()


EDITS = {"prior": "training", "label_set": {"name": "none"}, "format": 2}


@pytest.mark.parametrize("fault", ["empty", "cut", "text", "shape", "nan", "sum", "undescribed", *EDITS])
def test_a_damaged_store_is_refused(fault, path, tmp_path):
    bad = tmp_path / "bad.safetensors"
    content = path.read_bytes()
    if fault == "nan":
        store = compression.load_soft_labels(path)
        save_soft_labels(store.description, np.full_like(store.log_probabilities, np.nan), bad)
    elif fault == "sum":
        store = compression.load_soft_labels(path)
        save_soft_labels(store.description, store.log_probabilities + np.float16(0.1), bad)
    elif fault == "undescribed":
        bad.write_bytes(save({"log_probabilities": np.zeros((1, 1, 7), np.float16)}))
    elif fault == "shape":
        altered(path, bad, views=5)
    elif fault in EDITS:
        altered(path, bad, **{fault: EDITS[fault]})
    else:
        bad.write_bytes({"empty": b"", "cut": content[:-9], "text": b"hello, this is no store"}[fault])
    with pytest.raises(RunError, match=r"bad\.safetensors: not a store"):
        compression.load_soft_labels(bad)


def test_a_store_whose_augmentation_is_damaged_is_named(path, tmp_path):
    bad = altered(path, tmp_path / "bad.safetensors", augmentation={"rotation": "far"})
    with pytest.raises(RunError, match=r"bad\.safetensors: its augmentation is damaged.*'far'"):
        with_store(recipe(bad))


def test_another_store_than_the_recorded_one_is_refused(path, split, tmp_path):
    changed = altered(path, tmp_path / "soft.safetensors", seed=9)
    pinned = recipe(changed)
    pinned = pinned.replaced(
        loss={
            "name": "distillation",
            "params": {**pinned.loss.params, "sha256": compression.load_soft_labels(path).sha256},
        }
    )
    with pytest.raises(RunError, match="not the store of the recipe"):
        training.train("compact", split, pinned, out=tmp_path / "run")


def test_a_finished_run_is_tuned_on_the_store_and_resumes_to_the_same(student, path, split, tmp_path, monkeypatch):
    """Views of the store, answers of the teachers; what these saw counts as seen, as does what the parent's saw."""
    distilled = recipe(path, epochs=2)
    step = Learner.training_step

    def spied(self, batch, index):
        if self.current_epoch == 1:
            raise KeyboardInterrupt
        return step(self, batch, index)

    parent = replace(student, soft_labels={**student.soft_labels, "seen": IdSet.of(["ISIC_7777777"]).encode()})
    whole = training.fine_tune(parent, distilled, out=tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(Learner, "training_step", spied)
        with pytest.raises(KeyboardInterrupt):
            training.fine_tune(parent, distilled, out=tmp_path / "cut")
    again = training.fine_tune(parent, distilled, out=tmp_path / "cut")
    first, second = (load_file(run.path / "network.safetensors") for run in (whole, again))
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert not all(torch.equal(v, first[k]) for k, v in load_file(student.path / "network.safetensors").items())
    loaded = training.load_run(whole.path)
    assert loaded.recipe.loss.name == "distillation" and loaded.recipe.rotation == 90
    assert loaded.soft_labels["sha256"] == compression.load_soft_labels(path).sha256
    assert loaded.taught.contains(["ISIC_7777777", split.train.ids[0], "ISIC_7777778"]).tolist() == [True, True, False]


def test_a_store_that_does_not_fit_the_parent_is_refused_before_it_is_tuned(student, path, tmp_path):
    with pytest.raises(RunError, match="32 pixels wide"):
        training.fine_tune(student, recipe(path, size=48), out=tmp_path / "run")
    with pytest.raises(RunError, match="not a store"):
        training.fine_tune(student, recipe(tmp_path / "absent.safetensors"), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_frozen_base_can_not_repeat_views(path, split):
    store = compression.load_soft_labels(path)
    frozen = training.Recipe(size=24, frozen_base=True, loss=recipe(path).loss)
    with pytest.raises(RunError, match="frozen base"):
        check_student(store, frozen, split)


def test_views_are_counted_round(path, split):
    store = compression.load_soft_labels(path)
    inputs = ReplayedInput(training.Recipe(size=32), torch.zeros(3), torch.ones(3), store, split.train.ids)
    squares = torch.from_numpy(data.load_pixels(split.records, 32).of(split.train)[:4]).permute(0, 3, 1, 2)
    seen = [inputs.replay(squares, torch.arange(4), epoch) for epoch in range(3)]
    assert torch.equal(seen[0], seen[2])
    assert not torch.equal(seen[0], seen[1])
