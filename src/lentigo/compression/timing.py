"""How long a training will take, from a few of its steps on this machine."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.nn import functional as F

from lentigo import models
from lentigo.training import Recipe
from lentigo.training.devices import Device, find_device
from lentigo.training.inputs import PixelInput
from lentigo.training.optimizers import make_optimizer

__all__ = ["seconds_an_image"]

STEPS = 3
"""Steps that are timed, after one that isn't."""
BATCH = 16
"""Most images in a step on a processor, whose time for an image hardly depends on it."""


def seconds_an_image(
    model: str, recipe: Recipe, classes: int, *, options: Mapping[str, Any] | None = None, device: Device = "auto"
) -> tuple[float, float]:
    """Seconds that training and validation take for an image: augmentation, network, gradient and step.

    Measured with random weights and pixels, without compiling: a compiled network is faster, and slow to start.

    Args:
        model: name of the network.
        recipe: says size, batch, augmentation, precision and optimizer.
        classes: outputs of the network.
        options: of the network's builder.
        device: where.
    """
    place = find_device(device)
    batch = recipe.batch_size if place.type != "cpu" else min(recipe.batch_size, BATCH)
    network = models.build(model, num_classes=classes, **(options or {}))
    network = network.to(place).to(memory_format=torch.channels_last)
    inputs = PixelInput(recipe, torch.full((3,), 0.5), torch.full((3,), 0.25)).to(place)
    optimizer = make_optimizer(network, recipe, recipe.learning_rate)
    pixels = torch.randint(256, (batch, 3, recipe.size, recipe.size), dtype=torch.uint8).to(place)
    targets = torch.full((batch, classes), 1 / classes, device=place)
    generator = torch.Generator().manual_seed(0)

    def step() -> None:
        views, mixed = inputs.views(pixels, targets, generator)
        with torch.autocast(place.type, torch.bfloat16, enabled=recipe.precision == "bfloat16"):
            logits = network(inputs.normalised(views))
        F.cross_entropy(logits.float(), mixed).backward()
        optimizer.step()
        optimizer.zero_grad()

    @torch.inference_mode()
    def validate() -> None:
        with torch.autocast(place.type, torch.bfloat16, enabled=recipe.precision == "bfloat16"):
            network(inputs(pixels))

    return _timed(step, place) / batch, _timed(validate, place) / batch


def _timed(work: Callable[[], None], place: torch.device) -> float:
    """Seconds of one call."""
    work()
    _wait(place)
    start = time.perf_counter()
    for _ in range(STEPS):
        work()
    _wait(place)
    return (time.perf_counter() - start) / STEPS


def _wait(place: torch.device) -> None:
    """Until a graphics card has done what it was given."""
    if place.type == "cuda":
        torch.cuda.synchronize(place)
