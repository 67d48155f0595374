"""The service without HTTP: queue, workers, limits, log and metrics; models that change while requests are served."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from lentigo.errors import LentigoError, did_you_mean
from lentigo.serve.answers import Answer
from lentigo.serve.body import Buffered, Upload
from lentigo.serve.logs import Log
from lentigo.serve.metrics import Metrics
from lentigo.serve.pool import Pool, no_worker
from lentigo.serve.problems import ProblemError
from lentigo.serve.queue import FullError, Job, JobQueue
from lentigo.serve.settings import Settings

__all__ = ["Service"]

_LONGEST_RETRY = 60


class Service:
    """Answers to images.

    Args:
        settings: the configuration.
        log: where to write what happens; None is standard error.
    """

    def __init__(self, settings: Settings, log: Log | None = None) -> None:
        self.settings = settings
        self.log = log or Log(settings.log_level)
        self.metrics = Metrics()
        self.buffered = Buffered(settings.max_buffered)
        self.queue = JobQueue(settings.queue, settings.batch)
        self.pool = Pool(settings, self.queue, self.log)
        self.started = False
        self._changing = asyncio.Lock()
        self._lost_before = 0
        watch = self.metrics.watch
        watch("lentigo_images_held", "Images that wait or are computed.", lambda: self.queue.held)
        watch("lentigo_buffered_bytes", "Bytes of request bodies in memory.", lambda: self.buffered.held)
        watch("lentigo_workers", "Worker processes that run.", lambda: self.pool.alive)
        watch("lentigo_workers_lost", "Worker processes that died.", lambda: self._lost_before + self.pool.lost)

    async def start(self) -> None:
        """Start the workers.

        Raises:
            BundleError: a model can't be opened.
        """
        await self.pool.start()
        self.started = True

    async def stop(self) -> None:
        """Finish what is being computed, and end the workers."""
        self.started = False
        await self.pool.stop()

    def find_model(self, name: str | None) -> int:
        """The position of a model; of the first where none is named.

        Raises:
            ProblemError: there is no such model.
        """
        names = [model["name"] for model in self.pool.models]
        if not names:
            raise ProblemError(503, "No worker process is ready.", "Try again.", headers={"Retry-After": "1"})
        if name is None:
            return 0
        if name not in names:
            raise ProblemError(404, f"There is no model {name[:50]!r}.", did_you_mean(name[:50], names))
        return names.index(name)

    async def compute(
        self,
        uploads: Sequence[Upload],
        model: str | None,
        task: dict[str, Any],
        abandoned: Callable[[], bool] = lambda: False,
    ) -> list[Answer]:
        """An answer for each image, in order.

        Raises:
            ProblemError: no room (429), a model that doesn't exist (404), or a worker that was lost (503).
        """
        place = self.find_model(model)
        if self.pool.down:
            raise no_worker()
        jobs = [Job(upload.content, upload.name, place, task, abandoned) for upload in uploads]
        try:
            self.queue.put(jobs)
        except FullError:
            raise self._full(len(jobs)) from None
        try:
            answers = await asyncio.gather(*(job.answer for job in jobs))
        finally:
            for job in jobs:
                job.answer.cancel()
        for answer in answers:
            self.metrics.images.labels(answer.decision or f"refused ({answer.status})").inc()
        return answers

    async def reload(self) -> tuple[dict[str, str], dict[str, str]]:
        """Open the models again in new workers, which take over when all of them are ready; the old ones finish.

        Returns:
            Hash by name of the models before and after.

        Raises:
            ProblemError: another reload isn't finished.
            LentigoError: a model can't be opened; the old ones go on.
        """
        if self._changing.locked():
            raise ProblemError(409, "The models are being reloaded already.", "Wait until that is done.")
        async with self._changing:
            new = Pool(self.settings, self.queue, self.log)
            try:
                await new.start()
            except LentigoError as error:
                self.metrics.reloads.labels("failed").inc()
                self.log.write("error", "reload failed; the models stay", reason=error.message)
                raise
            old, self.pool = self.pool, new
            self._lost_before += old.lost
            await old.stop()
        before, after = _hashes(old), _hashes(new)
        self.metrics.reloads.labels("done").inc()
        self.log.write("info", "models reloaded", before=before, after=after)
        return before, after

    def _full(self, images: int) -> ProblemError:
        seconds = min(_LONGEST_RETRY, max(1, round(self.pool.expected_seconds())))
        return ProblemError(
            429,
            f"The queue has no room for {images} more {'image' if images == 1 else 'images'}.",
            f"Try again in {seconds} s.",
            headers={"Retry-After": str(seconds)},
        )


def _hashes(pool: Pool) -> dict[str, str]:
    return {model["name"]: model["sha256"] for model in pool.models}
