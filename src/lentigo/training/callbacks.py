"""Callbacks that a recipe can name."""

from typing import Annotated

import torch
from pydantic import Field
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor

from lentigo.training.hooks import register_callback

__all__ = ["ema"]


@register_callback
def ema(decay: Annotated[float, Field(gt=0, lt=1)] = 0.999) -> WeightAveraging:
    """Validate and keep the exponential moving average of weights and batch statistics, taken after each step.

    In its first steps the decay is min(decay, (1 + n) / (10 + n)), so that the random weights of the start are soon
    forgotten (as in TensorFlow's ExponentialMovingAverage). Source: Polyak, Juditsky, SIAM J. Control
    Optim. 30(4), 1992.

    Args:
        decay: share of the average that a step keeps.
    """

    def average(averaged: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
        steps = torch.as_tensor(count, dtype=torch.float32, device=averaged.device)
        share = ((1 + steps) / (10 + steps)).clamp(max=decay)
        if not averaged.is_floating_point():  # a count of batches
            return current
        return torch.lerp(current, averaged, share.to(averaged.dtype))

    return WeightAveraging(avg_fn=average)
