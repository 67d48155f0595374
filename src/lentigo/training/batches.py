"""Batches of pixels, in an order that depends on seed and epoch alone, so that a resumed run repeats it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, Dataset, Sampler

__all__ = ["PixelDataset", "train_loader", "validation_loader"]

Batch = tuple[Tensor, Tensor]


class PixelDataset(Dataset[Batch]):
    """Images uint8 [N, S, S, 3] and labels [N], given out a batch at a time as uint8 [B, 3, S, S] and int64 [B]."""

    def __init__(self, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
        # Kept in memory: random rows of a map would be read from disk again and again.
        self.images = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
        self.labels = torch.from_numpy(labels)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> Batch:
        return self.images[index], self.labels[index]

    def __getitems__(self, indices: list[int]) -> Batch:
        """A whole batch by one gather, which is much faster than stacking single images."""
        chosen = torch.tensor(indices)
        return self.images[chosen], self.labels[chosen]


class EpochShuffle(Sampler[int]):
    """A new order each epoch, drawn from (seed, epoch) and nothing else. Lightning calls `set_epoch`."""

    def __init__(self, count: int, seed: int) -> None:
        self.count, self.seed, self.epoch = count, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of this epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[int]:
        return iter(np.random.default_rng([self.seed, self.epoch]).permutation(self.count).tolist())


def train_loader(dataset: PixelDataset, batch_size: int, seed: int) -> DataLoader[Batch]:
    """Shuffled batches; a last batch too small for batch statistics is left out (each epoch leaves out others)."""
    batch_size = min(batch_size, len(dataset))
    batches = BatchSampler(EpochShuffle(len(dataset), seed), batch_size, drop_last=True)
    return DataLoader(dataset, batch_sampler=batches, collate_fn=_as_is)


def validation_loader(dataset: PixelDataset, batch_size: int) -> DataLoader[Batch]:
    """All images in their order."""
    return DataLoader(dataset, batch_size=batch_size, collate_fn=_as_is)


def _as_is(batch: Any) -> Any:
    """The data set gives out whole batches already."""
    return batch
