"""Magnitude pruning while a network trains: small weights become zero and stay zero.

The schedule is that of Zhu and Gupta, 'To prune, or not to prune', 2017, as in TensorFlow's PolynomialDecay. torch's
own `nn.utils.prune` is not used: it splits each weight into a parameter and a mask, which changes the names in
checkpoints, and a moving average would average the masks too. Here a weight keeps its name, and is set to zero after
each step.
"""

from typing import Annotated, Any, Literal

import pytorch_lightning as pl
import torch
from pydantic import Field
from torch import Tensor, nn

from lentigo.errors import RunError, did_you_mean
from lentigo.training.hooks import Hook, register_callback

__all__ = ["keep_zeros", "magnitude_pruning", "prunable"]

Share = Annotated[float, Field(ge=0, lt=1)]
PRUNINGS = 30
"""How often the published schedule prunes; a schedule in shares of the training does too."""
LEAST = 0.01
"""Share of its weights that a layer keeps under a global ranking: a layer of zeros would let nothing through."""


def prunable(network: nn.Module, *, depthwise: bool = True, trained: bool = True) -> dict[str, nn.Parameter]:
    """Weights of convolutions and linear layers by layer, of those that train if asked; never biases or batch norms."""
    found = {}
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d | nn.Linear) and isinstance(layer.weight, nn.Parameter):
            one_input = isinstance(layer, nn.Conv2d) and layer.groups > 1 and layer.groups == layer.in_channels
            if (layer.weight.requires_grad or not trained) and (depthwise or not one_input):
                found[name] = layer.weight
    return found


