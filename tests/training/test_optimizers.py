"""Optimizers and schedules against the formulas of their papers, computed by hand in numpy."""

import numpy as np
import pytest
import torch
from torch import nn

from lentigo.training import Recipe
from lentigo.training.optimizers import make_optimizer, make_schedule

RATE, STEPS = 0.01, 3
GRADIENTS = np.random.default_rng(0).normal(size=(STEPS, 2, 3))


def trained(**entries):
    """The weight [2, 3] and the bias [2] of a layer after three steps along the same gradients, from ones."""
    layer = nn.Linear(3, 2)
    nn.init.ones_(layer.weight)
    nn.init.ones_(layer.bias)
    optimizer = make_optimizer(layer, Recipe(**entries), RATE)
    for gradient in torch.from_numpy(GRADIENTS).float():
        layer.weight.grad, layer.bias.grad = gradient, gradient[:, 0].clone()
        optimizer.step()
    return layer.weight.detach().numpy(), layer.bias.detach().numpy()


def adam(gradients, epsilon, decay=0.0):
    """Kingma, Ba (ICLR 2015), algorithm 1; with `decay` Loshchilov, Hutter (ICLR 2019)."""
    w, m, v = np.ones_like(gradients[0]), 0.0, 0.0
    for t, g in enumerate(gradients, start=1):
        w = w * (1 - RATE * decay)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        w = w - RATE * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + epsilon)
    return w


def rmsprop(gradients):
    w, v = np.ones_like(gradients[0]), 0.0
    for g in gradients:
        v = 0.9 * v + 0.1 * g**2
        w = w - RATE * g / (np.sqrt(v) + 1e-7)
    return w


def nesterov(gradients):
    w, m = np.ones_like(gradients[0]), 0.0
    for g in gradients:
        m = 0.9 * m + g
        w = w - RATE * (g + 0.9 * m)
    return w


@pytest.mark.parametrize(
    ("optimizer", "formula"), [("adam", lambda g: adam(g, 1e-7)), ("rmsprop", rmsprop), ("sgd", nesterov)]
)
@pytest.mark.parametrize("scale", [1.0, 1e-7])  # where gradients are as small as the epsilon, it shows
def test_the_optimizers_of_the_papers_compute_their_formulas(optimizer, formula, scale, monkeypatch):
    monkeypatch.setitem(globals(), "GRADIENTS", GRADIENTS * scale)
    weight, bias = trained(optimizer=optimizer, weight_decay=0.5)  # which these don't take
    assert weight - 1 == pytest.approx(formula(GRADIENTS) - 1, rel=1e-3, abs=3e-7)
    assert bias - 1 == pytest.approx(formula(GRADIENTS[:, :, 0]) - 1, rel=1e-3, abs=3e-7)


def test_adamw_decays_weights_and_not_biases():
    weight, bias = trained(optimizer="adamw", weight_decay=0.5)
    assert weight == pytest.approx(adam(GRADIENTS, 1e-8, decay=0.5), abs=1e-6)
    assert bias == pytest.approx(adam(GRADIENTS[:, :, 0], 1e-8), abs=1e-6)


def test_frozen_weights_stay():
    layer = nn.Linear(3, 2)
    layer.weight.requires_grad_(False)
    for optimizer in ("adamw", "adam", "sgd", "rmsprop"):
        groups = make_optimizer(layer, Recipe(optimizer=optimizer), RATE).param_groups
        assert [id(p) for group in groups for p in group["params"]] == [id(layer.bias)]


def rates(steps, epochs, **entries):
    """The learning rate at each step."""
    recipe = Recipe(optimizer="sgd", **entries)
    optimizer = make_optimizer(nn.Linear(1, 1), recipe, RATE)
    scheduler = make_schedule(optimizer, recipe, RATE, steps, epochs)["scheduler"]
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return np.array(found)


def test_cosine_rises_on_a_line_and_falls_along_half_a_cosine():
    found = rates(40, 4, schedule="cosine", warmup_epochs=1)
    assert found[:10] == pytest.approx(RATE * np.arange(1, 11) / 10)
    assert found[10:] == pytest.approx(RATE * (1 + np.cos(np.pi * np.arange(30) / 30)) / 2)


def test_one_cycle_peaks_after_a_quarter():
    found = rates(40, 4, schedule="one_cycle")
    assert found.argmax() == 40 // 4 - 1
    assert found.max() == pytest.approx(RATE)
    assert found[0] == pytest.approx(RATE / 25)
    assert found[-1] == pytest.approx(RATE / 25e4)


def test_a_constant_rate_needs_no_schedule():
    recipe = Recipe(schedule="constant")
    assert make_schedule(make_optimizer(nn.Linear(1, 1), recipe, RATE), recipe, RATE, 10, 2) is None
