"""What happens in a step: prepare, classify, adjust for imbalance, score. Lightning does the loop."""

from contextlib import nullcontext
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics.classification import MulticlassAUROC, MulticlassStatScores

from lentigo.training.batches import Batch
from lentigo.training.hooks import LOSSES, BatchContext
from lentigo.training.inputs import FeatureInput, PixelInput
from lentigo.training.optimizers import make_optimizer, make_schedule
from lentigo.training.processes import world
from lentigo.training.recipe import Recipe
from lentigo.training.shares import WholeBatch, sum_over
from lentigo.training.views import ReplayedInput

__all__ = ["Learner"]


class Learner(pl.LightningModule):
    """Trains a network on batches of inputs, labels int64 [N] and positions int64 [N].

    Of several processes each is given whole batches to train on, and takes its rows of them.

    Args:
        network: what `inputs` gives to logits [N, K], or, under binary cross-entropy, to the one logit [N, 1].
        inputs: `PixelInput` or `FeatureInput`.
        recipe: how to train it.
        prior: share of each class in the training part, [K]; of several data sets a row each, [S, K], of which the
            first is the one that is validated.
        rate: learning rate; without it the recipe's.
        ids: of the readable images of the training part, which positions point into.
        sources: data set of each of them, [N]; without it the first.
        shares: of each data set in an epoch, [S]; without it all of the first.

    Attributes:
        context: of the batch that is trained on, or was last; for losses and callbacks.
    """

    log_prior: Tensor
    log_priors: Tensor
    source_of: Tensor
    class_weights: Tensor

    def __init__(
        self,
        network: nn.Module,
        inputs: PixelInput | FeatureInput,
        recipe: Recipe,
        prior: Tensor,
        rate: float | None = None,
        ids: NDArray[np.object_] | None = None,
        sources: NDArray[np.int64] | None = None,
        shares: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)
        self.inputs = inputs
        self.recipe = recipe
        self.rate = rate or recipe.learning_rate
        self.ids = np.empty(0, object) if ids is None else ids
        self.criterion = LOSSES.make(recipe.loss)
        self.context: BatchContext | None = None
        priors = prior if prior.ndim == 2 else prior[None]
        # What is balanced image by image knows each image's data set; what is corrected afterwards their mixture alone.
        mixed = priors[0] if shares is None or recipe.balance == "logit_adjustment" else shares @ priors
        # A class that the training part lacks gets a share that is small but not zero.
        self.register_buffer("log_prior", mixed.clamp(min=1e-6).log(), persistent=False)
        self.register_buffer("log_priors", priors.clamp(min=1e-6).log(), persistent=False)
        source_of = torch.from_numpy(np.zeros(len(self.ids), np.int64) if sources is None else sources)
        self.register_buffer("source_of", source_of, persistent=False)
        weights = (1 / mixed.clamp(min=1e-6)) * (mixed > 0) / (mixed > 0).sum()
        self.register_buffer("class_weights", weights, persistent=False)
        self.counts = MulticlassStatScores(len(mixed), average=None)
        self.auc = MulticlassAUROC(len(mixed), average=None)

    def forward(self, inputs: Tensor) -> Tensor:
        """The network's own logits [N, K] of what it sees."""
        logits = self.network(inputs).float()
        return F.pad(logits, (1, 0)) if logits.shape[1] == 1 else logits  # sigmoid is softmax beside a zero

    def equal(self, logits: Tensor) -> Tensor:
        """The logits as if all classes were equally common."""
        return logits - self.log_prior if self.recipe.balance == "none" else logits

    def fitted(self, logits: Tensor, log_prior: Tensor | None = None) -> Tensor:
        """The logits that the loss sees, which assume a prevalence under logit adjustment.

        Args:
            logits: [B, K].
            log_prior: of that prevalence, as `_log_prior_of`; without it that of the validated data set.
        """
        adjusted = self.recipe.balance == "logit_adjustment"
        return logits + (self.log_prior if log_prior is None else log_prior) if adjusted else logits

    def _log_prior_of(self, positions: Tensor) -> Tensor:
        """Log shares of the classes in the data sets of some training images: [B, K], or [K] where all have one."""
        if len(self.log_priors) == 1:
            return self.log_priors[0]
        return self.log_priors[self.source_of[positions.to(self.source_of.device)]]

    def _offset(self, positions: Tensor) -> Tensor:
        """What the fitted logits carry of the prevalence, [K] or [B, K]."""
        if self.recipe.balance == "logit_adjustment":
            return self._log_prior_of(positions)
        return self.log_prior if self.recipe.balance == "none" else torch.zeros_like(self.log_prior)

    def loss(self, logits: Tensor, context: BatchContext) -> Tensor:
        """The recipe's loss of smoothed targets, weighted by class if the recipe has it: one number.

        Targets are smoothed towards the class shares. Towards equal shares, as is usual, every image would keep a
        small fixed chance of the rarest diagnosis, which the balanced prior then magnifies by its rarity. Class weights
        multiply each image's loss before the mean over the batch, as in Keras.
        """
        smoothing = self.recipe.label_smoothing
        log_prior = self._log_prior_of(context.positions)
        targets = context.targets * (1 - smoothing) + smoothing * log_prior.exp()
        losses = self.criterion(self.fitted(logits, log_prior), targets, context)
        if self.recipe.balance == "class_weights":
            losses = losses * (context.targets @ self.class_weights)
        return losses.mean()

    def on_train_epoch_start(self) -> None:
        """Start the sums of loss, correct predictions and images."""
        self._sums = torch.zeros(3, device=self.device)

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """One step on an augmented batch."""
        stored, labels, positions = batch
        shared, seed = world(), self._seed(index)
        rows = shared.part(len(labels))
        whole = WholeBatch(shared, rows, len(labels)) if shared.size > 1 else nullcontext()
        # Dropout draws from the global generator, which others draw from too: tie it to the step, so that a resumed
        # run repeats it.
        _seed_dropout(seed, self.device)
        one_hot = F.one_hot(labels, len(self.log_prior)).float()
        labels, positions = labels[rows], positions[rows]
        if isinstance(self.inputs, ReplayedInput):
            views, targets = self.inputs.replay(stored[rows], positions, self.current_epoch), one_hot[rows]
        else:
            views, targets = self.inputs.views(stored, one_hot, torch.Generator().manual_seed(seed), rows)
        self.context = BatchContext(
            self.current_epoch, index, seed, positions, labels, views, targets, self.ids, self._offset(positions)
        )
        with whole:
            logits = self(self.inputs.normalised(views))
        loss = self.loss(logits, self.context)
        right = (self.fitted(logits, self._log_prior_of(positions)).argmax(1) == labels).sum()
        # Summed here and logged once an epoch: Lightning's log takes longer than a small network's optimizer.
        self._sums += torch.stack([loss.detach() * len(labels), right, torch.full_like(loss, len(labels))])
        return loss

    def on_validation_epoch_start(self) -> None:
        """Start the sums of loss, correct predictions and images."""
        self._validated = torch.zeros(3, device=self.device)

    def validation_step(self, batch: Batch, index: int) -> None:
        """Collect the scores of a batch as it is; the loss is plain cross-entropy, regardless of the training loss."""
        stored, labels, _ = batch
        # Another mode and other sizes of batches would be compiled anew, which takes longer than it saves.
        eager = torch.compiler.set_stance("force_eager") if self.recipe.compile else nullcontext()
        with eager:
            logits = self(self.inputs(stored))
        self.counts.update(self.equal(logits), labels)
        self.auc.update(self.equal(logits).softmax(1), labels)
        loss = F.cross_entropy(self.fitted(logits), labels)
        right = (self.fitted(logits).argmax(1) == labels).sum()
        # Not Lightning's mean: over processes it divides the counts as whole numbers.
        self._validated += torch.stack([loss * len(labels), right, torch.full_like(loss, len(labels))])

    def on_validation_epoch_end(self) -> None:
        """Loss and accuracy of the epoch's training, and all scores of the whole validation part.

        Accuracies are at the training part's prevalence: the share of images whose largest fitted logit is correct.
        Means over classes are of those that the part holds; the AUC is NaN where it holds one alone.
        """
        loss, right, images = sum_over(self._validated)
        self.log("val_loss", loss / images)
        self.log("val_accuracy", right / images)
        loss, right, images = sum_over(self._sums)
        self.log("train_loss", loss / images, prog_bar=True)
        self.log("train_accuracy", right / images)
        right, *_, images = self.counts.compute().T
        present = images > 0
        self.log("val_balanced_accuracy", (right / images)[present].mean(), prog_bar=True)
        self.log("val_macro_auc", self.auc.compute()[present & (images < images.sum())].mean(), prog_bar=True)
        self.counts.reset()
        self.auc.reset()

    def configure_optimizers(self) -> Any:
        """As the recipe says."""
        optimizer = make_optimizer(self.network, self.recipe, self.rate)
        steps, epochs = int(self.trainer.estimated_stepping_batches), self.trainer.max_epochs or self.recipe.epochs
        schedule = make_schedule(optimizer, self.recipe, self.rate, steps, epochs)
        return {"optimizer": optimizer} | ({"lr_scheduler": schedule} if schedule else {})

    def _seed(self, index: int) -> int:
        """A seed for one step of one epoch of this recipe."""
        return (self.recipe.seed * 1_000_003 + self.current_epoch) * 100_003 + index


def _seed_dropout(seed: int, device: torch.device) -> None:
    """Seed the generators that dropout draws from.

    As `torch.manual_seed`, which also formats the stack for each kind of device that isn't there, and keeps it.
    """
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)
    if device.type == "mps":
        torch.mps.manual_seed(seed)
