"""The queue: bounded, fair between workers, and batches of one model and task."""

import asyncio

import pytest

from lentigo.serve.answers import Answer
from lentigo.serve.queue import FullError, Job, JobQueue

DONE = Answer(200, "", False, b"")


def job(model=0, task=None, gone=False):
    return Job(b"", "", model, task or {}, lambda: gone)


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine(), 10))


def test_all_images_of_a_request_fit_or_none():
    async def check():
        queue = JobQueue(room=3, batch=4)
        queue.put([job(), job()])
        with pytest.raises(FullError):
            queue.put([job(), job()])
        assert queue.held == 2
        queue.put([job()])

    run(check)


def test_room_is_free_again_when_an_image_is_answered_or_abandoned():
    async def check():
        queue = JobQueue(room=2, batch=4)
        jobs = [job(), job()]
        queue.put(jobs)
        jobs[0].answer.set_result(DONE)
        jobs[1].answer.cancel()
        await asyncio.sleep(0)
        assert queue.held == 0

    run(check)


def test_a_batch_has_one_model_and_one_task():
    async def check():
        queue, lost = JobQueue(room=9, batch=4), asyncio.get_running_loop().create_future()
        queue.put([job(), job(), job(1), job(1, {"a": 1}), job(1, {"a": 1})])
        sizes = [len(await queue.take(lost)) for _ in range(3)]
        assert sizes == [2, 1, 2]

    run(check)


def test_idle_workers_share_what_arrives_together():
    async def check():
        queue, lost = JobQueue(room=9, batch=4), asyncio.get_running_loop().create_future()
        takers = [asyncio.create_task(queue.take(lost)) for _ in range(2)]
        await asyncio.sleep(0)
        queue.put([job() for _ in range(4)])
        assert [len(batch) for batch in await asyncio.gather(*takers)] == [2, 2]

    run(check)


def test_no_batch_is_larger_than_allowed():
    async def check():
        queue, lost = JobQueue(room=9, batch=4), asyncio.get_running_loop().create_future()
        queue.put([job() for _ in range(9)])
        assert [len(await queue.take(lost)) for _ in range(3)] == [4, 4, 1]

    run(check)


def test_what_nobody_waits_for_is_left_out():
    async def check():
        queue, lost = JobQueue(room=9, batch=4), asyncio.get_running_loop().create_future()
        abandoned, cancelled, wanted = job(gone=True), job(), job()
        queue.put([abandoned, cancelled, wanted])
        cancelled.answer.cancel()
        assert await queue.take(lost) == [wanted]
        assert abandoned.answer.cancelled()

    run(check)


@pytest.mark.parametrize("how", ["cancelled", "lost"])
def test_a_worker_that_goes_leaves_its_wake_up_to_another(how):
    async def check():
        queue, loop = JobQueue(room=9, batch=4), asyncio.get_running_loop()
        losts = [loop.create_future(), loop.create_future()]
        takers = [asyncio.create_task(queue.take(lost)) for lost in losts]
        await asyncio.sleep(0)
        wanted = job()
        queue.put([wanted])  # wakes the first, which goes before it runs
        if how == "cancelled":
            takers[0].cancel()
        else:
            losts[0].set_result(None)
        assert await takers[1] == [wanted]

    run(check)


def test_a_lost_worker_gets_an_empty_batch():
    async def check():
        queue, lost = JobQueue(room=9, batch=4), asyncio.get_running_loop().create_future()
        taking = asyncio.create_task(queue.take(lost))
        await asyncio.sleep(0)
        lost.set_result(None)
        assert await taking == []
        assert await queue.take(lost) == []

    run(check)
