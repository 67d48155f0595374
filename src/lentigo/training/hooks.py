"""Where other code plugs into a training: losses and callbacks, named in the recipe, which see each batch's context.

Nothing else is needed for distillation (a loss that finds the batch's soft labels by image and seed), averaged weights,
pruning (a callback that masks weights after each step) or quantization-aware training (one that changes the network in
`setup`, before optimizer and checkpoint, and takes the change back in `on_kept`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytorch_lightning as pl
from numpy.typing import NDArray
from torch import Tensor

from lentigo.training.named import Registry

__all__ = ["CALLBACKS", "LOSSES", "BatchContext", "Hook", "Loss", "register_callback", "register_loss"]


@dataclass(frozen=True)
class BatchContext:
    """What is known of a training batch of B images, besides logits and targets.

    Attributes:
        epoch: from 0.
        step: of the epoch, from 0.
        seed: of this step's augmentation and dropout. The same recipe, seed and positions give the same views again:
            `learner.inputs.views(pixels, targets, torch.Generator().manual_seed(seed))`. Distillation from a store
            repeats the store's views instead, and its seed is of dropout alone.
        positions: int64 [B], rows of the training part's readable images.
        labels: int64 [B], on the device of the network.
        views: what was augmented, float32 [B, 3, S, S] of 0 to 1, not normalised; of a frozen base its features.
        targets: class shares before smoothing, float32 [B, K]: one-hot, or mixed by MixUp or CutMix.
        ids: of all readable images of the training part.
        offset: what the fitted logits carry of the training part's prevalence, float32 [K], or [B, K] where several
            data sets have their own: without it all classes are equally common.
    """

    epoch: int
    step: int
    seed: int
    positions: Tensor
    labels: Tensor
    views: Tensor
    targets: Tensor
    ids: NDArray[np.object_]
    offset: Tensor

    @property
    def image_ids(self) -> list[str]:
        """Ids of the batch's images, [B]."""
        return self.ids[self.positions.cpu().numpy()].tolist()


Loss = Callable[[Tensor, Tensor, BatchContext], Tensor]
"""Fitted logits [B, K] and smoothed targets [B, K] to the loss of each image, [B]; class weights and mean follow."""


class Hook(pl.Callback):
    """A callback of Lightning, with one event more. `learner.network` trains; `learner.context` is the batch's.

    What it must remember across an interruption belongs in `state_dict` and `load_state_dict`, as tensors, numbers,
    texts, lists and dictionaries: checkpoints with other objects are refused.

    Attributes:
        settled: whether an epoch that ends now may be kept, and the training may stop early. A hook that starts with
            False, because it changes the network step by step, sets it to True when it is done.
    """

    settled: bool = True

    def check(self, recipe: Any, steps: int) -> None:
        """Called before anything is trained, with the recipe and the optimizer's steps in all its epochs.

        Raises:
            RunError: the hook can't do its work in such a training.
        """

    def on_kept(self, learner: pl.LightningModule) -> None:
        """Called once at the end, after the weights that the recipe keeps were loaded and before they are saved."""


LOSSES: Registry[Loss] = Registry("loss")
CALLBACKS: Registry[pl.Callback] = Registry("callback")
register_loss = LOSSES.register
register_callback = CALLBACKS.register
