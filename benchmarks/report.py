"""Time the report of one table of predictions, in a fresh process: the page, its JSON, card and checklists.

    python benchmarks/report.py PREDICTIONS [--bundle MODEL] [--data ROOT] [--repeats 3]
        [--out results/speed/report.txt]

What lies beside the predictions is used as always; `--bare` leaves it out, so that fairness is measured anew.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import machine, publish, spread
from lentigo.evaluation import Predictions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("predictions", type=Path)
    parser.add_argument("--bundle", default="")
    parser.add_argument("--data", default="")
    parser.add_argument("--bare", action="store_true")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    walls, processors = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = shutil.copy(options.predictions, folder) if options.bare else options.predictions
        command = [sys.executable, "-m", "lentigo", "report", str(path), "--out", str(folder / "report")]
        for option in ("bundle", "data"):
            if getattr(options, option):
                command += [f"--{option}", getattr(options, option)]
        for _ in range(options.repeats):
            start, before = time.perf_counter(), _processor()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            walls.append(time.perf_counter() - start)
            processors.append(_processor() - before)
        size = (folder / "report" / "index.html").stat().st_size / 1e6
    beside = "nothing beside them" if options.bare else "with what `lentigo evaluate` left beside them"
    rows = len(Predictions.load(options.predictions))
    publish(
        [
            f"report on {rows:,} x 7 predictions, {beside}; page of {size:.2f} MB",
            f"whole process: {spread(walls, 's')}",
            f"processor time: {spread(processors, 's')}",
            f"load average {os.getloadavg()[0]:.1f} at the end",
            machine(),
        ],
        options.out,
    )


def _processor() -> float:
    """Processor seconds of all finished child processes."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
