from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from tests.support.batch_requests import images, start

from menagerie_inference.batching import Batcher, BatchPolicy, BatchReport
from menagerie_inference.errors import ModelUnavailable

if TYPE_CHECKING:
    from .conftest import Model

HANG = 20.0


async def test_closing_does_not_wait_for_the_delay(model: Model) -> None:
    async with asyncio.timeout(HANG / 2):
        async with Batcher(model, BatchPolicy(max_queue_delay_ms=HANG * 1000)) as batcher:
            (task,) = start(batcher, images(1))
            await asyncio.sleep(0)
        with pytest.raises(ModelUnavailable):
            await task


async def test_shared_threads_outlive_a_batcher(model: Model) -> None:
    with ThreadPoolExecutor(1) as threads:
        for _ in range(2):
            async with Batcher(model, threads=threads) as batcher:
                await batcher.submit(images(1))


async def test_closing_finishes_what_runs_and_fails_what_waits(model: Model) -> None:
    model.hold()
    async with Batcher(model, BatchPolicy(max_batch=4)) as batcher:
        (running,) = start(batcher, images(3))
        await model.entered()
        (waiting,) = start(batcher, images(9))
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(model.free)  # when the batcher has begun to close
    assert (await running)["sum"].tolist() == [12, 12, 12]
    with pytest.raises(ModelUnavailable):
        await waiting
    statistics = batcher.statistics()
    assert (statistics.queued, statistics.running) == (0, 0)
    assert (statistics.completed, statistics.abandoned) == (3, 9)
    with pytest.raises(ModelUnavailable):
        await batcher.submit(images(1))


async def test_a_caller_who_leaves_as_the_batcher_closes(model: Model) -> None:
    model.hold()
    async with Batcher(model) as batcher:
        (running,) = start(batcher, images(1))
        await model.entered()
        (leaves,) = start(batcher, images(2))
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(model.free)
        leaves.cancel()
    await running
    await asyncio.wait([leaves])
    assert leaves.cancelled()
    assert batcher.statistics().queued == 0


async def test_closing_leaves_no_task_and_no_thread(model: Model) -> None:
    async with Batcher(model, BatchPolicy(instances=2)) as batcher:
        await asyncio.gather(*start(batcher, *(images(8) for _ in range(9))))
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("batch")]


async def test_a_closing_that_is_cut_short_still_fails_every_waiter(model: Model) -> None:
    model.hold()
    batcher = await Batcher(model).__aenter__()
    (running,) = start(batcher, images(1))
    await model.entered()
    closing = asyncio.create_task(batcher.__aexit__())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(ModelUnavailable):
        await running
    model.free()
    with pytest.raises(asyncio.CancelledError):
        await closing


async def test_a_batcher_that_is_not_open_refuses(model: Model) -> None:
    with pytest.raises(ModelUnavailable):
        await Batcher(model).submit(images(1))


async def test_an_observer_that_breaks_its_promise_closes_the_batcher_loudly(model: Model) -> None:
    def fail(_: BatchReport) -> None:
        raise RuntimeError("an observer must not raise")

    with pytest.raises(ExceptionGroup) as raised:
        async with Batcher(model, BatchPolicy(max_batch=1), observer=fail) as batcher:
            answers = await asyncio.gather(*start(batcher, images(1), images(1)), return_exceptions=True)
    assert isinstance(answers[0], dict)
    assert isinstance(answers[1], ModelUnavailable)
    assert raised.group_contains(RuntimeError, match="must not raise")
