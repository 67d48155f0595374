"""Batches: every image once an epoch, in an order that (seed, epoch) decide."""

import numpy as np
import torch

from lentigo.training import Recipe, batches
from lentigo.training.batches import PixelDataset, train_loader, validation_loader


def dataset(count=50):
    values = np.random.default_rng(0).integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    return PixelDataset(values, np.arange(count))


def epoch_order(loader, epoch):
    loader.batch_sampler.sampler.set_epoch(epoch)
    return torch.cat([labels for _, labels, _ in loader]).tolist()


def test_an_epoch_shows_images_once_in_an_order_of_its_own():
    loader = train_loader(dataset(), Recipe(batch_size=16, seed=3))
    first, again, second = epoch_order(loader, 0), epoch_order(loader, 0), epoch_order(loader, 1)
    assert first == again != second
    assert len(set(first)) == len(first) == 48  # the last batch of 2 is left out


def test_a_part_smaller_than_a_batch_is_one_batch():
    assert len(epoch_order(train_loader(dataset(5), Recipe(batch_size=16)), 0)) == 5


def test_images_keep_their_labels_and_pixels():
    data = dataset()
    for images, labels, _ in validation_loader(data, 16):
        assert images.shape[1:] == (3, 8, 8)
        assert torch.equal(images, data.images[labels])


def test_images_on_a_card_are_gathered_there_without_workers(monkeypatch):
    """'meta' stands for a card here: a device with shapes and no pixels."""
    monkeypatch.setattr(batches, "_place", lambda size, device: device)
    there = PixelDataset(np.zeros((40, 8, 8, 3), np.uint8), np.arange(40), torch.device("meta"))
    assert there.on_card
    loader = train_loader(there, Recipe(batch_size=16, workers=2))
    assert loader.num_workers == 0
    images, labels, positions = next(iter(loader))
    assert (images.device.type, labels.device.type, positions.device.type) == ("meta", "meta", "cpu")
    assert images.shape == (16, 3, 8, 8)
    assert not dataset().on_card
    assert train_loader(dataset(), Recipe(batch_size=16, workers=2)).num_workers == 2


def test_images_go_to_a_card_only_where_they_take_half_of_its_free_memory(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1000, 4000))
    cuda = torch.device("cuda")
    assert batches._place(500, cuda) == cuda
    assert batches._place(501, cuda).type == "cpu"
    assert batches._place(5, torch.device("mps")).type == "cpu"
