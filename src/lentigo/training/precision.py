"""Convolutions that a processor computes faster in 32 bits than in bfloat16."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from lentigo.training.recipe import Recipe

__all__ = ["strided_depthwise_in_float32"]


class _Float32Conv2d(nn.Conv2d):
    """A convolution in 32 bits, even where autocast would take fewer."""

    def forward(self, input: Tensor) -> Tensor:
        """Features [N, C, H, W] to [N, D, H', W'], float32."""
        with torch.autocast(input.device.type, enabled=False):
            return super().forward(input.float())


@contextmanager
def strided_depthwise_in_float32(network: nn.Module, recipe: Recipe, where: torch.device) -> Iterator[None]:
    """Compute a network's depthwise convolutions with a stride in 32 bits, as long as this lasts.

    On processors oneDNN has no fast kernel for their gradient in bfloat16: it takes many times as long as in 32 bits,
    and dominates a training step of MobileNetV2. Elsewhere nothing changes, nor where layers are rounded to 8 bits,
    which changes their class itself.

    Args:
        network: whose convolutions these are; weights and their names stay.
        recipe: of its training.
        where: the device that it is trained on.
    """
    rounded = any(callback.name == "quantization_aware" for callback in recipe.all_callbacks)
    concerned = where.type == "cpu" and recipe.precision == "bfloat16" and not rounded
    slow: list[Any] = [
        module
        for module in network.modules()
        if concerned and type(module) is nn.Conv2d and module.groups > 1 and max(module.stride) > 1
    ]
    for module in slow:
        module.__class__ = _Float32Conv2d
    try:
        yield
    finally:
        for module in slow:
            module.__class__ = nn.Conv2d
