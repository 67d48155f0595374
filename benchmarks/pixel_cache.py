"""How fast a data set is decoded into the pixel cache, and how fast batches of an epoch come out of it.

python benchmarks/pixel_cache.py ROOT [--size 64] [--repeats 3]
"""

import argparse
import tempfile
import time
from pathlib import Path

from common import machine, spread
from lentigo import data
from lentigo.training import Recipe
from lentigo.training.batches import PixelDataset, train_loader


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    records = data.read(options.root)
    build, again, epochs = [], [], []
    for _ in range(options.repeats):
        with tempfile.TemporaryDirectory() as cache:
            for seconds in (build, again):
                start = time.perf_counter()
                pixels = data.load_pixels(records, options.size, cache=Path(cache))
                seconds.append(time.perf_counter() - start)
            loader = train_loader(PixelDataset(pixels.of(records), records.labels), Recipe(batch_size=64))
            for _ in range(2):  # the second epoch, as all others
                start = time.perf_counter()
                count = sum(len(labels) for _, labels, _ in loader)
            epochs.append(count / (time.perf_counter() - start))
    print(f"{len(records)} images at {options.size} px, decoded: {spread(build, 's')}")
    print(f"the same, from the cache (checksums verified): {spread(again, 's')}")
    print(f"an epoch of shuffled batches of 64: {spread(epochs, 'images/s')}")
    print(machine())


if __name__ == "__main__":
    main()
