"""Worker processes: started, given batches, ended when they hang, and replaced when they die or the models change."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from lentigo.errors import BundleError, next_step, reason
from lentigo.serve.answers import Answer
from lentigo.serve.frames import read_frame, write_frame
from lentigo.serve.logs import Log
from lentigo.serve.problems import ProblemError
from lentigo.serve.queue import Job, JobQueue
from lentigo.serve.settings import Settings

__all__ = ["Pool", "Worker", "no_worker"]

_BUFFER = 1 << 20
_START_SECONDS = 60
_SLOWEST_RESTART = 30.0
_ENDED = "ended unexpectedly"
_LOST = "The worker process that held this image {}."


class _Link(asyncio.StreamReaderProtocol):
    """The service's end of a worker's socket; it knows when the other end is gone."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        super().__init__(reader)
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def eof_received(self) -> bool | None:
        self._lose()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose()
        super().connection_lost(exc)

    def _lose(self) -> None:
        if not self.lost.done():
            self.lost.set_result(None)


class Worker:
    """A process with the models open. Make one with `Worker.start`.

    Attributes:
        process: the process.
        models: what it says of its models.
        lost: done when the process has ended.
    """

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        lost: asyncio.Future[None],
    ) -> None:
        self.process = process
        self.models: Sequence[dict[str, Any]] = ()
        self.lost = lost
        self._reader = reader
        self._writer = writer

    @classmethod
    async def start(cls, settings: Settings) -> "Worker":
        """Start a process and wait until its models are open.

        Raises:
            BundleError: a model can't be opened, or the process doesn't start.
        """
        try:
            process, ours = _spawned()
        except OSError as error:
            raise BundleError(f"A worker process can't be started: {reason(error)}.", next_step(error)) from None
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_BUFFER)
        transport, link = await loop.create_connection(lambda: _Link(reader), sock=ours)
        worker = cls(process, reader, asyncio.StreamWriter(transport, link, reader, loop), link.lost)
        try:
            write_frame(worker._writer, _told(settings))
            async with asyncio.timeout(_START_SECONDS):
                said, _ = await read_frame(reader)
        except asyncio.CancelledError:
            worker.kill()
            raise
        except (OSError, EOFError, TimeoutError):
            await worker.end()
            raise BundleError(
                "A worker process did not start.", "Its own message is above, on standard error."
            ) from None
        if "error" in said:
            await worker.end()
            raise BundleError(*said["error"])
        worker.models = said["models"]
        return worker

    async def compute(self, batch: Sequence[Job], seconds: float) -> list[Answer]:
        """Answers to a batch, in order.

        Raises:
            OSError, EOFError: the process died, or answered too little.
            ValueError, KeyError, TypeError: its answer can't be understood.
            TimeoutError: it took too long.
        """
        asked = {
            **batch[0].task,
            "model": batch[0].model,
            "names": [job.name for job in batch],
            "sizes": [len(job.content) for job in batch],
        }
        write_frame(self._writer, asked, [job.content for job in batch])
        async with asyncio.timeout(seconds):
            heads, content = await read_frame(self._reader)
        answers, place = [], 0
        for head in heads:
            body = content[place : place + head["size"]]
            place += head["size"]
            answers.append(Answer(head["status"], head["decision"], head["fault"], body))
        if len(answers) != len(batch):
            raise EOFError
        return answers

    async def end(self) -> None:
        """End the process, at once if it doesn't by itself."""
        self._writer.close()
        for _ in range(50):
            if self.process.poll() is not None:
                return
            await asyncio.sleep(0.02)
        self.kill()
        await asyncio.to_thread(self.process.wait)

    def kill(self) -> None:
        """End the process at once."""
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)


