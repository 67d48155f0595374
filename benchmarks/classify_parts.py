"""Where the time of `lentigo classify FOLDER` goes: decoding, the network, everything together, in one run.

python benchmarks/classify_parts.py IMAGE_FOLDER [--images 500] [--model lentigo-s] [--repeats 5] [--out FILE]

One thread, rates by processor time, so that other programs on the machine disturb them less. Ratios are what to
compare; rates depend on the machine.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from common import machine, publish, spread
from lentigo import Classifier
from lentigo.runtime import decode, find_images


def rates(work: Callable[[], object], images: int, repeats: int) -> list[float]:
    """Images a second of processor time, after one run to warm up."""
    found = []
    for _ in range(repeats + 1):
        start = time.process_time()
        work()
        found.append(images / (time.process_time() - start))
    return found[1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--model", default="lentigo-s")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    files = find_images(options.folder)[: options.images]
    classifier = Classifier.load(options.model, threads=1)
    bundle = classifier.bundle
    pixels = [decode(file) for file in files]
    batches = [
        np.stack(pixels[i : i + 4])
        for i in range(0, len(pixels) - 3, 4)
        if len({image.shape for image in pixels[i : i + 4]}) == 1
    ]
    outputs = [bundle.predict(image[None]) for image in pixels]

    def verdicts() -> None:
        for file, image, found in zip(files, pixels, outputs, strict=True):
            classifier._verdict(str(file), file, image, found, 0, None)

    count = len(files)
    found = {
        "decode only": rates(lambda: [decode(file) for file in files], count, options.repeats),
        "network only, one at a time": rates(lambda: [bundle.predict(i[None]) for i in pixels], count, options.repeats),
        "network only, batches of four": rates(
            lambda: [bundle.predict(b) for b in batches], 4 * len(batches), options.repeats
        ),
        "verdicts only": rates(verdicts, count, options.repeats),
        "classify one at a time": rates(lambda: [classifier.classify(file) for file in files], count, options.repeats),
        "classify_many": rates(lambda: list(classifier.classify_many(files)), count, options.repeats),
    }
    whole = float(np.median(found["classify_many"]))
    lines = [f"{bundle.name}, {count} images, {pixels[0].shape[1]}x{pixels[0].shape[0]} pixels (the first):"]
    for name, values in found.items():
        share = whole / float(np.median(values))
        lines.append(f"{name}: {spread(values, 'images/s')}; {1 / share:.2f} of classify_many's rate")
    publish([*lines, machine()], options.out)


if __name__ == "__main__":
    main()
