"""Batches of pixels or cached features, in an order that depends on seed and epoch alone, so that a resumed run repeats
it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, Dataset, Sampler

from lentigo.data import Split
from lentigo.data.sampling import Target, oversample
from lentigo.training.processes import world
from lentigo.training.recipe import Recipe
from lentigo.training.sources import SourceMix, check_shares, source_mix

__all__ = [
    "Arrays",
    "Batch",
    "FeatureDataset",
    "PixelDataset",
    "epoch_positions",
    "optimizer_steps",
    "train_loader",
    "validation_loader",
]

Batch = tuple[Tensor, Tensor, Tensor]
"""Inputs [B, ...], labels int64 [B], and positions int64 [B] of the images in the data set."""


Positions = NDArray[np.int64] | SourceMix
"""Positions of the training images that make an epoch, or what draws them anew for each."""


class Arrays(Dataset[Batch]):
    """What the loaders need: a data set that returns whole batches by one gather."""

    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> Batch:
        inputs, labels, positions = self.__getitems__([index])
        return inputs[0], labels[0], positions[0]

    def __getitems__(self, indices: list[int]) -> Batch:
        """A whole batch, which is much faster than stacking single images."""
        raise NotImplementedError


class PixelDataset(Arrays):
    """Images uint8 [N, S, S, 3] and labels [N], returned a batch at a time as uint8 [B, 3, S, S] and int64 [B].

    Args:
        images, labels: all of them.
        device: where they are kept. On a graphics card a batch is gathered by the card itself, and neither worker
            processes nor copies hold it up; where the card has too little memory, they stay in the computer's.
    """

    def __init__(
        self, images: NDArray[np.uint8], labels: NDArray[np.int64], device: torch.device | None = None
    ) -> None:
        place = _place(images.nbytes, device or torch.device("cpu"))
        # Kept in memory: random rows of a map would be read from disk again and again.
        self.images = torch.from_numpy(np.ascontiguousarray(images)).to(place).permute(0, 3, 1, 2)
        self.labels = torch.from_numpy(labels).to(place)

    @property
    def on_card(self) -> bool:
        """Whether the images are in the memory of a graphics card, which worker processes can't share."""
        return self.images.device.type != "cpu"

    def __getitems__(self, indices: list[int]) -> Batch:
        """Pixels, labels and positions of these images."""
        chosen = torch.tensor(indices)
        there = chosen.to(self.images.device, non_blocking=True)
        return self.images[there], self.labels[there], chosen


def _place(size: int, device: torch.device) -> torch.device:
    """Where so many bytes of images are kept: on a CUDA device if they take at most half of its free memory."""
    if device.type != "cuda" or size > torch.cuda.mem_get_info(device)[0] / 2:
        return torch.device("cpu")
    return device


class FeatureDataset(Arrays):
    """Rows of cached features, float16 [M, ...] on disk, and labels [N]; batches are float16 [B, ...] and int64 [B]."""

    def __init__(self, features: NDArray[np.float16], rows: NDArray[np.int64], labels: NDArray[np.int64]) -> None:
        self.features, self.rows = features, rows
        self.labels = torch.from_numpy(labels)

    def __getitems__(self, indices: list[int]) -> Batch:
        """Features, labels and positions of these images."""
        chosen = torch.tensor(indices)
        return torch.from_numpy(self.features[self.rows[indices]]), self.labels[chosen], chosen


class EpochShuffle(Sampler[int]):
    """A new order each epoch, drawn from (seed, epoch) and nothing else. Lightning calls `set_epoch`."""

    def __init__(self, positions: Positions, seed: int) -> None:
        self.positions, self.seed, self.epoch = positions, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of this epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.positions)

    def __iter__(self) -> Iterator[int]:
        drawn = self.positions.draw(self.epoch) if isinstance(self.positions, SourceMix) else self.positions
        return iter(np.random.default_rng([self.seed, self.epoch]).permutation(drawn).tolist())


def epoch_positions(recipe: Recipe, split: Split, readable: NDArray) -> Positions:
    """Which of the readable training images make an epoch.

    Each once; or rare classes more often if oversampled; or data sets by the recipe's shares.

    Raises:
        RunError: the shares are not of the split's data sets.
    """
    check_shares(recipe.source_shares, split.records)
    if recipe.source_shares:
        return source_mix(recipe.source_shares, split.train.take(readable), recipe.seed)
    if recipe.balance != "oversampling":
        return np.arange(len(readable))
    row = {image_id: i for i, image_id in enumerate(readable)}
    target: Target = "malignant" if recipe.target == "malignancy" else "dx"
    drawn = split.train.ids[oversample(split, seed=recipe.seed, target=target)]
    return np.array([row[image_id] for image_id in drawn if image_id in row], dtype=np.int64)


def optimizer_steps(recipe: Recipe, positions: Positions) -> int:
    """How many steps the optimizer takes in all epochs of these images."""
    batches = len(positions) // max(1, min(recipe.batch_size, len(positions)))
    return recipe.epochs * -(-batches // recipe.accumulate)


def train_loader(dataset: Arrays, recipe: Recipe, positions: Positions | None = None) -> DataLoader[Batch]:
    """Shuffled batches; a last batch too small for batch statistics is left out (each epoch leaves out others).

    Several processes get the same batches whole, and each takes its rows of them: `Learner`.

    Args:
        dataset: what is returned.
        recipe: says the images of a batch, the seed of the order, and how many processes gather the batches, which
            doesn't change them.
        positions: which images make an epoch, some of them more than once; without it each once.
    """
    positions = np.arange(len(dataset)) if positions is None else positions
    batches = BatchSampler(EpochShuffle(positions, recipe.seed), min(recipe.batch_size, len(positions)), drop_last=True)
    count = 0 if isinstance(dataset, PixelDataset) and dataset.on_card else recipe.workers
    workers = {"num_workers": count, "persistent_workers": count > 0}
    return DataLoader(dataset, batch_sampler=batches, collate_fn=_as_is, **workers)  # type: ignore[arg-type]


def validation_loader(dataset: Arrays, batch_size: int) -> DataLoader[Batch]:
    """All images in their order; of several processes each has its share, and no image is in two."""
    shared = world()
    own = range(shared.rank, len(dataset), shared.size)
    return DataLoader(dataset, batch_size=batch_size, sampler=own, collate_fn=_as_is)


def _as_is(batch: Any) -> Any:
    """The data set returns whole batches already."""
    return batch
