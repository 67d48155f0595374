"""What happens in a step: augment, normalise, classify, adjust for imbalance, score. Lightning does the loop."""

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import OneCycleLR
from torchmetrics.classification import MulticlassAUROC, MulticlassRecall

from lentigo.data.augment import ColourJitter, Compose, RandomAffine
from lentigo.training.recipe import Recipe

__all__ = ["Learner"]


class Learner(pl.LightningModule):
    """Trains a network on batches (uint8 [N, 3, S, S], int64 [N]).

    Args:
        network: normalised images [N, 3, S, S] to logits [N, K].
        recipe: how to train it.
        mean, std: of the training part's pixels in 0..1, a value a channel.
        prior: share of each class in the training part, [K].
    """

    mean: Tensor
    std: Tensor
    log_prior: Tensor

    def __init__(self, network: nn.Module, recipe: Recipe, mean: Tensor, std: Tensor, prior: Tensor) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)
        self.recipe = recipe
        self.augment = Compose(
            [
                RandomAffine(recipe.rotation, recipe.zoom, recipe.shift),
                ColourJitter(recipe.brightness, recipe.contrast, recipe.cast),
            ]
        )
        self.register_buffer("mean", mean.view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", std.view(1, 3, 1, 1), persistent=False)
        # A class that the training part lacks gets a share that is small but not zero.
        self.register_buffer("log_prior", prior.clamp(min=1e-6).log(), persistent=False)
        self.recall = MulticlassRecall(len(prior), average="macro")
        self.auc = MulticlassAUROC(len(prior), average="macro")

    def forward(self, images: Tensor) -> Tensor:
        """Logits [N, K] of images [N, 3, S, S] in 0..1, as if all diagnoses were equally common."""
        logits = self.network(((images - self.mean) / self.std).contiguous(memory_format=torch.channels_last))
        return logits - self.log_prior if self.recipe.balance == "none" else logits

    def loss(self, logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
        """Cross-entropy at the training part's prevalence of logits that assume equal prevalence.

        Targets are smoothed towards the class shares. Towards equal shares, as is usual, every image would keep a
        small fixed chance of the rarest diagnosis, which equal prevalence then magnifies by its rarity.
        """
        prior = self.log_prior.exp()
        targets = F.one_hot(labels, len(prior)) * (1 - smoothing) + smoothing * prior
        return F.cross_entropy(logits + self.log_prior, targets)

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        """One step on an augmented batch."""
        images, labels = batch
        # Dropout draws from the global generator, which others draw from too: tie it to the step, so that a resumed
        # run repeats it.
        torch.manual_seed(self._seed(index))
        generator = torch.Generator().manual_seed(self._seed(index))
        logits = self(self.augment(images.float() / 255, generator))
        loss = self.loss(logits, labels, self.recipe.label_smoothing)
        self.log("train_loss", loss, on_step=False, on_epoch=True, prog_bar=True, batch_size=len(labels))
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], index: int) -> None:
        """Collect the scores of a batch as it is."""
        images, labels = batch
        logits = self(images.float() / 255)
        self.recall.update(logits, labels)
        self.auc.update(logits.softmax(1), labels)
        self.log("val_loss", self.loss(logits, labels), on_epoch=True, batch_size=len(labels))

    def on_validation_epoch_end(self) -> None:
        """Balanced accuracy and macro AUC over the whole validation part."""
        self.log("val_balanced_accuracy", self.recall.compute(), prog_bar=True)
        self.log("val_macro_auc", self.auc.compute(), prog_bar=True)
        self.recall.reset()
        self.auc.reset()

    def configure_optimizers(self) -> Any:
        """AdamW under a one-cycle schedule; norms and biases are not decayed."""
        decayed = [p for p in self.network.parameters() if p.requires_grad and p.ndim > 1]
        others = [p for p in self.network.parameters() if p.requires_grad and p.ndim <= 1]
        groups: list[dict[str, Any]] = [{"params": decayed}, {"params": others, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, self.recipe.learning_rate, weight_decay=self.recipe.weight_decay)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = OneCycleLR(optimizer, self.recipe.learning_rate, total_steps=steps, pct_start=0.25)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _seed(self, index: int) -> int:
        """A seed for one step of one epoch of this recipe."""
        return (self.recipe.seed * 1_000_003 + self.current_epoch) * 100_003 + index
