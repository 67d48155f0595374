"""Bulk classification at scale: throughput, where the time goes, the faults in full, many images: results/scale.md.

python benchmarks/scale.py IMAGES WORK [--out results] [--images 2000] [--fault-images 400] [--many 200000]
    [--only speed parts faults many] [--again STAGE...]

IMAGES is a folder of real images. Shards of them are made in WORK: at most 10 different ones, each linked under as many
names as it takes. Each measured run, each fault and each stage is kept in OUT/scale.json when it is finished, and
`many` continues from its parts: an interrupted command continues.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from common import machine, pixels_of
from lentigo.atomic import write_text
from lentigo.bulk import classify
from lentigo.runtime import find_images
from lentigo.runtime.shipped import find_bundle
from scale_faults import FAULTS, RAY_SETTINGS, cluster, rows_of
from scale_page import REPEATS, RUNS, page
from scale_parts import parts

STAGES = ("speed", "parts", "faults", "many")
SHARD = 1000


def shards(images: list[Path], folder: Path, count: int, size: int = SHARD) -> Path:
    """A folder of tar shards with `count` images in all, of which no more than 10 shards are different."""
    folder.mkdir(parents=True, exist_ok=True)
    originals = folder.with_name(f"{folder.name}-originals")
    originals.mkdir(exist_ok=True)
    for number in range(-(-count // size)):
        holds = min(size, count - number * size)
        original = originals / f"{number % 10:02d}-{holds}.tar"
        if not original.exists():
            _pack(images, number % 10 * size, holds, original)
        link = folder / f"shard-{number:05d}.tar"
        if not link.exists():
            os.link(original, link)
    return folder


def _pack(images: list[Path], first: int, count: int, out: Path) -> None:
    partial = out.with_suffix(".partial")
    with tarfile.open(partial, "w") as archive:
        for i in range(count):
            path = images[(first + i) % len(images)]
            archive.add(path, f"{i:06d}{path.suffix}")
    partial.replace(out)


def measured(source: Path, out: Path, engine: str, workers: int) -> dict[str, Any]:
    """A run in a process of its own; the start of Ray is measured by itself."""
    script = f"""
import json, time
from contextlib import nullcontext
from lentigo.bulk import classify
from lentigo.bulk.cluster import connected
start = time.monotonic()
with (connected(None) if {engine!r} == "ray" else nullcontext()):
    ready = time.monotonic()
    done = classify({str(source)!r}, {str(out)!r}, engine={engine!r}, workers={workers}, progress=False)
print(json.dumps(dict(start=ready - start, seconds=done.seconds, rows=done.new_rows, rate=done.images_per_second)))
"""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return dict(json.loads(found.stdout.splitlines()[-1]))


def speed(images: list[Path], work: Path, given: argparse.Namespace, kept: dict[str, Any], keep: Callable) -> None:
    """Throughput of each engine with each number of workers, one after the other, in turn."""
    source = shards(images, work / "speed", given.images, size=100)
    runs = kept.setdefault("speed", {})
    for repeat in range(REPEATS):
        for engine, workers in RUNS:
            name = f"{engine} {workers} {repeat}"
            if name not in runs:
                runs[name] = measured(source, work / "out" / f"speed {name} {time.time_ns()}", engine, workers)
                keep()
    runs["images"] = given.images


def time_of_parts(
    images: list[Path], work: Path, given: argparse.Namespace, kept: dict[str, Any], keep: Callable
) -> None:
    """Where the time of a worker goes."""
    if "parts" not in kept:
        source = shards(images, work / "speed", given.images, size=100)
        kept["parts"] = parts(source, work / "out" / "parts", shards=5)


def faults(images: list[Path], work: Path, given: argparse.Namespace, kept: dict[str, Any], keep: Callable) -> None:
    """Each fault against a run that nothing disturbed."""
    source = shards(images, work / "faults", given.fault_images, size=max(1, given.fault_images // 20))
    clean = work / "out" / f"clean {time.time_ns()}"
    classify(source, clean, progress=False)
    expected = rows_of(clean)
    done = kept.setdefault("faults", {})
    for name, fault in FAULTS.items():
        if name not in done:
            with cluster() as nodes:
                done[name] = fault(source, work / "out" / f"{name} {time.time_ns()}", expected, nodes)
            keep()


@contextmanager
def memory(samples: list[tuple[float, int]]) -> Iterator[None]:
    """Resident memory of this process and its children, once a second."""
    ended = threading.Event()

    def follow() -> None:
        while not ended.wait(1):
            samples.append((time.monotonic(), psutil.Process().memory_info().rss))

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def many(images: list[Path], work: Path, given: argparse.Namespace, kept: dict[str, Any], keep: Callable) -> None:
    """Very many images through shards; a part of them after an interruption."""
    source = shards(images, work / "many", given.many)
    samples: list[tuple[float, int]] = []
    with memory(samples):
        found = classify(source, work / "out" / f"many-{given.many}")
    sizes = [size / 1e6 for _, size in samples]
    tenths = [sizes[i * len(sizes) // 10 : (i + 1) * len(sizes) // 10] for i in range(10)]
    kept["many"] = {
        **found.to_dict(),
        "notices": [],
        "memory_mb": [round(statistics.median(tenth)) for tenth in tenths if tenth],
        "peak_mb": round(max(sizes, default=0)),
        "mb_of_parts": round(sum(p.stat().st_size for p in Path(found.out).glob("part-*")) / 1e6, 1),
    }
    keep()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--fault-images", type=int, default=400)
    parser.add_argument("--many", type=int, default=200_000)
    parser.add_argument("--only", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument("--again", nargs="+", choices=STAGES, default=[])
    given = parser.parse_args()
    os.environ |= RAY_SETTINGS
    file = given.out / "scale.json"
    kept: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    for stage in given.again:
        kept.pop(stage, None)
    images = find_images(given.folder)
    sizes = f"--images {given.images} --fault-images {given.fault_images} --many {given.many}"
    kept |= {
        "command": f"python benchmarks/scale.py IMAGES WORK {sizes}",
        "machine": machine("pyarrow", "ray"),
        "pixels": pixels_of(images[:20]),
        "model": find_bundle().name,
        "faults_n": given.fault_images,
    }

    def keep() -> None:
        write_text(file, json.dumps(kept, indent=1) + "\n")

    calls = {"speed": speed, "parts": time_of_parts, "faults": faults, "many": many}
    for stage in given.only:
        calls[stage](images, given.work.absolute(), given, kept, keep)
        keep()
    write_text(given.out / "scale.md", page(kept))


if __name__ == "__main__":
    main()
