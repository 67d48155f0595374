"""Optimizers and schedules by the recipe's names. Those of the published recipes have the constants of Keras."""

import math
from functools import partial
from typing import Any

from torch import nn, optim
from torch.optim.lr_scheduler import LambdaLR, OneCycleLR, ReduceLROnPlateau

from lentigo.training.recipe import Recipe

__all__ = ["make_optimizer", "make_schedule"]

KERAS_EPSILON = 1e-7
"""Of Keras' Adam and RMSprop; torch's is 1e-8."""


def make_optimizer(network: nn.Module, recipe: Recipe, rate: float) -> optim.Optimizer:
    """The recipe's optimizer over all weights that train.

    AdamW decays convolutions and linear weights, not norms and biases. Adam (Kingma, Ba, ICLR 2015), RMSprop and SGD
    have Keras' constants, but SGD has Nesterov's momentum of 0.9 and not none.
    """
    weights = [p for p in network.parameters() if p.requires_grad]
    if recipe.optimizer == "adam":
        return optim.Adam(weights, rate, eps=KERAS_EPSILON, fused=True)
    if recipe.optimizer == "rmsprop":
        return optim.RMSprop(weights, rate, alpha=0.9, eps=KERAS_EPSILON)
    if recipe.optimizer == "sgd":
        return optim.SGD(weights, rate, momentum=0.9, nesterov=True, fused=True)
    groups: list[dict[str, Any]] = [
        {"params": [p for p in weights if p.ndim > 1]},
        {"params": [p for p in weights if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return optim.AdamW(groups, rate, weight_decay=recipe.weight_decay, fused=True)


def make_schedule(
    optimizer: optim.Optimizer, recipe: Recipe, rate: float, steps: int, epochs: int
) -> dict[str, Any] | None:
    """What Lightning needs to know of the recipe's schedule; nothing for a constant rate.

    Args:
        optimizer: whose rate it sets.
        recipe: names the schedule.
        rate: the highest one.
        steps: of the optimizer, in all epochs.
        epochs: how many.
    """
    if recipe.schedule == "one_cycle":
        rise = 0.25 if steps != 4 else 0.3  # a quarter of 4 steps is a rise of no step, which torch divides by
        return {"scheduler": OneCycleLR(optimizer, rate, total_steps=steps, pct_start=rise), "interval": "step"}
    if recipe.schedule == "cosine":
        warmup = round(steps * recipe.warmup_epochs / epochs)
        return {"scheduler": LambdaLR(optimizer, partial(_cosine, warmup, steps)), "interval": "step"}
    if recipe.schedule == "plateau":
        scheduler = ReduceLROnPlateau(
            optimizer,
            mode="max" if recipe.plateau_monitor == "val_accuracy" else "min",
            patience=recipe.plateau_patience - 1,  # torch waits one epoch longer than Keras for the same number
            factor=recipe.plateau_factor,
            min_lr=recipe.plateau_floor,
            threshold=1e-4,
            threshold_mode="abs",
        )
        return {"scheduler": scheduler, "interval": "epoch", "monitor": recipe.plateau_monitor}
    return None


def _cosine(warmup: int, steps: int, step: int) -> float:
    """The rate at a step, as a share of the highest: up a line, then down half a cosine, to zero after the last."""
    if step < warmup:
        return (step + 1) / warmup
    return (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, steps - warmup)))) / 2
