"""How fast `lentigo classify` is: imports, one image, a folder.

python benchmarks/classify.py IMAGE_FOLDER [--images 1000] [--repeats 7]
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

from common import as_installed, machine, spread
from lentigo.runtime import classify_files, find_images, shipped_models

FLOOR = """
import sys, numpy, onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
onnxruntime.InferenceSession(sys.argv[1], options)
"""
"""What any program in Python on this stack does before its first image."""


def timed(*command: str) -> float:
    start = time.perf_counter()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([sys.executable, *command], check=True, env=as_installed(), **quiet)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    files = find_images(options.folder)[: options.images]
    one = [timed("-m", "lentigo", "classify", str(files[0])) for _ in range(options.repeats + 1)][1:]
    start_up = [timed("-m", "lentigo", "--version") for _ in range(options.repeats + 1)][1:]
    floor = [timed("-c", FLOOR, str(shipped_models()["lentigo-s"])) for _ in range(options.repeats + 1)][1:]
    bare = [timed("-c", "pass") for _ in range(options.repeats + 1)][1:]
    rates = []
    for _ in range(3):
        start = time.perf_counter()
        count = sum(1 for _ in classify_files(files))
        rates.append(count / (time.perf_counter() - start))
    print(f"lentigo classify of one image, whole process: {spread(one, 's')}")
    print(f"lentigo --version, whole process (start-up imports): {spread(start_up, 's')}")
    print(f"NumPy, ONNX Runtime and a session of lentigo-s alone, whole process: {spread(floor, 's')}")
    print(f"python -c pass, whole process: {spread(bare, 's')}")
    print(f"a folder of {len(files)} JPEGs, after start: {spread(rates, 'images/s')}")
    print(machine())


if __name__ == "__main__":
    main()
