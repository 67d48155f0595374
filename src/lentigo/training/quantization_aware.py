"""Train a network for 8-bit integers: each step computes with the rounding that the integers will have.

Fake quantization with a straight-through gradient, and ranges of activations as moving averages (Jacob et al.,
Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference, CVPR 2018). Weights have a
step for each output channel, which a batch norm behind them only scales: folding it changes no integer.
"""

import json
from typing import Annotated, Any

import pytorch_lightning as pl
import torch
from pydantic import Field
from torch import Tensor, nn

from lentigo.atomic import write_text
from lentigo.errors import RunError
from lentigo.training.hooks import Hook, register_callback

__all__ = ["RANGES", "QuantizationAware", "quantization_aware"]

RANGES = "quantization.json"
"""In a run's folder: lowest and highest input of each layer, by the layer's name in the network."""
STEPS = 64
"""Of a weight on each side of zero, 7 bits: as in the exported file."""
LEVELS = 255


class _Rounded(nn.Module):
    """What both kinds of layer add.

    The range is no buffer, for averaged weights are a copy of the plain network and have the same tensors. A checkpoint
    keeps it in the callback.
    """

    observed_range: Tensor
    rounding: bool
    momentum: float
    weight: Tensor

    def rounded_input(self, x: Tensor) -> Tensor:
        """The input as uint8 would hold it; in training the range follows it."""
        if self.training:
            seen = torch.stack([x.detach().amin().float().clamp(max=0), x.detach().amax().float().clamp(min=0)])
            before = self.observed_range.to(seen.device)
            self.observed_range = torch.where(before[1] > before[0], torch.lerp(seen, before, self.momentum), seen)
        if not self.rounding:
            return x
        low, high = self.observed_range.to(x.device)
        scale = ((high - low) / LEVELS).clamp(min=1e-8)
        zero = (-low / scale).round().clamp(0, LEVELS).int()
        return torch.fake_quantize_per_tensor_affine(x.float(), scale, zero, 0, LEVELS)

    def rounded_weight(self) -> Tensor:
        """The weights as 7 bits would hold them, with a step for each output channel."""
        weight = self.weight.float()
        scale = (weight.detach().abs().flatten(1).amax(1) / STEPS).clamp(min=1e-12)
        zero = torch.zeros_like(scale, dtype=torch.int32)
        return torch.fake_quantize_per_channel_affine(weight, scale, zero, 0, -STEPS, STEPS)


class _RoundedConv(_Rounded, nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        x = self.rounded_input(x)
        return self._conv_forward(x, self.rounded_weight() if self.rounding else self.weight, self.bias)


class _RoundedLinear(_Rounded, nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        x = self.rounded_input(x)
        return nn.functional.linear(x, self.rounded_weight() if self.rounding else self.weight, self.bias)


_KINDS: dict[type[nn.Module], type[nn.Module]] = {nn.Conv2d: _RoundedConv, nn.Linear: _RoundedLinear}


class QuantizationAware(Hook):
    """Rounds the inputs and weights of every layer but the last, which stays exact in the file too.

    Layers change their class and keep their weights' names, so that checkpoints, averages and the saved network are
    those of the plain one. At the end the weights are the rounded ones, and the ranges are in the run's folder.

    Args:
        start: epochs before rounding begins, in which ranges are only observed.
        momentum: share of a range that a step keeps.
    """

    def __init__(self, start: int, momentum: float) -> None:
        self.start, self.momentum = start, momentum

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Change the layers, before optimizer and checkpoint.

        Raises:
            RunError: on a frozen base, whose features are computed once.
        """
        if pl_module.recipe.frozen_base:  # type: ignore[union-attr]  # a Learner
            raise RunError("quantization_aware trains all layers, a frozen base none of them.", "Unset frozen_base.")
        found = [(name, m) for name, m in _network(pl_module).named_modules() if type(m) in _KINDS]
        for _, layer in found[:-1]:
            layer.__class__ = _KINDS[type(layer)]
            layer.observed_range = torch.zeros(2)
            layer.rounding, layer.momentum = self.start == 0, self.momentum
        self._layers = _rounded(pl_module)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin to round."""
        for layer in _rounded(pl_module).values():
            layer.rounding = trainer.current_epoch >= self.start

    def state_dict(self) -> dict[str, Any]:
        """The ranges, for a training that is resumed."""
        return {name: layer.observed_range.cpu() for name, layer in self._layers.items()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The ranges of an interrupted training."""
        for name, layer in self._layers.items():
            layer.observed_range = state_dict[name]

    def on_kept(self, learner: pl.LightningModule) -> None:
        """Round the weights for good, write the ranges, and make the network plain again."""
        ranges = {}
        for name, layer in _rounded(learner).items():
            ranges[name] = layer.observed_range.tolist()
            with torch.no_grad():
                layer.weight.copy_(layer.rounded_weight())
            del layer.observed_range, layer.rounding, layer.momentum
            layer.__class__ = next(plain for plain, rounded in _KINDS.items() if isinstance(layer, rounded))  # type: ignore[assignment]
        write_text(f"{learner.trainer.default_root_dir}/{RANGES}", json.dumps(ranges, indent=2) + "\n")


@register_callback
def quantization_aware(
    start: Annotated[int, Field(ge=0)] = 1, momentum: Annotated[float, Field(ge=0, lt=1)] = 0.99
) -> QuantizationAware:
    """Train with the rounding of 8-bit integers, for networks so small that rounding afterwards costs too much.

    The exported bundle is in fp32; `compression.quantize(..., ranges=compression.learned_ranges(run, bundle))` turns it
    into the int8 file that was trained for.

    Args:
        start: epochs before rounding begins.
        momentum: share of an activation's range that a step keeps.
    """
    return QuantizationAware(start, momentum)


def _network(learner: pl.LightningModule) -> nn.Module:
    return learner.network  # type: ignore[return-value]


def _rounded(learner: pl.LightningModule) -> dict[str, _Rounded]:
    return {name: m for name, m in _network(learner).named_modules() if isinstance(m, _Rounded)}
