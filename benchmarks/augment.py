"""Throughput of lentigo's batch augmentation against torchvision v2's per-image pipeline, doing the same work.

Work: from uint8 to float, rotation by up to 180 degrees, zoom, translation, mirroring, brightness, contrast and a gain
for each channel, drawn for each image by itself. torchvision fills the corners with black, where lentigo mirrors.

    python benchmarks/augment.py --threads 1 --out augment.json
"""

import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torchvision
import typer
from PIL import Image
from torchvision.transforms import InterpolationMode, v2

import lentigo
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


def main(*, images: int = 2048, size: int = 64, threads: int = 1, repeats: int = 7, out: Path | None = None) -> None:
    torch.set_num_threads(threads)
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (images, 3, size, size), dtype=torch.uint8, generator=generator)
    pictures = [Image.fromarray(p.permute(1, 2, 0).numpy()) for p in pixels]

    def ours() -> None:
        for part in pixels.split(BATCH):
            OURS(part / 255, generator)

    def tensors() -> None:
        for start in range(0, images, BATCH):
            torch.stack([TENSORS(image) for image in pixels[start : start + BATCH]])

    def pillow() -> None:
        for start in range(0, images, BATCH):
            torch.stack([PILLOW(picture) for picture in pictures[start : start + BATCH]])

    clocks = timed({"lentigo": ours, "torchvision tensors": tensors, "torchvision Pillow": pillow}, repeats)
    report = {
        "images": images,
        "size": size,
        "batch": BATCH,
        "repeats": repeats,
        "threads": threads,
        "cores": os.cpu_count(),
        "machine": f"{platform.machine()} {processor()}".strip(),
        "versions": {
            "python": platform.python_version(),
            "lentigo": lentigo.__version__,
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
            "numpy": np.__version__,
        },
        # A shared machine stretches the wall's seconds; the processor's tell what the work costs.
        "by_wall_clock": compared(clocks, 0, images),
        "by_processor_time": compared(clocks, 1, images),
    }
    text = json.dumps(report, indent=2)
    typer.echo(text)
    if out:
        out.write_text(text + "\n", encoding="utf-8")


def timed(runs: dict[str, Callable[[], None]], repeats: int) -> dict[str, list[tuple[float, float]]]:
    """Seconds of each run by the wall and by the processor; the runs take turns, so that a slow minute falls on all."""
    clocks: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for turn in range(repeats + 1):
        for name, run in runs.items():
            wall, processor_time = time.perf_counter(), time.process_time()
            run()
            if turn > 0:  # the first one warms up
                clocks[name].append((time.perf_counter() - wall, time.process_time() - processor_time))
    return clocks


def compared(clocks: dict[str, list[tuple[float, float]]], clock: int, images: int) -> dict[str, object]:
    """Median rate and range of each run by one of the clocks, and how many times faster lentigo is."""
    seconds = {name: sorted(times[clock] for times in runs) for name, runs in clocks.items()}
    rates = {name: images / statistics.median(times) for name, times in seconds.items()}
    return {
        "images_per_second": {name: round(rate) for name, rate in rates.items()},
        "slowest_and_fastest": {name: [round(images / t[-1]), round(images / t[0])] for name, t in seconds.items()},
        "factor": {name: round(rates["lentigo"] / rate, 2) for name, rate in rates.items() if name != "lentigo"},
    }


def processor() -> str:
    """The processor's name, where the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")


if __name__ == "__main__":
    typer.run(main)
