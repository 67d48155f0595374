"""Throughput of lentigo's batch augmentation against torchvision v2's per-image pipeline, doing the same work.

Work: from uint8 to float, rotation by up to 180 degrees, zoom, translation, mirroring, brightness, contrast and a gain
for each channel, drawn for each image by itself. torchvision fills the corners with black, where lentigo mirrors.

python benchmarks/augment.py [--size 64] [--images 2048] [--threads 1] [--repeats 7]
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from PIL import Image
from torchvision.transforms import InterpolationMode, v2

from common import machine, spread
from lentigo.data import augment

BATCH = 64  # the recipe's


def channel_gain(image: torch.Tensor) -> torch.Tensor:
    """Colour cast for torchvision, which has none."""
    return (image * (0.94 + 0.12 * torch.rand(3, 1, 1))).clamp(0, 1)


GEOMETRY = [
    v2.RandomAffine(180, translate=(0.06, 0.06), scale=(0.85, 1.25), interpolation=InterpolationMode.BILINEAR),
    v2.RandomHorizontalFlip(),
]
TO_FLOAT = [v2.ToDtype(torch.float32, scale=True)]
COLOUR = [v2.ColorJitter(brightness=0.2, contrast=0.2)]
TENSORS = v2.Compose([*TO_FLOAT, *GEOMETRY, *COLOUR, v2.Lambda(channel_gain)])
PILLOW = v2.Compose([*GEOMETRY, *COLOUR, v2.ToImage(), *TO_FLOAT, v2.Lambda(channel_gain)])
OURS = augment.Compose([augment.RandomAffine(zoom=(0.85, 1.25), shift=0.06), augment.ColourJitter()])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--images", type=int, default=2048)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    generator = torch.Generator().manual_seed(0)
    shape = (options.images, 3, options.size, options.size)
    pixels = torch.randint(256, shape, dtype=torch.uint8, generator=generator)
    pictures = [Image.fromarray(p.permute(1, 2, 0).numpy()) for p in pixels]

    def ours() -> None:
        for part in pixels.split(BATCH):
            OURS(part / 255, generator)

    def tensors() -> None:
        for start in range(0, options.images, BATCH):
            torch.stack([TENSORS(image) for image in pixels[start : start + BATCH]])

    def pillow() -> None:
        for start in range(0, options.images, BATCH):
            torch.stack([PILLOW(picture) for picture in pictures[start : start + BATCH]])

    runs = {"lentigo": ours, "torchvision v2 on tensors": tensors, "torchvision v2 on Pillow images": pillow}
    clocks = timed(runs, options.repeats)
    print(f"{options.images} images at {options.size} px, batches of {BATCH}, {options.threads} threads of torch")
    for name in runs:
        rates = [options.images / wall for wall in clocks[name][0]]
        print(f"{name}: {spread(rates, 'images/s')}{factor(clocks, name)}")
    print(machine("torch", "torchvision"))


def timed(runs: dict[str, Callable[[], None]], repeats: int) -> dict[str, tuple[list[float], list[float]]]:
    """Seconds of each run by the wall and by the processor; the runs take turns, so that a slow minute falls on all."""
    clocks: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in runs}
    for turn in range(repeats + 1):
        for name, run in runs.items():
            wall, processor = time.perf_counter(), time.process_time()
            run()
            if turn > 0:  # the first one warms up
                clocks[name][0].append(time.perf_counter() - wall)
                clocks[name][1].append(time.process_time() - processor)
    return clocks


def factor(clocks: dict[str, tuple[list[float], list[float]]], name: str) -> str:
    """How many times lentigo is as fast, by the wall, which other work stretches, and by processor time."""
    if name == "lentigo":
        return ""
    wall, processor = (
        statistics.median(theirs) / statistics.median(ours)
        for theirs, ours in zip(clocks[name], clocks["lentigo"], strict=True)
    )
    return f"; lentigo is {wall:.2f} times as fast, by processor time {processor:.2f} times"


if __name__ == "__main__":
    main()
