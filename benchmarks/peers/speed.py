"""Training and inference of two published networks: lentigo against Keras, taking turns in one run.

    python -m venv /tmp/keras && /tmp/keras/bin/pip install -r benchmarks/peers/requirements.txt
    OMP_WAIT_POLICY=PASSIVE python benchmarks/peers/speed.py --keras /tmp/keras/bin/python --images 2048 --repeats 5 \
        --out results/speed/peers.txt

Same parameters, batch size, threads, number of images, Adam, float32; bfloat16 is a row of its own. No augmentation on
either side; both validate on one batch after the epoch. Rows 'bare' are loops of steps and nothing else, which say what
layout, fusing and compiling give.
"""

import argparse
import statistics
import subprocess
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch_side as ours
from torch_side import Clock, Work

from common import machine
from lentigo import models


class Keras:
    """The other side: a process that waits for its turn."""

    def __init__(self, python: str, threads: int, images: int, batch: int) -> None:
        command = [python, str(Path(__file__).with_name("keras_side.py")), *map(str, (threads, images, batch))]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.versions, _, counts = self._answer().removeprefix("ready ").partition("; ")
        self.counts = {name: int(count) for name, count in (pair.split("=") for pair in counts.split())}

    def turn(self, name: str, work: str) -> Work:
        """One pass over all images."""

        def run() -> Clock:
            print(name, work, file=self.process.stdin, flush=True)
            wall, processor = map(float, self._answer().split())
            return wall, processor

        return run

    def close(self) -> None:
        """End it."""
        self.process.stdin.close()
        self.process.wait()

    def _answer(self) -> str:
        line = self.process.stdout.readline().strip()
        if not line:
            raise SystemExit("The Keras side ended; its message is above.")
        return line


def rows_of(name: str, keras: Keras, images: int, batch: int, compiled: bool) -> dict[str, dict[str, Work]]:
    size = (name, images, batch)
    train = {
        "Keras fit": keras.turn(name, "train"),
        "lentigo, its training loop": ours.training_loop(*size),
        "lentigo, its training loop, bfloat16": ours.training_loop(*size, precision="bfloat16"),
        "bare, contiguous": ours.bare_training(*size, channels_last=False),
        "bare, channels last": ours.bare_training(*size),
        "bare, channels last, fused Adam": ours.bare_training(*size, fused=True),
        "bare, channels last, fused Adam, bfloat16": ours.bare_training(*size, fused=True, bfloat16=True),
    }
    infer = {
        "Keras predict": keras.turn(name, "infer"),
        "lentigo, Run.logits": ours.predicting(*size),
        "bare, contiguous": ours.bare_inference(*size, channels_last=False),
        "bare, channels last": ours.bare_inference(*size),
        "bare, channels last, bfloat16": ours.bare_inference(*size, bfloat16=True),
    }
    if compiled:
        train["bare, channels last, fused Adam, compiled"] = ours.bare_training(*size, fused=True, compiled=True)
        infer["bare, channels last, compiled"] = ours.bare_inference(*size, compiled=True)
        infer["bare, contiguous, compiled"] = ours.bare_inference(*size, channels_last=False, compiled=True)
    return {"a training step": train, "inference": infer}


def table(title: str, clocks: dict[str, list[Clock]], images: int) -> list[str]:
    """Milliseconds an image by the wall and by the processor, and the wall's ratio to the first row, turn by turn."""
    lines = [title, f"  {'':44}  ms an image: median (min, max)   processor ms   time / Keras' (min, max)"]
    first = next(iter(clocks.values()))
    for name, turns in clocks.items():
        wall, processor = ([1000 * turn[clock] / images for turn in turns] for clock in (0, 1))
        ratios = [turn[0] / base[0] for turn, base in zip(turns, first, strict=True)]
        lines.append(
            f"  {name:44}  {statistics.median(wall):6.3f} ({min(wall):.3f}, {max(wall):.3f})"
            f"          {statistics.median(processor):6.3f}          "
            f"{statistics.median(ratios):.2f} ({min(ratios):.2f}, {max(ratios):.2f})"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keras", required=True, help="the Python that has tensorflow-cpu")
    parser.add_argument("--images", type=int, default=1024)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--networks", nargs="+", default=list(ours.SIZES), choices=list(ours.SIZES))
    parser.add_argument("--compile", action="store_true", help="rows with torch.compile too; needs a C++ compiler")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(options.threads)
    keras = Keras(options.keras, options.threads, options.images, options.batch)
    lines = []
    for name in options.networks:
        count = sum(p.numel() for p in models.build(name).parameters())
        count += sum(b.numel() for n, b in models.build(name).named_buffers() if "running" in n)  # as Keras counts
        if not count == keras.counts[name] == ours.COUNTS[name]:
            raise SystemExit(f"{name}: {count} parameters here, {keras.counts[name]} in Keras.")
        rows = rows_of(name, keras, options.images, options.batch, options.compile)
        for work, runs in rows.items():
            clocks: dict[str, list[Clock]] = {row: [] for row in runs}
            for turn in range(options.repeats + 1):
                for row, run in runs.items():
                    clock = run()
                    if turn > 0:  # the first one warms up
                        clocks[row].append(clock)
            title = f"{name}, {ours.SIZES[name]}x{ours.SIZES[name]} pixels, {count:,} parameters: {work}"
            lines += [*table(title, clocks, options.images), ""]
            print("\n".join(lines[-len(runs) - 3 :]), flush=True)
    keras.close()
    lines += [
        f"n = {options.images} images a turn in batches of {options.batch}, {options.threads} threads, "
        f"{options.repeats} turns each after one that warms up, taking turns in one run.",
        f"{machine()}, torch {torch.__version__}, pytorch-lightning {version('pytorch-lightning')}; {keras.versions}",
    ]
    print("\n".join(lines[-2:]))
    if options.out:
        options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
