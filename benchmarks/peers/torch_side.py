"""The same networks in lentigo: its training loop, and bare loops with each layout, fusing and compiling."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
from torch.nn import functional as F

from lentigo import models
from lentigo.training import Recipe
from lentigo.training.batches import PixelDataset, train_loader, validation_loader
from lentigo.training.inputs import PixelInput
from lentigo.training.learner import Learner
from lentigo.training.loop import fit
from lentigo.training.run import Run

SIZES = {"compressed_cnn": 28, "efficient_cnn_reconstructed": 64}
COUNTS = {"compressed_cnn": 1_275_079, "efficient_cnn_reconstructed": 692_807}
Clock = tuple[float, float]
Work = Callable[[], Clock]


class Stopwatch(pl.Callback):
    """Processor seconds of the last epoch."""

    seconds = 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start."""
        self._start = time.process_time()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop."""
        self.seconds = time.process_time() - self._start


def clocked(work: Callable[[], object]) -> Clock:
    """Seconds by the wall and by the processor."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - processor


def pixels_of(name: str, images: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    size = SIZES[name]
    return random.integers(0, 256, (images, size, size, 3), dtype=np.uint8), random.integers(0, 7, images)


def recipe_of(name: str, batch: int, precision: str) -> Recipe:
    """What Keras does there: Adam at a constant rate, plain cross-entropy, pixels as they are."""
    still = {"rotation": 0.0, "zoom": (1.0, 1.0), "shift": 0.0, "mirror": False}
    still |= {"brightness": 0.0, "contrast": 0.0, "cast": 0.0, "label_smoothing": 0.0, "balance": "none"}
    return Recipe(
        size=SIZES[name],
        epochs=2,
        batch_size=batch,
        optimizer="adam",
        learning_rate=1e-3,
        schedule="constant",
        normalisation="unit",
        precision=precision,  # type: ignore[arg-type]
        **still,  # type: ignore[arg-type]
    )


def training_loop(name: str, images: int, batch: int, precision: str = "float32") -> Work:
    """An epoch of `lentigo train`, validated on one batch as Keras' is; the second of two is timed."""
    pixels, labels = pixels_of(name, images)
    recipe = recipe_of(name, batch, precision)

    def work() -> Clock:
        inputs = PixelInput(recipe, torch.zeros(3), torch.ones(3))
        learner = Learner(models.build(name), inputs, recipe, torch.full((7,), 1 / 7))
        clock = Stopwatch()
        with tempfile.TemporaryDirectory() as folder:
            fit(
                learner,
                train_loader(PixelDataset(pixels, labels), recipe),
                validation_loader(PixelDataset(pixels[:batch], labels[:batch]), batch),
                recipe,
                Path(folder),
                epochs=2,
                extra=(clock,),
            )
            wall = float(pd.read_csv(Path(folder) / "log" / "seconds.csv")["seconds"].iloc[1])
        return wall, clock.seconds

    return work


def predicting(name: str, images: int, batch: int) -> Work:
    """`Run.logits`, which everything that predicts from a run calls, without reading the weights from disk."""
    pixels, _ = pixels_of(name, images)
    network = models.build(name).eval()

    class InMemory(Run):
        def network(self) -> torch.nn.Module:
            return network

    colours = (0.0,) * 3, (1.0,) * 3
    run = InMemory(Path(), name, recipe_of(name, batch, "float32"), "", "", "", "", "", *colours, (1 / 7,) * 7, {})
    return lambda: clocked(lambda: run.logits(pixels))


def bare_training(
    name: str,
    images: int,
    batch: int,
    *,
    channels_last: bool = True,
    fused: bool = False,
    compiled: bool = False,
    bfloat16: bool = False,
) -> Work:
    """Steps and nothing else: what a loop could reach."""
    pixels, labels = pixels_of(name, images)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    network = models.build(name).train().to(memory_format=layout)
    x = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    y = torch.from_numpy(labels)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3, eps=1e-7, fused=fused)
    forward = torch.compile(network) if compiled else network

    def epoch() -> None:
        for start in range(0, images - batch + 1, batch):
            optimizer.zero_grad()
            inputs = (x[start : start + batch].float() / 255).contiguous(memory_format=layout)
            with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
                logits = forward(inputs)
            F.cross_entropy(logits.float(), y[start : start + batch]).backward()
            optimizer.step()

    return lambda: clocked(epoch)


def bare_inference(
    name: str, images: int, batch: int, *, channels_last: bool = True, compiled: bool = False, bfloat16: bool = False
) -> Work:
    """Forward passes and nothing else."""
    pixels, _ = pixels_of(name, images)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    network = models.build(name).eval().to(memory_format=layout)
    x = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    forward = torch.compile(network) if compiled else network

    @torch.inference_mode()
    def epoch() -> None:
        for start in range(0, images, batch):
            inputs = (x[start : start + batch].float() / 255).contiguous(memory_format=layout)
            with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
                forward(inputs)

    return lambda: clocked(epoch)
