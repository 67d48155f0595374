"""How long one image takes each model that ships: pixels of HAM10000's size in, all outputs out, on one thread.

What is stated is the processor's time, which other programs on the machine hardly change, without decoding the file.

python benchmarks/latency.py [--repeats 200] [--out results/speed/latency.json]
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from common import machine
from lentigo.runtime import Bundle, shipped_models

HEIGHT, WIDTH = 450, 600


def milliseconds(bundle: Bundle, repeats: int) -> list[float]:
    """Processor time of each call, in order of length."""
    image = np.random.default_rng(0).integers(0, 256, (1, HEIGHT, WIDTH, 3), dtype=np.uint8)
    times = []
    for _ in range(repeats + 10):
        start = time.process_time()
        bundle.predict(image)
        times.append(1000 * (time.process_time() - start))
    return sorted(times[10:])


def measured(path: Path, repeats: int) -> dict[str, object]:
    bundle = Bundle(path, threads=1)
    times = milliseconds(bundle, repeats)
    median = times[len(times) // 2]
    return {"sha256": bundle.sha256, "median_ms": median, "min_ms": times[0], "p90_ms": times[int(0.9 * repeats)]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--out", type=Path, default=Path("results/speed/latency.json"))
    options = parser.parse_args()
    found = {
        "what": f"processor time of one image uint8 [1, {HEIGHT}, {WIDTH}, 3], one thread",
        "n": options.repeats,
        "machine": machine(),
        "models": {name: measured(path, options.repeats) for name, path in shipped_models().items()},
    }
    options.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(options.out.read_text(encoding="utf-8"), end="")


if __name__ == "__main__":
    main()
