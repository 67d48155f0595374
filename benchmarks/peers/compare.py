r"""lentigo's bundles against other networks and engines: latency, throughput, memory, start-up, bytes, quality.

    python benchmarks/peers/compare.py --images FOLDER --work FOLDER [--bundle PATH]... [--quick] [--out results]

Every cell, a network in an engine with a batch size and a number of threads (and as many cores), is measured in a
process of its own on the same JPEGs, and kept in WORK/cells: a run that was interrupted resumes, and --fresh measures
anew. What can't be measured here has its reason in place of a figure. Peers have random weights: they cost what trained
ones do. Without --bundle all models that ship are measured; without --images 32 synthetic lesions of 600x450 pixels.
--quick: batch 1, one thread, few repeats, two engines, at most 100 images. --page-only makes the page of what there is.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

from engines import ENGINES
from networks import PEERS

from common import machine
from flagships_parts import command
from lentigo import models
from lentigo.atomic import write_text
from lentigo.progress import note
from lentigo.runtime import Bundle, shipped_models

QUICK = ("PyTorch eager", "ONNX Runtime int8")
COUNTS = (1, 10, 100, 1_000, 10_000, 100_000)
"""Images of a folder, over which time is measured."""
LIMIT = 1800
"""Seconds after which a cell is given up."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, action="append", help="repeatable; by default all models that ship")
    parser.add_argument("--images", type=Path, help="folder of JPEGs, of which the first 32 are used")
    parser.add_argument("--work", type=Path, required=True, help="folder of cells and of files of peers")
    parser.add_argument("--peers", nargs="+", choices=list(PEERS), default=list(PEERS))
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=20.0, help="of measuring, at most, a cell and kind of call")
    parser.add_argument("--most-images", type=int, default=COUNTS[-1], help="in the largest folder")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--fresh", action="store_true", help="measure again what was measured")
    parser.add_argument("--page-only", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("results"))
    options = parser.parse_args()
    if options.quick:
        options.engines, options.threads, options.batches = list(QUICK), [1], [1]
        options.repeats, options.seconds, options.most_images = 10, 2.0, 100
    options.work.mkdir(parents=True, exist_ok=True)
    bundles = {Bundle(p, threads=1).name: p.resolve() for p in options.bundle or shipped_models().values()}
    asked = list(cells(bundles, options))
    found = [{**one, **record(one, options)} for one in asked]
    from peers_page import write  # draws, which takes seconds

    measuring = [word for word in sys.argv[1:] if word != "--page-only"]  # what made the cells
    print(write(found, bundles, command("benchmarks/peers/compare.py", measuring), options.out))


def cells(bundles: dict[str, Path], options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """All cells that are asked for, as plain values."""
    common = {"repeats": options.repeats, "seconds": options.seconds, "work": str(options.work.resolve())}
    common["images"] = str((options.images or synthetic(options.work)).resolve())
    for threads in options.threads:
        both = {**common, "threads": threads}
        yield {"kind": "decode", **both}
        yield {"kind": "peak", **both}
        for batch in options.batches:
            for name, path in bundles.items():
                yield {
                    "kind": "bundle",
                    "name": name,
                    "network": str(path),
                    "engine": "lentigo",
                    "batch": batch,
                    **both,
                }
            for name in options.peers:
                peer = {"kind": "peer", "name": name, "network": PEERS[name], "size": models.entry(PEERS[name]).size}
                for engine in options.engines:
                    yield {**peer, "engine": engine, "batch": batch, **both}
        for name, path in bundles.items():
            for count in (n for n in COUNTS if n <= options.most_images):
                yield {"kind": "folder", "name": name, "network": str(path), "count": count, **both}
    for name, path in bundles.items():
        yield {"kind": "start", "name": name, "network": str(path), **common, "threads": max(options.threads)}


def synthetic(work: Path) -> Path:
    """Drawn lesions of HAM10000's size."""
    from lentigo.data.sources import synthetic as drawn

    folder = work / "synthetic"
    if not (folder / "HAM10000_metadata.csv").is_file():
        drawn.make(folder, lesions=40, width=600, height=450)
    return folder / "images"


def record(asked: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """What a cell measured, kept from before or measured now; 'error' where it can't be."""
    kept = options.work / "cells" / f"{key(asked)}.json"
    earlier = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() and not options.fresh else None
    if earlier and earlier["machine"] == machine("torch"):  # the page states one machine for all
        return earlier["measured"]
    if options.page_only:
        return {"error": "not measured on this machine yet"}
    note(f"{asked['kind']} {asked.get('name', '')} {asked.get('engine', '')} {label(asked)}")
    if asked["kind"] == "peer":
        prepared = process({**asked, "prepare": True})
        if "error" in prepared:
            return keep(kept, asked, prepared)
    return keep(kept, asked, process(asked))


def label(asked: dict[str, Any]) -> str:
    """What of a cell is not its network."""
    return ", ".join(f"{name} {asked[name]}" for name in ("batch", "count", "threads") if name in asked)


def key(asked: dict[str, Any]) -> str:
    """Name of a cell's file: what was asked of which bundle on which images; not where things lie."""
    path = Path(asked["network"]) if asked["kind"] in ("bundle", "folder", "start") else None
    content = hashlib.sha256(path.read_bytes()).hexdigest() if path else asked.get("network", "")
    images = [f"{p.name} {p.stat().st_size}" for p in sorted(Path(asked["images"]).iterdir())[:32]]
    same = {k: v for k, v in asked.items() if k not in ("work", "images", "network")}
    told = json.dumps([same, content, images], sort_keys=True)
    words = [
        asked["kind"],
        asked.get("name", ""),
        asked.get("engine", ""),
        hashlib.sha256(told.encode()).hexdigest()[:12],
    ]
    return "-".join("".join(c if c.isalnum() else "_" for c in word) for word in words if word)


def process(asked: dict[str, Any]) -> dict[str, Any]:
    """Run a cell in a process of its own."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    script = [sys.executable, str(Path(__file__).with_name("cell.py")), json.dumps(asked), str(time.time())]
    try:
        done = subprocess.run(script, capture_output=True, text=True, timeout=LIMIT, check=False)
    except subprocess.TimeoutExpired:
        return {"error": f"not measured: it took more than {LIMIT} s"}
    lines = [line for line in done.stdout.splitlines() if line.startswith("CELL ")]
    if done.returncode or not lines:
        said = (done.stderr.strip().splitlines() or ["no message"])[-1]
        reason = said.partition("NotMeasuredError: ")[2] or f"it failed: {said[:200]}"
        return {"error": f"not measured: {reason}"}
    return {**json.loads(lines[-1].removeprefix("CELL ")), "load": load}


def keep(path: Path, asked: dict[str, Any], measured: dict[str, Any]) -> dict[str, Any]:
    """Keep a record; a failure too, which --fresh tries again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps({"asked": asked, "machine": machine("torch"), "measured": measured}, indent=1) + "\n")
    return measured


if __name__ == "__main__":
    main()
