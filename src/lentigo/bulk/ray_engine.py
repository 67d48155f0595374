"""The engine on Ray: one actor a session, on this machine or on all of a cluster."""

import json
import logging
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lentigo import __version__
from lentigo.bulk import watchdog
from lentigo.bulk.cluster import check_version, connected, explained
from lentigo.bulk.plan import Part
from lentigo.bulk.work import Job, Outcome, Worker
from lentigo.errors import DataError, LentigoError, needs_extra
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
    """Do parts by Ray Data's pool of actors, and give their outcomes as they come.

    Ray starts lost actors again and repeats what they had in hand; what a part's file says counts, however often the
    part was begun. An actor that gives no sign of life for `watchdog.PATIENCE` seconds is killed, and is lost like any.

    Args:
        parts: with whether each is to be tried again.
        job: what they have in common.
        classifier: the model; the bytes of its file are sent to the actors.
        workers: number of actors; None is one for each processor of the cluster.
        address: of a running cluster; None starts one on this machine.

    Raises:
        MissingExtraError: Ray is not installed.
        DataError: no cluster at that address, or one with fewer processors than workers.
        LentigoError: Ray does not start, or fails as a whole.
    """
    texts = [{"part": part.to_json(), "again": again} for part, again in parts]
    if not texts:
        return
    with connected(address, processors=2) as ray, _quiet(ray):
        processors = int(ray.cluster_resources()["CPU"])
        actors = min(workers or processors, len(texts))
        if actors > processors:  # Ray would wait for them for ever
            raise DataError(f"{actors} workers, but Ray has {processors} processors.", "Name fewer workers.")
        if ray.available_resources().get("CPU", 0) < 1:
            print("All processors of the Ray cluster are in use; waiting for one.", file=sys.stderr)
        bundle = classifier.bundle.path
        # Kept here: what is too large to travel with an actor's own description is gone when one is started again.
        content = ray.put(bundle.read_bytes())
        done = ray.data.from_items(texts, override_num_blocks=len(texts)).map_batches(
            _Actor,
            fn_constructor_args=(job, bundle.name, content, watchdog.PATIENCE, __version__),
            batch_size=1,
            num_cpus=1,
            # No queue at an actor: a slow node holds up what it has in hand and nothing else.
            compute=ray.data.ActorPoolStrategy(size=actors, max_tasks_in_flight_per_actor=1),
        )
        try:
            for row in done.iter_rows():
                yield Outcome(**json.loads(row["outcome"]))
        except Exception as error:  # Ray Data raises its own, Ray's, and what an actor raised
            what, hint = explained(error)
            again = "Then run the same again: it continues." if hint else "Run the same again: it continues."
            raise LentigoError(f"Ray failed ({what}).", f"{hint} {again}".strip()) from error


@contextmanager
def _quiet(ray: Any) -> Iterator[None]:
    """Without Ray Data's own progress bars and tracebacks; other work in this process may want them, and its log files
    keep them.
    """
    context = ray.data.DataContext.get_current()
    before, context.enable_progress_bars = context.enable_progress_bars, False
    handlers = logging.getLogger("ray.data").handlers
    screens = [(one, one.level) for one in handlers if isinstance(one, logging.StreamHandler)]
    for handler, _ in screens:
        handler.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        context.enable_progress_bars = before
        for handler, level in screens:
            handler.setLevel(level)


class _Actor:
    """A session of its own, from the bytes of the bundle: its path may mean nothing on another machine."""

    def __init__(self, job: Job, name: str, content: Any, patience: float, version: str) -> None:
        check_version(version)
        with needs_extra("The engine Ray", "cluster"):
            import ray
        self._watchdog = watchdog.Watchdog(patience)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / name
            file.write_bytes(ray.get(content))
            self._worker = Worker(Classifier.load(file, threads=1), job, self._watchdog.alive)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        pairs = zip(batch["part"], batch["again"], strict=True)
        with self._watchdog.busy():
            done = [self._worker.do(Part.from_json(str(text)), again=bool(again)) for text, again in pairs]
        return {"outcome": [json.dumps(asdict(one)) for one in done]}