class Masked(Hook):
    """Holds weights at zero: after each step, in what is validated, and in what is kept.

    Attributes:
        masks: of each layer what stays, bool; part of the checkpoint.
    """

    def __init__(self) -> None:
        super().__init__()
        self.masks: dict[str, Tensor] = {}

    @torch.no_grad()
    def apply(self, learner: Any) -> None:
        """Set the masked weights to zero."""
        layers = dict(learner.network.named_modules())
        for name, mask in self.masks.items():
            weight = layers[name].weight
            weight.mul_(mask.to(weight.device))

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *rest: object) -> None:
        """After a step, which may have moved them."""
        self.apply(pl_module)

    def on_validation_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *rest: object) -> None:
        """What is validated may be a moving average, which takes its time to forget weights; what is saved is this."""
        self.apply(pl_module)

    def on_kept(self, learner: pl.LightningModule) -> None:
        """The kept weights hold the zeros themselves."""
        self.apply(learner)

    def state_dict(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {"masks": {name: mask.cpu() for name, mask in self.masks.items()}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """From the checkpoint."""
        self.masks = dict(state_dict["masks"])


@register_callback
class keep_zeros(Masked):  # noqa: N801  the name is what a recipe says
    """Weights that are zero at the start stay zero, so that a pruned network can be trained further."""

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Find them, unless a checkpoint knows them."""
        network: Any = pl_module.network
        self.masks = self.masks or {name: weight.detach() != 0 for name, weight in prunable(network).items()}


@register_callback
class magnitude_pruning(Masked):  # noqa: N801  the name is what a recipe says
    """Set the smallest weights of convolutions and linear layers to zero, more of them as the training goes on.

    From step `begin` to step `end` every `every` steps, the share of zeros is
    final + (initial - final) (1 - (step - begin) / (end - begin))^power. Weights that are zero stay zero. Biases and
    batch norms are never pruned; kernels of depthwise convolutions only if asked for, since they are few and each is a
    channel's only one. The epoch that is kept is one after `end`, and a training doesn't stop early before.

    Args:
        initial, final: share of zeros at `begin` and from `end` on.
        begin, end: steps of the optimizer, counted from the start of the training.
        every: steps from one pruning to the next; the last one is at `end` in any case.
        power: of the decay.
        shares: begin and end as shares of the training instead, such as (0.4, 0.8), with 30 prunings.
        scope: 'layer' prunes each layer to the same share, 'global' ranks the weights of all layers together, and
            leaves each layer at least a hundredth.
        depthwise: whether depthwise convolutions are pruned too.
        spare: names of layers that are not pruned.
    """

    def __init__(
        self,
        initial: Share = 0.85,
        final: Share = 0.95,
        begin: Annotated[int, Field(ge=0)] = 2000,
        end: Annotated[int, Field(ge=1)] = 5000,
        every: Annotated[int, Field(ge=1)] = 100,
        power: Annotated[float, Field(gt=0, le=10)] = 3.0,
        shares: tuple[Annotated[float, Field(ge=0, le=1)], Annotated[float, Field(ge=0, le=1)]] | None = None,
        scope: Literal["layer", "global"] = "layer",
        depthwise: bool = False,
        spare: tuple[str, ...] = (),
    ) -> None:
        super().__init__()
        if initial > final:
            raise RunError(f"Pruning can't go from {initial} zeros back to {final}.", "Set initial to at most final.")
        if begin >= end if shares is None else shares[0] >= shares[1]:
            raise RunError("Pruning would end before it begins.", "Set end above begin.")
        self.initial, self.final, self.power = initial, final, power
        self.begin, self.end, self.every, self.shares = begin, end, every, shares
        self.scope, self.depthwise, self.spare = scope, depthwise, spare
        self.settled = False
        self._step = -1

    def check(self, recipe: Any, steps: int) -> None:
        """Refuse a training that is over before the pruning, or that doesn't train the weights."""
        if recipe.frozen_base:
            raise RunError(
                "A frozen base doesn't train, so it can't be pruned by magnitude.",
                "Set frozen_base to false, or prune while fine-tuning: lentigo finetune.",
            )
        self._plan(steps)
        if self.end > steps:
            raise RunError(
                f"Pruning ends at step {self.end:,}, and this training has {steps:,} steps in {recipe.epochs} epochs.",
                f"Set end to at most {steps}, train for {-(-self.end * recipe.epochs // max(1, steps))} epochs, or "
                "give shares of the training, such as [0.4, 0.8].",
            )

    def _plan(self, steps: int) -> None:
        """Turn shares into steps."""
        if self.shares is not None:
            self.begin, self.end = (round(share * steps) for share in self.shares)
            self.begin = min(self.begin, self.end - 1)
            self.every = max(1, (self.end - self.begin) // PRUNINGS)

    def sparsity_at(self, step: int) -> float:
        """The share of zeros after a step between begin and end."""
        left = 1 - (step - self.begin) / (self.end - self.begin)
        return self.final + (self.initial - self.final) * left**self.power

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """See which layers there are."""
        self._plan(int(trainer.estimated_stepping_batches))
        network: Any = pl_module.network
        known = prunable(network)
        for name in self.spare:
            if name not in known:
                raise RunError(f"There is no layer {name!r} to spare.", did_you_mean(name, known))

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *rest: object) -> None:
        """Prune where the schedule says so; with accumulated gradients several batches make a step."""
        self.apply(pl_module)
        step = trainer.global_step
        due = self.begin <= step <= self.end and ((step - self.begin) % self.every == 0 or step == self.end)
        if due and step != self._step:
            self._step = step
            self._prune(pl_module, self.sparsity_at(step))
            self.apply(pl_module)
        self.settled = step >= self.end

    @torch.no_grad()
    def _prune(self, learner: Any, share: float) -> None:
        """Make masks with a share of zeros, of the weights with the smallest magnitude."""
        weights = prunable(learner.network, depthwise=self.depthwise)
        sizes = {name: weight.detach().abs() for name, weight in weights.items() if name not in self.spare}
        if self.scope == "layer":
            self.masks = {name: _largest(size, share) for name, size in sizes.items()}
            return
        # The largest of each layer stay whatever the others are.
        ranked = {name: size.where(~_largest(size, 1 - LEAST), torch.inf) for name, size in sizes.items()}
        kept = _largest(torch.cat([size.flatten() for size in ranked.values()]), share)
        parts = kept.split([size.numel() for size in ranked.values()])
        self.masks = {name: part.view(sizes[name].shape) for name, part in zip(sizes, parts, strict=True)}

    def state_dict(self) -> dict[str, Any]:
        """For the checkpoint."""
        return super().state_dict() | {"settled": self.settled, "step": self._step}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """From the checkpoint."""
        super().load_state_dict(state_dict)
        self.settled, self._step = bool(state_dict["settled"]), int(state_dict["step"])


def _largest(size: Tensor, share: float) -> Tensor:
    """All but a share of the entries, the smallest: bool, of the same shape; at least one stays."""
    flat = size.flatten()
    zeros = min(round(share * flat.numel()), flat.numel() - 1)
    mask = torch.ones_like(flat, dtype=torch.bool)
    mask[flat.topk(zeros, largest=False).indices] = False
    return mask.view(size.shape)
