"""Starting workers when the operating system won't."""

import asyncio
import errno
import io

import pytest

from lentigo.errors import BundleError
from lentigo.serve import load_settings, pool
from lentigo.serve.logs import Log
from lentigo.serve.queue import Job, JobQueue


def test_no_more_processes_is_an_error_of_the_start(bundle_path, monkeypatch):
    def refused(*_, **__):
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(pool.subprocess, "Popen", refused)
    with pytest.raises(BundleError, match="can't be started: resource temporarily unavailable"):
        asyncio.run(pool.Worker.start(load_settings(models=[str(bundle_path)])))


def test_when_one_worker_can_not_start_the_others_are_ended(bundle_path, monkeypatch):
    settings = load_settings(models=[str(bundle_path)], workers=3)
    start, started = pool.Worker.start, []

    async def third_fails(given):
        if len(started) == 2:
            raise BundleError("no more", "Stop something.")
        started.append(None)
        started[-1] = await start(given)
        return started[-1]

    monkeypatch.setattr(pool.Worker, "start", third_fails)
    with pytest.raises(BundleError, match="no more"):
        asyncio.run(pool.Pool(settings, JobQueue(8, 4), Log()).start())
    assert [worker.process.poll() is not None for worker in started] == [True, True]


def test_what_waits_is_answered_when_no_worker_can_be_started(bundle_path, monkeypatch):
    """A model's file that was removed, and the only worker lost: requests waited without end, and so did SIGTERM."""
    settings = load_settings(models=[str(bundle_path)], workers=1)
    start = pool.Worker.start

    async def refused(_):
        raise BundleError("model.onnx: there is no such file.", "Restore it.")

    async def lose_the_only_one():
        queue = JobQueue(8, 4)
        found = pool.Pool(settings, queue, Log(stream=io.StringIO()))
        await found.start()
        monkeypatch.setattr(pool.Worker, "start", refused)
        found.workers[0].kill()
        await found.workers[0].lost
        jobs = [Job(b"", name, 0, {}, lambda: False) for name in "ab"]
        queue.put(jobs)
        answers = await asyncio.wait_for(asyncio.gather(*(j.answer for j in jobs), return_exceptions=True), 20)
        assert [answer.status for answer in answers] == [503, 503]
        assert found.down and queue.held == 0
        monkeypatch.setattr(pool.Worker, "start", start)
        async with asyncio.timeout(60):
            while found.down:
                await asyncio.sleep(0.05)
        assert found.alive == 1
        await found.stop()

    asyncio.run(lose_the_only_one())
