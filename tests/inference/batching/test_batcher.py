from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.support.batch_requests import images, start

from menagerie_inference.batching import Batcher, BatchPolicy, BatchReport
from menagerie_inference.errors import DeadlineExceeded, ModelFailed, Overloaded

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from menagerie_inference.batching import Outputs

    from .conftest import Model

HANG = 20.0
WAIT = 0.2
"""Seconds: long beside a run of the model here, which takes microseconds."""


async def test_a_request_gets_its_answer(model: Model) -> None:
    async with Batcher(model) as batcher:
        outputs = await batcher.submit(images(3, 7))
    assert outputs["sum"].tolist() == [84, 84, 84]


async def test_what_arrives_while_a_batch_runs_makes_the_next_one(model: Model) -> None:
    policy = BatchPolicy(max_batch=8)
    async with Batcher(model, policy) as batcher:
        async with model.held(batcher, policy):
            tasks = start(batcher, *(images(1, value) for value in range(5)))
            await asyncio.sleep(0)
            assert batcher.statistics().queued == 5
        answers = await asyncio.gather(*tasks)
        assert [len(batch) for batch in model.batches] == [5]
        assert [answer["sum"].item() for answer in answers] == [0, 12, 24, 36, 48]


async def test_a_batch_counts_images_and_divides_no_request_that_fits(model: Model) -> None:
    policy = BatchPolicy(max_batch=4)
    async with Batcher(model, policy) as batcher:
        async with model.held(batcher, policy):
            tasks = start(batcher, images(3), images(2), images(2), images(1), images(4))
            await asyncio.sleep(0)
        await asyncio.gather(*tasks)
    assert [len(batch) for batch in model.batches] == [3, 4, 1, 4]


async def test_a_larger_request_is_run_in_parts_and_answered_whole(model: Model) -> None:
    many = np.arange(11 * 12, dtype=np.uint8).reshape(11, 2, 2, 3)
    async with Batcher(model, BatchPolicy(max_batch=4)) as batcher:
        outputs = await batcher.submit(many)
    assert [len(batch) for batch in model.batches] == [4, 4, 3]
    assert (outputs["sum"] == many.reshape(11, -1).sum(axis=1)).all()


async def test_the_images_of_a_lone_request_are_not_copied(model: Model) -> None:
    request = images(3)
    async with Batcher(model) as batcher:
        await batcher.submit(request)
    assert np.shares_memory(model.batches[0], request)


async def test_images_of_different_shapes_never_share_a_batch(model: Model) -> None:
    policy = BatchPolicy(max_batch=8)
    async with Batcher(model, policy) as batcher:
        async with model.held(batcher, policy):
            requests = [images(1, 1, 2), images(1, 2, 2), images(1, 3, 4), images(1, 4, 2)]
            tasks = start(batcher, *requests)
            await asyncio.sleep(0)
        answers = await asyncio.gather(*tasks)
    assert [len(batch) for batch in model.batches] == [2, 1, 1]
    assert [answer["sum"].item() for answer in answers] == [request.sum() for request in requests]


async def test_a_bad_request_fails_alone(model: Model) -> None:
    policy = BatchPolicy(max_batch=8)
    async with Batcher(model, policy) as batcher:
        async with model.held(batcher, policy):
            tasks = start(batcher, images(2, 1), images(1, 255), images(3, 2))
            await asyncio.sleep(0)
        first, bad, last = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(first, dict)
        assert isinstance(last, dict)
        assert first["sum"].tolist() == [12, 12]
        assert last["sum"].tolist() == [24, 24, 24]
        assert type(bad).__name__ == "RefusedImageError"
        assert batcher.statistics().failed == 1
    assert [len(batch) for batch in model.batches] == [6, 2, 1, 3]


