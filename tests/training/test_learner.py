"""Losses, balance and precision, each against what it is by definition."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from torch import nn
from torch.nn import functional as F

from lentigo import data, training
from lentigo.training.batches import epoch_positions
from lentigo.training.hooks import BatchContext
from lentigo.training.inputs import FeatureInput
from lentigo.training.learner import Learner
from lentigo.training.loop import _quiet

PRIOR = torch.tensor([0.5, 0.3, 0.2])


def learner(network=None, prior=PRIOR, **entries):
    recipe = training.Recipe(**{"label_smoothing": 0.0, **entries})
    return Learner(network or nn.Identity(), FeatureInput(), recipe, prior)


def context(labels, classes=3):
    targets = F.one_hot(labels, classes).float()
    return BatchContext(0, 0, 0, labels, labels, targets, targets, np.empty(0, object), torch.zeros(targets.shape[1]))


def test_class_weights_multiply_the_loss_of_each_image():
    logits, labels = torch.randn(6, 3), torch.tensor([0, 1, 2, 2, 1, 0])
    weights = 1 / (3 * PRIOR)
    expected = (F.cross_entropy(logits, labels, reduction="none") * weights[labels]).mean()
    assert torch.isclose(learner(balance="class_weights").train().loss(logits, context(labels)), expected)


def test_logit_adjustment_scores_at_the_training_prevalence():
    logits, labels = torch.randn(6, 3), torch.tensor([0, 1, 2, 2, 1, 0])
    adjusted = learner(balance="logit_adjustment").train()
    assert torch.isclose(adjusted.loss(logits, context(labels)), F.cross_entropy(logits + PRIOR.log(), labels))
    assert torch.equal(adjusted.equal(logits), logits)
    plain = learner(balance="none").train()
    assert torch.isclose(plain.loss(logits, context(labels)), F.cross_entropy(logits, labels))
    assert torch.allclose(plain.equal(logits), logits - PRIOR.log())


def test_binary_cross_entropy_is_that_of_one_output():
    one, labels = torch.randn(8, 1), torch.tensor([0, 1, 1, 0, 1, 0, 0, 1])
    binary = learner(
        prior=torch.tensor([0.5, 0.5]), loss="binary_cross_entropy", target="malignancy", balance="none"
    ).train()
    expected = F.binary_cross_entropy_with_logits(one[:, 0], labels.float())
    assert torch.isclose(binary.loss(binary(one), context(labels, 2)), expected)


def test_a_plateau_lowers_the_rate(synthetic_records, tmp_path):
    recipe = training.Recipe(
        size=16,
        epochs=5,
        batch_size=32,
        optimizer="adam",
        learning_rate=1e-7,
        schedule="plateau",
        plateau_monitor="val_accuracy",
        plateau_patience=2,
        plateau_floor=1e-8,
        keep="last",
    )
    run = training.train("compact", data.split(synthetic_records), recipe, out=tmp_path / "run")
    rates = pd.read_csv(run.path / "log" / "metrics.csv")["learning_rate"].to_numpy()
    assert rates[0] == pytest.approx(1e-7)
    assert rates[3] == pytest.approx(5e-8)


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy"])
@pytest.mark.parametrize("balance", ["none", "class_weights", "oversampling"])
def test_two_classes_have_two_logits(loss, balance, synthetic_records, tmp_path):
    recipe = training.Recipe(size=16, epochs=1, batch_size=32, target="malignancy", loss=loss, balance=balance)
    run = training.train("compact", data.split(synthetic_records), recipe, out=tmp_path / "run")
    records, logits = run.logits_of(run.split.test)
    assert logits.shape == (len(records), 2)
    assert sum(run.class_prior) == pytest.approx(1)
    assert run.class_prior[1] == pytest.approx(run.split.train.table["malignant"].mean())


def test_oversampling_shows_rare_classes_as_often(synthetic_records):
    split = data.split(synthetic_records)
    recipe = training.Recipe(balance="oversampling")
    positions = epoch_positions(recipe, split, split.train.ids)
    counts = np.bincount(split.train.labels[positions])
    assert counts.min() == counts.max() == np.bincount(split.train.labels).max()
    assert set(positions) == set(range(len(split.train)))


def test_bfloat16_gives_nearly_the_same_run(synthetic_records, tmp_path):
    split = data.split(synthetic_records)
    found = []
    for precision in ("float32", "bfloat16"):
        recipe = training.Recipe(size=16, epochs=1, batch_size=32, precision=precision, flip_tta=False)
        run = training.train("compact", split, recipe, out=tmp_path / precision)
        found.append(run.logits_of(split.test)[1])
    assert 0 < np.abs(found[0] - found[1]).max() < 1


def test_means_over_classes_are_of_those_that_the_part_holds(monkeypatch, recwarn):
    judged, logged = learner(prior=torch.full((4,), 0.25)), {}
    monkeypatch.setattr(judged, "log", lambda name, value, **_: logged.update({name: float(value)}))
    judged.on_train_epoch_start()
    judged.on_validation_epoch_start()
    logits = torch.tensor([[3.0, 0, 0, 0], [0, 1, 0, 4], [0, 2, 1, 0], [1, 2, 0, 0]])
    labels = torch.tensor([0, 1, 1, 0])  # none of the last two classes
    with _quiet():
        judged.validation_step((logits, labels, torch.arange(4)), 0)
        judged.on_validation_epoch_end()
    scores = logits.softmax(1).numpy()
    aucs = [roc_auc_score(labels == known, scores[:, known]) for known in (0, 1)]
    assert logged["val_balanced_accuracy"] == pytest.approx(balanced_accuracy_score(labels, logits.argmax(1))) == 0.5
    assert logged["val_macro_auc"] == pytest.approx(np.mean(aucs))
    assert not [warning for warning in recwarn if "samples in targets" in str(warning.message)]