def _spawned() -> tuple[subprocess.Popen[bytes], socket.socket]:
    """A worker process, and this end of the socket to it."""
    ours, theirs = socket.socketpair()
    try:
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        process = subprocess.Popen(
            [sys.executable, "-m", "lentigo.serve.worker", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
    except OSError:
        ours.close()
        raise
    finally:
        theirs.close()
    ours.setblocking(False)
    return process, ours


def _told(settings: Settings) -> dict[str, Any]:
    """What a worker must know."""
    log = settings.audit_log
    return {
        "models": settings.models,
        "batch": settings.batch,
        "max_pixels": settings.max_pixels,
        "audit_log": None if log is None else str(log.absolute()),
    }


def no_worker() -> ProblemError:
    """What is answered while no worker runs and none can be started."""
    return ProblemError(
        503,
        "No worker process runs, and none can be started.",
        "Try again later, or tell whoever runs the service.",
        headers={"Retry-After": str(round(_SLOWEST_RESTART))},
    )


class Pool:
    """As many workers as the settings say, that take from one queue.

    Attributes:
        settings: the configuration.
        workers: the processes.
        lost: number of processes that died.
        down: whether none runs and the last try to start one failed.
        seconds_per_image: what the last batches took.
    """

    def __init__(self, settings: Settings, queue: JobQueue, log: Log) -> None:
        self.settings = settings
        self.workers: list[Worker] = []
        self.lost = 0
        self.down = False
        self.seconds_per_image: deque[float] = deque(maxlen=64)
        self._queue = queue
        self._log = log
        self._tasks: list[asyncio.Task[None]] = []
        self._busy: set[Worker] = set()
        self._stopping = False

    async def start(self) -> None:
        """Start all workers.

        Raises:
            BundleError: a model can't be opened.
        """
        first = await Worker.start(self.settings)  # alone: if it fails, the others would say the same
        rest = await asyncio.gather(
            *(Worker.start(self.settings) for _ in range(self.settings.processes - 1)), return_exceptions=True
        )
        workers = [first, *(one for one in rest if isinstance(one, Worker))]
        if failed := next((one for one in rest if isinstance(one, BaseException)), None):
            await asyncio.gather(*(worker.end() for worker in workers))
            raise failed
        self.workers = workers
        self._tasks = [asyncio.create_task(self._serve(worker)) for worker in self.workers]

    @property
    def models(self) -> Sequence[dict[str, Any]]:
        """What the workers say of their models, the default one first."""
        return self.workers[0].models if self.workers else ()

    @property
    def alive(self) -> int:
        """Number of workers that run."""
        return sum(worker.process.poll() is None for worker in self.workers)

    def expected_seconds(self) -> float:
        """How long what waits will take, from what the last images took."""
        known = self.seconds_per_image
        mean = sum(known) / len(known) if known else 0.01
        return self._queue.held * mean / max(1, self.alive)

    async def stop(self) -> None:
        """Finish the batches that are being computed, then end all workers."""
        self._stopping = True
        for task, worker in zip(self._tasks, self.workers, strict=True):
            if worker not in self._busy:
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(worker.end() for worker in self.workers))

    async def _serve(self, worker: Worker) -> None:
        """Give one worker batches until the pool stops; replace it when it dies."""
        place = self.workers.index(worker)
        while not self._stopping:
            batch = await self._queue.take(worker.lost)
            self._busy.add(worker)
            lost = await self._compute(worker, batch) if batch else _ENDED
            self._busy.discard(worker)
            if lost and not self._stopping:
                worker = await self._replace(worker, lost)
                self.workers[place] = worker

    async def _compute(self, worker: Worker, batch: list[Job]) -> str:
        """Answer a batch; how the worker was lost, or nothing."""
        started = asyncio.get_running_loop().time()
        try:
            answers = await worker.compute(batch, self.settings.timeout)
        except (OSError, EOFError, TimeoutError, ValueError, KeyError, TypeError) as error:
            slow = isinstance(error, TimeoutError)
            how = f"took longer than {self.settings.timeout:g} seconds" if slow else _ENDED
            step = "Downscale the image, or try again later." if slow else "Try again."
            for job in batch:
                if not job.answer.done():
                    job.answer.set_exception(ProblemError(503, _LOST.format(how), step, headers={"Retry-After": "1"}))
            return how
        self.seconds_per_image.append((asyncio.get_running_loop().time() - started) / len(batch))
        for job, answer in zip(batch, answers, strict=True):
            if not job.answer.done():
                job.answer.set_result(answer)
        return ""

    async def _replace(self, worker: Worker, how: str) -> Worker:
        """A new worker; tried again and again, ever more slowly, because the service can't do without."""
        worker.kill()
        await worker.end()
        self.lost += 1
        self._log.write("error", "a worker process was lost", reason=how, status=worker.process.returncode)
        pause = 0.1
        while True:
            try:
                new = await Worker.start(self.settings)
            except BundleError as error:
                self._log.write("error", "a worker process could not be started", reason=error.message)
            else:
                if [model["sha256"] for model in new.models] == [model["sha256"] for model in worker.models]:
                    self.down = False
                    return new
                await new.end()  # no model takes over without having been asked for
                self._log.write("error", "a model's file has changed; reload the models, or restore it")
            if not self.alive:  # nobody is there to answer what waits, perhaps for hours
                self.down = True
                self._queue.refuse(no_worker)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _SLOWEST_RESTART)
