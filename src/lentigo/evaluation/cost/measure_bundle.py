"""Measure how fast a bundle runs in ONNX Runtime here, and the memory of a process that runs it."""

import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence

import numpy as np
import onnxruntime as ort

from lentigo.errors import BundleError
from lentigo.evaluation.cost.graph import IMAGE
from lentigo.evaluation.cost.measure import Measured, Speed, machine
from lentigo.runtime import Bundle

__all__ = ["measure_bundle"]

# In a process of its own, whose peak nothing else has raised. What is imported and the image are there before.
_PROGRAM = """
import sys
import numpy as np
from lentigo.runtime import Bundle

def peak():
    lines = open("/proc/self/status").read().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])

image = np.random.default_rng(0).integers(0, 256, (1, int(sys.argv[2]), int(sys.argv[3]), 3), dtype=np.uint8)
before = peak()
bundle = Bundle(sys.argv[1], threads=1)
for _ in range(3):
    bundle.predict(image)
print(peak() - before)
"""


def measure_bundle(
    bundle: Bundle,
    *,
    image: tuple[int, int] = IMAGE,
    batches: Sequence[int] = (1, 32),
    threads: Sequence[int] = (1, 2),
    runs: int = 20,
) -> Measured:
    """Time a whole bundle, preprocessing included, on images of noise, after three batches of warming up.

    Args:
        bundle: its file is opened again with each number of threads.
        image: height and width of the images.
        batches: images at a time.
        threads: threads of ONNX Runtime; settings beyond the machine's cores are left out.
        runs: batches to time in each setting.

    Raises:
        BundleError: it can't be run.
    """
    rng = np.random.default_rng(0)
    speeds = []
    for count in (t for t in threads if t <= (os.cpu_count() or 1)):
        opened = Bundle(bundle.path, threads=count)
        for size in batches:
            images = rng.integers(0, 256, (size, *image, 3), dtype=np.uint8)
            times = []
            for _ in range(runs + 3):
                start = time.perf_counter()
                opened.predict(images)
                times.append(1000 * (time.perf_counter() - start))
            median, p90 = np.quantile(times[3:], (0.5, 0.9))
            speeds.append(Speed(size, count, float(median), float(p90), runs))
    return Measured(
        image=image,
        speeds=tuple(speeds),
        peak_bytes=_peak_bytes(bundle, image),
        memory="what opening and running the bundle adds to a process",
        device="cpu",
        machine=machine(),
        versions={"python": platform.python_version(), "onnxruntime": ort.__version__},
    )


def _peak_bytes(bundle: Bundle, image: tuple[int, int]) -> int | None:
    """Growth of a process' peak of resident memory; None where the system does not tell it as Linux does."""
    if not sys.platform.startswith("linux"):
        return None
    command = [sys.executable, "-c", _PROGRAM, str(bundle.path.absolute()), *map(str, image)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise BundleError(f"{bundle.path}: its memory can't be measured ({reason}).", "Export it again.")
    return int(done.stdout)
