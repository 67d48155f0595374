"""What a reproduction has to run: each system under each protocol, with the paper's recipe put into ours."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from lentigo import data, models
from lentigo.models.transfer import Transfer
from lentigo.studies.budgets import Budget
from lentigo.studies.numbers import network_cost
from lentigo.studies.study import PublishedRecipe, Study, System
from lentigo.training import Recipe

__all__ = ["Job", "Start", "images_an_epoch", "plan", "recipe_for", "subsample", "target_epochs"]

EPOCHS = 30
BATCH_SIZE = 32
LEARNING_RATE = 1e-3
"""What is taken where a paper doesn't say; the rate is that of Keras' optimizers."""
TAIL_EPOCHS = 10
TAIL_RATE = 1e-4
TAIL_BLOCKS = 3
"""Of the second stage of transfer learning, which no paper specifies; three blocks are the last group of a ResNet50."""
_CHANGES: Mapping[str, Mapping[str, object]] = {
    "rotation": {"rotation": 180.0},
    "flip": {"mirror": True},
    "horizontal flip": {"mirror": True},
    "vertical flip": {"rotation": 180.0, "mirror": True},
    "zoom": {"zoom": (0.9, 1.1)},
    "crop": {"zoom": (0.9, 1.1)},
    "brightness": {"brightness": 0.2},
}
"""Ranges of the augmentations, which no paper gives: the full circle, ten percent of zoom, twenty of brightness."""


_SHARES = {"train": 0.7, "validation": 0.1, "test": 0.2}
"""Of the parts of a slice."""


@dataclass(frozen=True)
class Start:
    """Where pretrained systems get their weights.

    Attributes:
        files: safetensors files by the network's name.
        download: whether to fetch the libraries' ImageNet weights for networks without a file.
    """

    files: Mapping[str, Path]
    download: bool = False


@dataclass(frozen=True)
class Job:
    """One training.

    Attributes:
        system: what is trained.
        split: on what, cut to the budget.
        recipe: how.
        options: of the network's builder.
        weights: a file to start from.
        download: whether to start from the library's weights.
    """

    system: System
    split: data.Split
    recipe: Recipe
    options: Mapping[str, object]
    weights: Path | None
    download: bool

    @property
    def folder(self) -> str:
        """Name of the folder of this run, under that of the reproduction."""
        system = re.sub(r"[^a-z0-9]+", "-", self.system.name.lower()).strip("-")
        return f"{system}/{self.split.protocol}/fold{self.split.fold}-seed{self.recipe.seed}"


def plan(study: Study, records: data.Records, budget: Budget, protocols: Sequence[str], start: Start) -> list[Job]:
    """Every training of a study, in the order in which they run.

    Args:
        study: what is reproduced.
        records: the data set, which decides how many epochs fit the budget.
        budget: its limits.
        protocols: names of the splits.
        start: where pretrained systems get their weights.
    """
    splits = [
        subsample(data.split(records, protocol, fold=fold), budget) for protocol in protocols for fold in budget.folds
    ]
    jobs = []
    for system in study.systems:
        file = start.files.get(system.network) if system.pretrained else None
        download = system.pretrained and file is None and start.download
        # The library's own weights are those of its own variant.
        options = {} if download else dict(system.options)
        for split in splits:
            images = images_an_epoch(system, split)
            for seed in budget.seeds:
                recipe = recipe_for(system, split.protocol, budget, images, seed, weights=file)
                jobs.append(Job(system, split, recipe, options, file, download))
    return jobs


def images_an_epoch(system: System, split: data.Split) -> int:
    """How many images a system is shown in an epoch: the training part, or all its classes as large as the largest."""
    if _balance(system.recipe, split.protocol) != "oversampling":
        return len(split.train)
    counts = np.bincount(split.train.labels)
    return int(counts.max() * (counts > 0).sum())


def recipe_for(
    system: System, protocol: str, budget: Budget, images: int, seed: int = 0, *, weights: Path | None = None
) -> Recipe:
    """A paper's recipe in our terms, with what it leaves open filled in, cut to a budget.

    Args:
        system: whose.
        protocol: of the split; what was oversampled before it was split is not oversampled again.
        budget: limits the epochs.
        images: shown in an epoch.
        seed: of the training.
        weights: file to start from; an end of the base that it lacks trains from the first stage on.
    """
    published = system.recipe
    size = system.size or models.entry(system.network).size
    if system.pretrained and budget.pretrained_size:
        size = min(size, budget.pretrained_size)
    wanted = target_epochs(system)
    head, tail = _trainable_macs(system, size, weights)
    unfrozen = published.frozen_base and published.unfrozen_later
    values: dict[str, object] = {
        "size": size,
        "target": system.task,
        "loss": published.loss,
        "epochs": budget.epochs_for(wanted, head * images),
        "batch_size": published.batch_size or BATCH_SIZE,
        "optimizer": published.optimizer,
        "learning_rate": published.learning_rate or LEARNING_RATE,
        "schedule": published.schedule or "constant",
        "plateau_monitor": "val_accuracy",
        "plateau_patience": published.plateau_patience or 2,
        "plateau_factor": published.plateau_factor or 0.5,
        "plateau_floor": published.plateau_floor or 1e-5,
        "label_smoothing": 0.0,
        "balance": _balance(published, protocol),
        "normalisation": _normalisation(published, system),
        "patience": published.early_stopping or wanted,
        "keep": "best" if published.early_stopping else "last",
        "flip_tta": False,
        "frozen_base": published.frozen_base,
        "unfrozen_blocks": TAIL_BLOCKS if unfrozen else 0,
        "finetune_epochs": budget.epochs_for(TAIL_EPOCHS, tail * images) if unfrozen else 0,
        "finetune_learning_rate": TAIL_RATE,
        "precision": budget.precision,
        "seed": seed,
    }
    return Recipe.from_dict(values | _augmentation(published))


def target_epochs(system: System) -> int:
    """How many epochs a system would have without a budget."""
    return system.recipe.epochs or EPOCHS


def subsample(split: data.Split, budget: Budget) -> data.Split:
    """The split with only as many images in use as the budget allows, whole groups of each diagnosis alike.

    Each diagnosis keeps as many images as the others where it has them, so that the smallest budget still sees all.
    """
    if budget.images is None or len(split.manifest) <= budget.images:
        return split
    manifest = split.manifest.copy()
    manifest["dx"] = split.records.labels
    manifest = manifest[manifest["part"] != "unused"]
    kept: set[str] = set()
    quota = budget.images // manifest["dx"].nunique()
    for (_, part), rows in manifest.groupby(["dx", "part"]):
        share = max(2, round(quota * _SHARES[str(part)]))
        order = np.random.default_rng(0).permutation(rows["group"].unique())
        taken = 0
        for group in order:
            if taken >= share:
                break
            members = rows.loc[rows["group"] == group, "image_id"]
            kept.update(members)
            taken += len(members)
    parts = np.where(split.manifest["image_id"].isin(kept), split.manifest["part"], "unused")
    return data.freeze(
        split.records,
        split.manifest.assign(part=parts),
        split.protocol,
        split.leaky,
        split.fold,
        split.folds,
        split.seed,
    )


@cache
def _trainable_macs(system: System, size: int, weights: Path | None) -> tuple[float, float]:
    """Multiply-accumulates of what trains, for one image: in the first stage or the whole network, and in the second.

    A head on pooled features costs next to nothing, and so does what is frozen, for it is computed once.
    """
    options: dict[str, Any] = dict(system.options)
    counted = network_cost(system.network, size, **options)
    if not system.recipe.frozen_base:
        return counted.macs, 0.0
    network = models.build(system.network, **options)
    assert isinstance(network, Transfer)
    fresh = network.features.last_blocks(models.load_weights(network, weights).fresh) if weights else 0

    def last(blocks: int) -> float:
        """Of the base's last blocks."""
        chosen = set(network.features.blocks[len(network.features.blocks) - blocks :])
        names = tuple(f"{name}." for name, module in network.named_modules() if module in chosen)
        return sum(layer.macs for layer in counted.layers if names and layer.name.startswith(names))

    return last(fresh), last(max(fresh, TAIL_BLOCKS))


def _balance(published: PublishedRecipe, protocol: str) -> str:
    if published.oversampling and not protocol.startswith("oversampled"):
        return "oversampling"
    return "class_weights" if published.class_weights else "none"


def _normalisation(published: PublishedRecipe, system: System) -> str:
    """A base that was trained on ImageNet is fed as it was there."""
    if system.pretrained:
        return "imagenet"
    return published.normalisation or "unit"


def _augmentation(published: PublishedRecipe) -> dict[str, object]:
    """Nothing, or what the paper names."""
    still = {
        "rotation": 0.0,
        "zoom": (1.0, 1.0),
        "shift": 0.0,
        "mirror": False,
        "brightness": 0.0,
        "contrast": 0.0,
        "channel_jitter": 0.0,
    }
    for name in published.augmentation:
        still |= _CHANGES[name]
    return still
