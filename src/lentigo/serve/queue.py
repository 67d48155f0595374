"""The bounded queue of images, from which workers take batches: micro-batching across requests."""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lentigo.serve.answers import Answer

__all__ = ["FullError", "Job", "JobQueue"]


@dataclass(eq=False)
class Job:
    """One image that waits for its result.

    Attributes:
        content: the bytes of the file.
        name: as the client gave it.
        model: position of a model in the settings.
        task: what else the worker must know; jobs of a batch have the same.
        abandoned: whether nobody waits for the answer any more.
        answer: set by the pool.
    """

    content: bytes
    name: str
    model: int
    task: Mapping[str, object]
    abandoned: Callable[[], bool]
    answer: asyncio.Future[Answer] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class FullError(Exception):
    """No room for further images."""


class JobQueue:
    """Images in the order of their arrival, with room for a limited number until they are answered.

    Args:
        room: most images that wait or are computed.
        batch: most images in a batch.
    """

    def __init__(self, room: int, batch: int) -> None:
        self.room = room
        self.held = 0
        self._batch = batch
        self._waiting: deque[Job] = deque()
        self._idle: deque[asyncio.Future[None]] = deque()
        self._coming: set[asyncio.Future[None]] = set()  # woken, but not yet running

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, jobs: list[Job]) -> None:
        """Add all images of a request, or none.

        Raises:
            FullError: they don't fit.
        """
        if self.held + len(jobs) > self.room:
            raise FullError
        self.held += len(jobs)
        for job in jobs:
            job.answer.add_done_callback(self._release)
            self._waiting.append(job)
        self._wake(len(jobs))

    def refuse(self, why: Callable[[], Exception]) -> None:
        """Answer all that waits with errors, one for each."""
        while self._waiting:
            job = self._waiting.popleft()
            if not job.answer.done():
                job.answer.set_exception(why())

    async def take(self, lost: asyncio.Future[None]) -> list[Job]:
        """The next batch, of one model and task; idle workers share what waits, so that none stays idle.

        Args:
            lost: done when the worker that waits can't compute any more; the batch is then empty.
        """
        while not lost.done():
            if not self._waiting and not await self._woken(lost):
                break
            share = math.ceil(len(self._waiting) / (1 + len(self._idle) + len(self._coming)))
            if batch := self._next(min(self._batch, share)):
                return batch
        return []

    async def _woken(self, lost: asyncio.Future[None]) -> bool:
        """Wait until there may be a batch; False where the worker was lost meanwhile."""
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def wake(_: asyncio.Future[None]) -> None:
            if not woken.done():
                woken.set_result(None)

        self._idle.append(woken)
        lost.add_done_callback(wake)
        gone = True
        try:
            await woken
            gone = lost.done()
        finally:
            lost.remove_done_callback(wake)
            self._leave(woken, pass_on=gone)
        return not gone

    def _next(self, most: int) -> list[Job]:
        batch: list[Job] = []
        while self._waiting and len(batch) < most:
            job = self._waiting[0]
            if job.answer.done() or job.abandoned():
                self._waiting.popleft()
                job.answer.cancel()
                continue
            if batch and (job.model, job.task) != (batch[0].model, batch[0].task):
                break
            batch.append(self._waiting.popleft())
        return batch

    def _wake(self, count: int) -> None:
        while self._idle and count > 0:
            woken = self._idle.popleft()
            if not woken.done():
                woken.set_result(None)
                self._coming.add(woken)
                count -= 1

    def _leave(self, woken: asyncio.Future[None], *, pass_on: bool) -> None:
        """A worker no longer waits; one that stops leaves what it was woken for to another."""
        if woken in self._idle:
            self._idle.remove(woken)
        if woken in self._coming:
            self._coming.remove(woken)
            if pass_on:
                self._wake(1)

    def _release(self, _: asyncio.Future[Answer]) -> None:
        self.held -= 1
