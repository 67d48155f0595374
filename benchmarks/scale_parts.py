"""Where a worker's time goes, of `scale.py`: reading a shard, decoding, the network, and all the rest."""

import io
import shutil
import statistics
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lentigo import Classifier
from lentigo.bulk.listing import list_sources
from lentigo.bulk.plan import make_plan
from lentigo.bulk.reading import items
from lentigo.bulk.work import Job, Worker
from lentigo.runtime import decode

REPEATS = 5


def parts(source: Path, out: Path, shards: int) -> dict[str, Any]:
    """Milliseconds of processor time for an image, the median of some repeats, by step and in all.

    Processor time of one thread, so that other programs on the machine disturb it less.
    """
    inputs = list_sources([str(path) for path in sorted(source.iterdir())[:shards]]).inputs
    classifier = Classifier.load(threads=1)
    contents = [item.content or b"" for item in items(inputs, Counter())]
    pixels = [decode(io.BytesIO(content)) for content in contents]
    plan = make_plan(inputs, {}, 1)

    def whole() -> None:
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        worker = Worker(classifier, Job(str(out), plan.sha256, "run", None, False))
        for part in plan:
            worker.do(part)

    steps: dict[str, Callable[[], object]] = {
        "reading the shard": lambda: list(items(inputs, Counter())),
        "decoding": lambda: [decode(io.BytesIO(content)) for content in contents],
        "network": lambda: [classifier.bundle.predict(image[None]) for image in pixels],
        "all": whole,
    }
    ms = {name: statistics.median(_times(step)) * 1000 / len(contents) for name, step in steps.items()}
    return {"images": len(contents), "bytes": statistics.mean(map(len, contents)), "repeats": REPEATS, "ms": ms}


def _times(step: Callable[[], object]) -> list[float]:
    """Seconds of processor time, after one run to warm up."""
    found = []
    for _ in range(REPEATS + 1):
        start = time.process_time()
        step()
        found.append(time.process_time() - start)
    return found[1:]
