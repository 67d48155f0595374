"""What one image costs each model that ships: operations, and how long it takes, from pixels to all outputs.

What is timed is the processor's time, which other programs on the machine hardly change, without decoding the file. The
result stands in the package beside the models: `lentigo models` and README show it, each for the very file measured.

python benchmarks/latency.py [--repeats 200] [--out src/lentigo/weights/costs.json]
"""

import argparse
import time
from pathlib import Path

import numpy as np

from common import machine
from lentigo.atomic import write_text
from lentigo.evaluation.cost import account
from lentigo.runtime import Bundle, shipped_models
from lentigo.runtime.costs import COSTS, Cost, Costs

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


def measured(path: Path, repeats: int) -> Cost:
    bundle = Bundle(path, threads=1)
    times = milliseconds(bundle, repeats)
    return Cost(
        sha256=bundle.sha256,
        macs=dict(account(bundle, image=(HEIGHT, WIDTH)).macs),
        median_ms=times[len(times) // 2],
        min_ms=times[0],
        p90_ms=times[int(0.9 * repeats)],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--out", type=Path, default=COSTS)
    options = parser.parse_args()
    found = Costs(
        command=f"python benchmarks/latency.py --repeats {options.repeats}",
        what=f"processor time of one image uint8 [1, {HEIGHT}, {WIDTH}, 3], one thread",
        image=(HEIGHT, WIDTH),
        n=options.repeats,
        machine=machine(),
        models={name: measured(path, options.repeats) for name, path in shipped_models().items()},
    )
    write_text(options.out, found.model_dump_json(indent=2) + "\n")
    print(options.out.read_text(encoding="utf-8"), end="")


if __name__ == "__main__":
    main()
