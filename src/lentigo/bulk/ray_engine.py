"""The engine on Ray: one actor a session, on this machine or on all of a cluster."""

import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lentigo.bulk.plan import Part
from lentigo.bulk.work import Job, Outcome, Worker
from lentigo.errors import DataError, LentigoError, MissingExtraError
from lentigo.runtime import Classifier

__all__ = ["connected", "run"]


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
    part was begun.

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
    with connected(address) as ray:
        processors = max(1, int(ray.cluster_resources().get("CPU", 1)))
        actors = min(workers or processors, len(texts))
        if actors > processors:  # Ray would wait for them for ever
            raise DataError(f"{actors} workers, but Ray has {processors} processors.", "Name fewer workers.")
        done = ray.data.from_items(texts, override_num_blocks=len(texts)).map_batches(
            _Actor,
            fn_constructor_args=(job, classifier.bundle.path.name, classifier.bundle.path.read_bytes()),
            batch_size=1,
            num_cpus=1,
            # No queue at an actor: a slow node holds up what it has in hand and nothing else.
            compute=ray.data.ActorPoolStrategy(size=actors, max_tasks_in_flight_per_actor=1),
        )
        try:
            for row in done.iter_rows():
                yield Outcome(**json.loads(row["outcome"]))
        except (ray.exceptions.RayError, ray.data.exceptions.SystemException) as error:
            raise LentigoError(f"Ray failed ({_first_line(error)}).", "Run the same again: it continues.") from error


class _Actor:
    """A session of its own, from the bytes of the bundle: its path may mean nothing on another machine."""

    def __init__(self, job: Job, name: str, content: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / name
            file.write_bytes(content)
            self._worker = Worker(Classifier.load(file, threads=1), job)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        pairs = zip(batch["part"], batch["again"], strict=True)
        done = [self._worker.do(Part.from_json(str(text)), again=bool(again)) for text, again in pairs]
        return {"outcome": [json.dumps(asdict(one)) for one in done]}


@contextmanager
def connected(address: str | None) -> Iterator[Any]:
    """Ray, connected: to the cluster at an address, to the one that is connected already, or to a new one here.

    Raises:
        MissingExtraError: Ray is not installed.
        DataError: no cluster at that address.
        LentigoError: Ray does not start here.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # before it is imported: nothing reports to anyone
    try:
        import ray
        import ray.data
        import ray.data.exceptions
    except ImportError as error:
        raise MissingExtraError("The engine Ray", "cluster") from error
    ours = not ray.is_initialized()
    if ours:
        _connect(ray, address)
    ray.data.DataContext.get_current().enable_progress_bars = False
    try:
        yield ray
    finally:
        if ours:
            ray.shutdown()


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _connect(ray: Any, address: str | None) -> None:
    quiet = {"log_to_driver": False, "logging_level": "ERROR", "configure_logging": True}
    if address is None:
        # Ray Data waits for ever on a node of one processor.
        try:
            ray.init(address="local", num_cpus=max(2, os.cpu_count() or 1), include_dashboard=False, **quiet)
        except Exception as error:  # Ray has no class for it
            what = f"Ray does not start on this machine ({_first_line(error)})."
            raise LentigoError(what, "Try again when it is less busy, or use --engine local.") from error
        return
    try:
        ray.init(address=address, **quiet)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise DataError(f"{address}: no Ray cluster answers ({error}).", "Start one: `ray start --head`.") from None
