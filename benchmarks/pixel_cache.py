"""How fast a data set is decoded into the pixel cache.

python benchmarks/pixel_cache.py ROOT [--size 64] [--repeats 3]
"""

import argparse
import tempfile
import time
from pathlib import Path

from common import machine, spread
from lentigo import data


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    records = data.read(options.root)
    build, again = [], []
    for _ in range(options.repeats):
        with tempfile.TemporaryDirectory() as cache:
            for seconds in (build, again):
                start = time.perf_counter()
                data.load_pixels(records, options.size, cache=Path(cache))
                seconds.append(time.perf_counter() - start)
    print(f"{len(records)} images at {options.size} px, decoded: {spread(build, 's')}")
    print(f"the same, from the cache (checksums verified): {spread(again, 's')}")
    print(machine())


if __name__ == "__main__":
    main()
