"""How long the audit of a data set takes (decoding, hashes, embedding, comparing, grouping), and how it grows.

python benchmarks/audit.py ROOT [--sizes 1000 5000 10015] [--seed 0]
"""

import argparse
import time
from pathlib import Path

import numpy as np

from common import machine
from lentigo import audit, data


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 5000, 10015], help="images, drawn at random")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    records = data.read(options.root)
    order = np.random.default_rng(options.seed).permutation(records.ids)
    audit.audit(records.take(order[:100]))  # imports and first calls
    first = None
    for size in options.sizes:
        some = records.take(order[:size])
        wall, processor = time.perf_counter(), time.process_time()
        found = audit.audit(some)
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        first = first or (len(some), wall, processor)
        growth = f"{len(some) / first[0]:.2f} times the images in {wall / first[1]:.2f} times the time"
        print(
            f"{len(some)} images: {wall:.1f} s, {processor:.1f} s of processor time, "
            f"{wall / len(some) * 1000:.1f} ms an image; {growth} ({processor / first[2]:.2f} of processor time); "
            f"{len(found.duplicates)} pairs, {len(found.across)} across lesions, {len(found.rediscovered)} published",
            flush=True,
        )
    print(f"n = 1 run a size, images drawn with seed {options.seed}")
    print(machine("opencv-python-headless", "scipy"))


if __name__ == "__main__":
    main()
