"""The engine without Ray: threads of this process, which share one session."""

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed

from lentigo.bulk.plan import Part
from lentigo.bulk.work import Job, Outcome, Worker
from lentigo.runtime import Classifier

__all__ = ["run"]


def run(
    parts: Iterable[tuple[Part, bool]],
    job: Job,
    classifier: Classifier,
    *,
    workers: int | None = None,
    address: str | None = None,
) -> Iterator[Outcome]:
    """Do parts, and give their outcomes as they come; a part in hand is finished even when the caller stops.

    Args:
        parts: with whether each is to be tried again.
        job: what they have in common.
        classifier: the model, with a session of one thread.
        workers: number of threads; None is one for each processor.
        address: none; other engines have one.
    """
    worker = Worker(classifier, job)
    pool = ThreadPoolExecutor(workers or os.cpu_count() or 1)
    try:
        waiting = [pool.submit(worker.do, part, again=again) for part, again in parts]
        for done in as_completed(waiting):
            yield done.result()
    finally:
        pool.shutdown(cancel_futures=True)
