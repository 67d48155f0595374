"""What happens in a step: prepare, classify, adjust for imbalance, score. Lightning does the loop."""

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics.classification import MulticlassAUROC, MulticlassRecall

from lentigo.data.augment import ColourJitter, Compose, RandomAffine
from lentigo.training.optimizers import make_optimizer, make_schedule
from lentigo.training.recipe import Recipe

__all__ = ["FeatureInput", "Learner", "PixelInput"]


class PixelInput(nn.Module):
    """Pixels uint8 [N, 3, S, S] to what the network sees: augmented while training, 0 to 1, normalised.

    Args:
        recipe: how to augment.
        mean, std: to normalise by, a value a channel.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, recipe: Recipe, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        affine = RandomAffine(recipe.rotation, recipe.zoom, recipe.shift, recipe.mirror)
        colour = ColourJitter(recipe.brightness, recipe.contrast, recipe.channel_jitter)
        self.augment = Compose([affine, colour]) if recipe.augments else None
        self.register_buffer("mean", mean.view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", std.view(1, 3, 1, 1), persistent=False)

    def forward(self, pixels: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Normalised images; without a generator they are not augmented."""
        images = pixels.float() / 255
        if generator is not None and self.augment is not None:
            images = self.augment(images, generator)
        return ((images - self.mean) / self.std).contiguous(memory_format=torch.channels_last)


class FeatureInput(nn.Module):
    """Cached features float16, as numbers that can be trained on."""

    def forward(self, kept: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """The same values, float32."""
        return kept.float()


class Learner(pl.LightningModule):
    """Trains a network on batches of inputs and labels, int64 [N].

    Args:
        network: what `inputs` gives to logits [N, K], or, under binary cross-entropy, to the one logit [N, 1].
        inputs: `PixelInput` or `FeatureInput`.
        recipe: how to train it.
        prior: share of each class in the training part, [K].
        rate: learning rate; without it the recipe's.
    """

    log_prior: Tensor
    class_weights: Tensor

    def __init__(
        self, network: nn.Module, inputs: nn.Module, recipe: Recipe, prior: Tensor, rate: float | None = None
    ) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)
        self.inputs = inputs
        self.recipe = recipe
        self.rate = rate or recipe.learning_rate
        # A class that the training part lacks gets a share that is small but not zero.
        self.register_buffer("log_prior", prior.clamp(min=1e-6).log(), persistent=False)
        weights = (1 / prior.clamp(min=1e-6)) * (prior > 0) / (prior > 0).sum()
        self.register_buffer("class_weights", weights, persistent=False)
        self.recall = MulticlassRecall(len(prior), average="macro")
        self.auc = MulticlassAUROC(len(prior), average="macro")

    def forward(self, batch: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """The network's own logits [N, K] of a batch."""
        logits = self.network(self.inputs(batch, generator)).float()
        return F.pad(logits, (1, 0)) if logits.shape[1] == 1 else logits  # sigmoid is softmax beside a zero

    def equal(self, logits: Tensor) -> Tensor:
        """The logits as if all classes were equally common."""
        return logits - self.log_prior if self.recipe.balance == "none" else logits

    def fitted(self, logits: Tensor) -> Tensor:
        """The logits that the loss sees, which assume the training part's prevalence under logit adjustment."""
        return logits + self.log_prior if self.recipe.balance == "logit_adjustment" else logits

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy. In training, with smoothed targets and, if the recipe has them, class weights.

        Targets are smoothed towards the class shares. Towards equal shares, as is usual, every image would keep a
        small fixed chance of the rarest diagnosis, which equal prevalence then magnifies by its rarity. Class weights
        multiply each image's loss before the mean over the batch, as in Keras.
        """
        fitted = self.fitted(logits)
        if not self.training:
            return F.cross_entropy(fitted, labels)
        prior, smoothing = self.log_prior.exp(), self.recipe.label_smoothing
        targets = F.one_hot(labels, len(prior)) * (1 - smoothing) + smoothing * prior
        losses = F.cross_entropy(fitted, targets, reduction="none")
        if self.recipe.balance == "class_weights":
            losses = losses * self.class_weights[labels]
        return losses.mean()

    def on_train_epoch_start(self) -> None:
        """Start the sums of loss, correct predictions and images."""
        self._sums = torch.zeros(3, device=self.device)

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        """One step on an augmented batch."""
        inputs, labels = batch
        # Dropout draws from the global generator, which others draw from too: tie it to the step, so that a resumed
        # run repeats it.
        _seed_dropout(self._seed(index))
        logits = self(inputs, torch.Generator().manual_seed(self._seed(index)))
        loss = self.loss(logits, labels)
        right = (self.fitted(logits).argmax(1) == labels).sum()
        # Summed here and logged once an epoch: Lightning's log takes longer than a small network's optimizer.
        self._sums += torch.stack([loss.detach() * len(labels), right, torch.full_like(loss, len(labels))])
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], index: int) -> None:
        """Collect the scores of a batch as it is."""
        inputs, labels = batch
        logits = self(inputs)
        self.recall.update(self.equal(logits), labels)
        self.auc.update(self.equal(logits).softmax(1), labels)
        self.log("val_loss", self.loss(logits, labels), on_epoch=True, batch_size=len(labels))
        right = (self.fitted(logits).argmax(1) == labels).float().mean()
        self.log("val_accuracy", right, on_epoch=True, batch_size=len(labels))

    def on_validation_epoch_end(self) -> None:
        """Loss and accuracy of the epoch's training, balanced accuracy and macro AUC of the whole validation part.

        Accuracies are at the training part's prevalence: the share of images whose largest fitted logit is correct.
        """
        loss, right, images = self._sums
        self.log("train_loss", loss / images, prog_bar=True)
        self.log("train_accuracy", right / images)
        self.log("val_balanced_accuracy", self.recall.compute(), prog_bar=True)
        self.log("val_macro_auc", self.auc.compute(), prog_bar=True)
        self.recall.reset()
        self.auc.reset()

    def configure_optimizers(self) -> Any:
        """As the recipe says."""
        optimizer = make_optimizer(self.network, self.recipe, self.rate)
        schedule = make_schedule(optimizer, self.recipe, self.rate, int(self.trainer.estimated_stepping_batches))
        return {"optimizer": optimizer} | ({"lr_scheduler": schedule} if schedule else {})

    def _seed(self, index: int) -> int:
        """A seed for one step of one epoch of this recipe."""
        return (self.recipe.seed * 1_000_003 + self.current_epoch) * 100_003 + index


def _seed_dropout(seed: int) -> None:
    """Seed the generators that dropout draws from.

    As `torch.manual_seed`, which also formats the stack for each kind of device that isn't there, and keeps it.
    """
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)