async def test_a_model_that_loses_rows_answers_nobody_wrongly() -> None:
    async with Batcher(lambda batch: {"rows": batch[1:]}) as batcher:
        answers = await asyncio.gather(*start(batcher, images(2), images(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [ModelFailed, ModelFailed]


async def test_it_refuses_at_once_exactly_when_its_queue_is_full(model: Model) -> None:
    policy = BatchPolicy(max_batch=4, max_queue=6)
    async with Batcher(model, policy) as batcher:
        async with model.held(batcher, policy):
            accepted = start(batcher, images(4), images(1))
            await asyncio.sleep(0)
            with pytest.raises(Overloaded):
                await batcher.submit(images(2))
            accepted += start(batcher, images(1))
            await asyncio.sleep(0)
            with pytest.raises(Overloaded):
                await batcher.submit(images(1))
            assert batcher.statistics().queued == 6
            assert batcher.statistics().rejected == 3
        await asyncio.gather(*accepted)
        await batcher.submit(images(6))


async def test_a_request_that_would_wait_too_long_is_refused_at_once(model: Model) -> None:
    policy = BatchPolicy(max_batch=4, max_wait_seconds=WAIT / 10)
    async with Batcher(model, policy) as batcher:
        async with model.held(batcher, policy):
            await asyncio.sleep(WAIT)
        async with model.held(batcher, policy):
            accepted = start(batcher, images(4))
            await asyncio.sleep(0)
            with pytest.raises(Overloaded):
                await batcher.submit(images(1))
            with pytest.raises(Overloaded):
                await batcher.submit(images(1), asyncio.get_running_loop().time() + WAIT / 100)
            assert batcher.statistics().rejected == 2
        await asyncio.gather(*accepted)
        await batcher.submit(images(1))


async def test_a_request_that_can_never_fit_is_refused(model: Model) -> None:
    async with Batcher(model, BatchPolicy(max_batch=4, max_queue=6)) as batcher:
        with pytest.raises(Overloaded):
            await batcher.submit(images(7))
    assert model.batches == []


async def test_a_request_without_images_is_refused(model: Model) -> None:
    async with Batcher(model) as batcher:
        with pytest.raises(ValueError, match="at least one"):
            await batcher.submit(images(0))


async def test_a_caller_who_leaves_frees_its_place_at_once_and_is_not_run(model: Model) -> None:
    policy = BatchPolicy(max_batch=2, max_queue=6)
    async with Batcher(model, policy) as batcher:
        async with model.held(batcher, policy):
            stays, leaves = start(batcher, images(1, 1), images(5, 2))
            await asyncio.sleep(0)
            leaves.cancel()
            with pytest.raises(asyncio.CancelledError):
                await leaves
            assert batcher.statistics().queued == 1
            other = asyncio.create_task(batcher.submit(images(5, 3)))
            await asyncio.sleep(0)
        await asyncio.gather(stays, other)
        assert batcher.statistics().cancelled == 5
    assert not any((batch == 2).any() for batch in model.batches)


async def test_a_caller_who_leaves_in_mid_run_harms_no_neighbour(model: Model) -> None:
    model.hold()
    async with Batcher(model) as batcher:
        leaves, stays = start(batcher, images(1, 1), images(1, 2))
        await model.entered()
        assert batcher.statistics().running == 2
        leaves.cancel()
        model.free()
        assert (await stays)["sum"].item() == 24
        assert leaves.cancelled()
        assert batcher.statistics().completed == 2


async def test_a_caller_who_leaves_as_its_batch_is_gathered_is_not_run(model: Model) -> None:
    async with Batcher(model) as batcher:
        (leaves,) = start(batcher, images(1))
        await asyncio.sleep(0)  # queued; the batcher wakes before the caller does
        leaves.cancel()
        await asyncio.wait([leaves])
        assert batcher.statistics().cancelled == 1
    assert model.batches == []


async def test_a_caller_who_leaves_a_batch_that_fails_is_not_run_again(model: Model) -> None:
    model.hold()
    async with Batcher(model) as batcher:
        bad, leaves, stays = start(batcher, images(1, 255), images(2, 2), images(3, 3))
        await model.entered()
        leaves.cancel()
        model.free()
        assert (await stays)["sum"].tolist() == [36, 36, 36]
        await asyncio.wait([bad, leaves])
        assert bad.exception() is not None
        assert batcher.statistics().failed == 3
    assert [len(batch) for batch in model.batches] == [6, 1, 3]


async def test_a_deadline_that_passes_in_the_queue(model: Model) -> None:
    policy = BatchPolicy(max_batch=8)
    loop = asyncio.get_running_loop()
    async with Batcher(model, policy) as batcher:
        async with model.held(batcher, policy):
            soon = asyncio.create_task(batcher.submit(images(2, 1), loop.time() + 0.001))
            late = asyncio.create_task(batcher.submit(images(1, 2), loop.time() + HANG))
            await asyncio.sleep(0.002)
        with pytest.raises(DeadlineExceeded):
            await soon
        await late
        assert batcher.statistics().expired == 2
    assert [batch.max() for batch in model.batches] == [2]


async def test_a_full_batch_does_not_wait_for_the_delay(model: Model) -> None:
    policy = BatchPolicy(max_batch=4, max_queue_delay_ms=HANG * 1000)
    async with asyncio.timeout(HANG / 2), Batcher(model, policy) as batcher:
        await asyncio.gather(*start(batcher, *(images(1) for _ in range(8))))
    assert [len(batch) for batch in model.batches] == [4, 4]


async def test_a_batch_that_stays_small_runs_after_the_delay(model: Model) -> None:
    async with Batcher(model, BatchPolicy(max_batch=4, max_queue_delay_ms=5)) as batcher:
        started = asyncio.get_running_loop().time()
        await asyncio.gather(*start(batcher, images(1), images(2)))
        assert asyncio.get_running_loop().time() - started >= 0.005
    assert [len(batch) for batch in model.batches] == [3]


async def test_instances_run_at_the_same_time() -> None:
    together = threading.Barrier(3)

    def run(batch: NDArray[np.uint8]) -> Outputs:
        together.wait(HANG)  # breaks, unless three runs are here at once
        return {"same": batch}

    async with Batcher(run, BatchPolicy(max_batch=1, instances=3)) as batcher:
        answers = await asyncio.gather(*start(batcher, *(images(1, value) for value in range(3))))
    assert [answer["same"].max() for answer in answers] == [0, 1, 2]


async def test_batchers_that_share_threads_never_run_more_than_those_at_once(model: Model) -> None:
    model.hold()
    policy = BatchPolicy(max_batch=1, instances=2)
    reports: list[BatchReport] = []
    with ThreadPoolExecutor(2) as threads:
        async with (
            Batcher(model, policy, threads=threads) as one,
            Batcher(model, policy, threads=threads, observer=reports.append) as other,
        ):
            first = start(one, images(1), images(1))
            await model.entered()
            await model.entered()
            second = start(other, images(1))
            await asyncio.sleep(WAIT)
            assert len(model.batches) == 2
            model.free()
            await asyncio.gather(*first, *second)
        assert len(model.batches) == 3
    assert reports[0].queue_seconds >= WAIT > reports[0].inference_seconds


async def test_an_observer_is_told_of_each_batch(model: Model) -> None:
    reports: list[BatchReport] = []
    async with Batcher(model, BatchPolicy(max_batch=4), observer=reports.append) as batcher:
        await batcher.submit(images(6))
    assert [report.images for report in reports] == [4, 2]
    assert all(report.inference_seconds > 0 and report.queue_seconds >= 0 for report in reports)
