"""How well perceptual hashes find copies of the images of a data set, and how often they take other lesions for copies.

python benchmarks/perceptual.py ROOT [--queries 3000] [--seed 0]
"""

import argparse
import io
from pathlib import Path

import numpy as np
from PIL import Image

from common import machine
from lentigo import data
from lentigo.progress import track
from lentigo.runtime.perceptual import BITS_APART, near_duplicates, perceptual_hash, perceptual_hashes

COPIES = {
    "half the size, JPEG quality 60": lambda im: compress(im.resize((im.width // 2, im.height // 2)), 60),
    "28 px, stretched to a square": lambda im: im.resize((28, 28), Image.Resampling.BICUBIC),
    "central square at 224 px": lambda im: crop(im).resize((224, 224)),
    "15 % brighter": lambda im: im.point(lambda v: min(255, round(v * 1.15))),
    "6 % closer": lambda im: im.crop((im.width * 0.03, im.height * 0.03, im.width * 0.97, im.height * 0.97)),
    "mirrored": lambda im: im.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
}


def compress(image, quality):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def crop(image):
    side = min(image.size)
    left, top = ((n - side) // 2 for n in image.size)
    return image.crop((left, top, left + side, top + side))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("--queries", type=int, default=3000, help="images to ask for, drawn at random")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    records = data.read(options.root)
    groups = data.find_groups(records)
    asked = np.random.default_rng(options.seed).permutation(len(records))[: options.queries]
    wanted = set(asked.tolist())
    hashes = np.zeros(len(records), np.uint64)
    found: dict[str, list[bool]] = {name: [] for name in COPIES}
    for i, path in enumerate(track(records.table["path"], "Hashing", len(records))):
        rgb = records.decode(path)
        hashes[i] = perceptual_hash(rgb)
        if i in wanted:
            for name, change in COPIES.items():
                copy = np.asarray(change(Image.fromarray(rgb)))
                found[name].append(bool(near_duplicates(perceptual_hashes(copy), hashes[i : i + 1]).any()))
    false = [near_duplicates(hashes[i : i + 1], hashes[groups != groups[i]])[0] for i in asked]
    print(f"{len(records)} images of {records.name}, {len(asked)} asked for (seed {options.seed}), {BITS_APART} bits")
    for name, hits in found.items():
        print(f"found, {name}: {np.mean(hits):.1%}")
    print(f"another lesion taken for a copy: {np.mean(false):.2%} of the images asked for")
    print(machine("pillow", "numpy"))


if __name__ == "__main__":
    main()
