"""Starting workers when the operating system won't."""

import asyncio
import errno

import pytest

from lentigo.errors import BundleError
from lentigo.serve import load_settings, pool
from lentigo.serve.logs import Log
from lentigo.serve.queue import JobQueue


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
