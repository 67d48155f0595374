"""The audit's search for duplicates at scale: recall of known copies, pairs that are none, time and memory.

python benchmarks/audit_scale.py ROOT WORK [--images 100000] [--exact 10000] [--out results/audit_scale.md]

Makes as many images as asked for from the real ones at ROOT: the originals; of a part of them known copies (resized,
recompressed, mirrored, cropped); and for the rest other framings that the audit doesn't count as duplicates: mirrored,
turned by any angle, and cut to half of the width at a random place. Nothing but their fingerprints is kept, in WORK, a
block at a time: an interrupted command goes on with the next block. Then both searches run, the exact one on the first
images up to its limit, each in a process of its own, whose peak of memory is measured.
"""

import argparse
import json
import multiprocessing
import os
import pickle
import resource
import time
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from common import machine
from lentigo import data
from lentigo.atomic import replacing, write_text
from lentigo.audit import Fingerprints, find_duplicates
from lentigo.audit.duplicates.fingerprints import take_fingerprint
from lentigo.audit.duplicates.recall import COPIES
from lentigo.errors import ImageError
from lentigo.progress import track


def framing(rgb: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """A mirrored, turned window of half the width: of the same skin, and no duplicate by the audit's definition."""
    height, width = rgb.shape[:2]
    shown = (height // 2, width // 2)
    centre = generator.uniform(0.3, 0.7, 2) * (width, height)
    turn = cv2.getRotationMatrix2D(tuple(map(float, centre)), float(generator.uniform(0, 360)), 1.0)
    turn[:, 2] += np.array([shown[1] / 2, shown[0] / 2]) - centre
    mirrored = np.ascontiguousarray(rgb[:, ::-1])
    return cv2.warpAffine(mirrored, turn, (shown[1], shown[0]), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT)


def make_block(records: data.Records, rows: range, framings: int, copied: int) -> list[tuple[str, object]]:
    """Id and fingerprint of some originals, of the copies of every `copied`th, and of their framings."""
    made = []
    for row in rows:
        name = str(records.ids[row])
        try:
            rgb = records.decode(records.table["path"].iloc[row])
        except ImageError:
            continue
        made.append((f"{name} original", take_fingerprint(rgb, name)))
        if row % copied == 0:
            image = Image.fromarray(rgb)
            for kind, copy in COPIES.items():
                made.append((f"{name} {kind}", take_fingerprint(np.asarray(copy(image)), f"{name} {kind}")))
        generator = np.random.default_rng([0, row])
        for number in range(framings):
            label = f"{name} framing{number}"
            made.append((label, take_fingerprint(framing(rgb, generator), label)))
    return made


def take_all(records: data.Records, work: Path, images: int, block: int) -> list[Path]:
    """Fingerprints of all images, a file a block; what is there is not made again."""
    copied = 10
    originals = min(len(records), images)
    plan = {"images": images, "originals": originals, "copied": copied, "block": block, "source": records.name}
    note = work / "plan.json"
    if note.exists() and json.loads(note.read_text(encoding="utf-8")) != plan:
        raise SystemExit(f"{work}: this folder holds another set of images ({note.read_text()}). Name another.")
    write_text(note, json.dumps(plan))
    left = max(0, images - originals - (originals // copied + 1) * len(COPIES))
    each, more = divmod(left, originals)
    files = []
    starts = range(0, originals, block)
    for start in track(starts, "Making images", len(starts)):
        file = work / f"block-{start:06d}.pickle"  # our own, read again by nobody else
        files.append(file)
        if not file.exists():
            rows = range(start, min(start + block, originals))
            framings = each + (start < more)
            made = make_block(records, rows, framings, copied)
            with replacing(file) as partial:
                partial.write_bytes(pickle.dumps(made))
    return files


def load(files: list[Path], most: int) -> Fingerprints:
    """The first fingerprints of the blocks."""
    taken = []
    for file in files:
        taken += pickle.loads(file.read_bytes())
        if len(taken) >= most:
            break
    taken = taken[:most]
    return Fingerprints(
        np.array([name for name, _ in taken], dtype=object),
        np.array([t.checksum for _, t in taken], dtype=object),
        np.stack([t.thumbnail for _, t in taken]),
        tuple(t.features for _, t in taken),
    )


def measure(files: list[Path], most: int, search: str, lesions: dict[str, str]) -> dict[str, object]:
    """Search, and count what was found of what is known."""
    prints = load(files, most)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall, processor = time.perf_counter(), time.process_time()
    pairs = {(d.first, d.second) for d in find_duplicates(prints, search=search)}
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    here = set(prints.ids)
    recall = {}
    for kind in COPIES:
        known = [(n, n.replace(f" {kind}", " original")) for n in here if n.endswith(f" {kind}")]
        known = [tuple(sorted(pair)) for pair in known if pair[1] in here]
        recall[kind] = [sum(pair in pairs for pair in known), len(known)]
    names = [(a.split()[0], b.split()[0]) for a, b in pairs]
    foreign = sum(lesions.get(a, a) != lesions.get(b, b) for a, b in names)
    return {
        "search": search, "images": len(prints), "seconds": wall, "processor_seconds": processor, "recall": recall,
        "pairs": len(pairs), "pairs_of_different_lesions": foreign, "megabytes_before": before / 1e3,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
    }  # fmt: skip


def in_own_process(*given: object) -> dict[str, object]:
    """As `measure`, where memory begins anew."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measure, given)


def page(results: list[dict], plan: dict, command: str) -> str:
    """results/audit_scale.md."""
    head = ["search", "images", *(f"{kind} found" for kind in COPIES), "pairs", "of different lesions", "minutes",
            "processor minutes", "MB before", "MB at most"]  # fmt: skip
    rows = []
    for r in results:
        counts = [f"{found:,} of {made:,}" for found, made in r["recall"].values()]
        rows.append([
            r["search"], f"{r['images']:,}", *counts, f"{r['pairs']:,}", f"{r['pairs_of_different_lesions']:,}",
            f"{r['seconds'] / 60:.1f}", f"{r['processor_seconds'] / 60:.1f}", f"{r['megabytes_before']:,.0f}",
            f"{r['megabytes']:,.0f}",
        ])  # fmt: skip
    lines = [
        "# The search for duplicates at scale", "",
        f"```\n{command}\n```", "",
        f"{plan['images']:,} images made from {plan['originals']:,} of {plan['source']}: the originals; of every "
        f"{plan['copied']}th of them a copy of each kind; and for the rest other framings (mirrored, turned, half of "
        "the width), which share skin with an original and with one another, and which the audit does not count as "
        "duplicates of it. The exact search is run on the first of the images alone: its memory and time grow with the "
        "square of their number.", "",
        "Recall is of copies in pairs with their original. A pair of different lesions is one whose images come from "
        "originals with different lesion ids; some are duplicates that the data set does not know of.", "",
        f"| {' | '.join(head)} |", f"|:--|{'--:|' * (len(head) - 1)}",
        *(f"| {' | '.join(row)} |" for row in rows), "",
        "Memory is of the whole process: before the search, with all fingerprints loaded, and at its highest.", "",
        "Resized: 60 % of the sides. Recompressed: JPEG of quality 50. Mirrored: left and right exchanged. Cropped: "
        "without a tenth at each side.", "",
        machine("opencv-python-headless", "scipy", "faiss-cpu"),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("work", type=Path, help="folder for fingerprints, about 20 kB an image")
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--exact", type=int, default=10_000, help="images that the exact search is run on; 0 for none")
    parser.add_argument("--block", type=int, default=200, help="originals a file")
    parser.add_argument("--out", type=Path, help="page to write, with the figures beside it as JSON")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    records = data.read(options.root)
    lesions = dict(zip(map(str, records.ids), map(str, records.table["lesion_id"]), strict=True))
    files = take_all(records, options.work, options.images, options.block)
    exact = min(options.exact, options.images)
    wanted = [("exact", exact), ("approximate", exact), ("approximate", options.images)]
    results = []
    for search, count in dict.fromkeys(pair for pair in wanted if pair[1]):
        done = options.work / f"{search}-{count}.json"
        if not done.exists():
            write_text(done, json.dumps(in_own_process(files, count, search, lesions)))
        results.append(json.loads(done.read_text(encoding="utf-8")))
        print(results[-1], flush=True)
    plan = json.loads((options.work / "plan.json").read_text(encoding="utf-8"))
    command = f"python benchmarks/audit_scale.py ROOT WORK --images {options.images} --exact {options.exact}"
    text = page(results, plan, command)
    print(text)
    if options.out:
        write_text(options.out, text)
        write_text(
            options.out.with_suffix(".json"), json.dumps({"results": results, "cores": os.cpu_count()}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
