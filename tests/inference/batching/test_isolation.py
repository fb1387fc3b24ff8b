"""The laws of the batcher, for requests of any size that fail, expire, leave and mix as they like."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from menagerie_inference.batching import Batcher, BatchPolicy, BatchStatistics
from menagerie_inference.errors import DeadlineExceeded

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from menagerie_inference.batching import Outputs

    from .conftest import Model


@dataclass(frozen=True)
class Request:
    size: int
    bad: bool
    expired: bool
    leaves: bool
    side: int

    def images(self, identity: int) -> NDArray[np.uint8]:
        """Images that tell the request and their place in it; the last one of a bad request is refused."""
        images = np.zeros((self.size, self.side, self.side, 3), np.uint8)
        images[:, 0, 0, 0] = identity
        images[:, 0, 0, 1] = np.arange(self.size)
        images[:, 0, 0, 2] = 77
        images[-1, -1, -1, -1] = 255 if self.bad else 0
        return images


requests = st.builds(
    Request,
    size=st.integers(1, 12),
    bad=st.sampled_from([False, False, True]),
    expired=st.sampled_from([False, False, True]),
    leaves=st.sampled_from([False, False, True]),
    side=st.sampled_from([2, 2, 3]),
)
policies = st.builds(
    BatchPolicy,
    max_batch=st.integers(1, 8),
    max_queue_delay_ms=st.sampled_from([0.0, 0.0, 1.0]),
    max_queue=st.just(1000),
    instances=st.integers(1, 3),
)


@settings(max_examples=200)
@given(policy=policies, sent=st.lists(requests, max_size=25))
def test_every_caller_gets_its_own(
    policy: BatchPolicy, sent: list[Request], make_model: Callable[[], Model]
) -> None:
    model = make_model()
    answers, statistics = asyncio.run(_exchange(model, policy, sent))

    for identity, (request, answer) in enumerate(zip(sent, answers, strict=True)):
        _check_answer(identity, request, answer)
    _check_batches(model, policy, sent)
    _check_statistics(statistics, policy, sent)


async def _exchange(
    model: Model, policy: BatchPolicy, sent: list[Request]
) -> tuple[list[Outputs | BaseException], BatchStatistics]:
    past = asyncio.get_running_loop().time()
    async with Batcher(model, policy) as batcher:
        async with model.held(batcher, policy):
            tasks = [
                asyncio.create_task(
                    batcher.submit(request.images(identity), past if request.expired else None)
                )
                for identity, request in enumerate(sent)
            ]
            await asyncio.sleep(0)
            for request, task in zip(sent, tasks, strict=True):
                if request.leaves:
                    task.cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
    return answers, batcher.statistics()


def _check_answer(identity: int, request: Request, answer: Outputs | BaseException) -> None:
    if request.leaves:
        assert isinstance(answer, asyncio.CancelledError)
    elif request.expired:
        assert isinstance(answer, DeadlineExceeded)
    elif request.bad:
        assert type(answer).__name__ == "RefusedImageError"
    else:
        assert isinstance(answer, dict)
        images = request.images(identity).reshape(request.size, -1)
        assert (answer["head"] == images[:, :4]).all()
        assert (answer["sum"] == images.sum(axis=1)).all()


def _check_batches(model: Model, policy: BatchPolicy, sent: list[Request]) -> None:
    for batch in model.batches:
        assert 1 <= len(batch) <= policy.max_batch
        for identity in set(batch[:, 0, 0, 0].tolist()):
            assert not sent[identity].leaves
            assert not sent[identity].expired
    if policy.instances == 1 and not any(request.bad for request in sent):  # none was run a second time
        order = [tuple(image[0, 0, :2].tolist()) for batch in model.batches for image in batch]
        assert order == sorted(order)


def _check_statistics(statistics: BatchStatistics, policy: BatchPolicy, sent: list[Request]) -> None:
    plugs = policy.instances * policy.max_batch
    assert statistics.accepted == plugs + sum(request.size for request in sent)
    assert (statistics.queued, statistics.running, statistics.rejected) == (0, 0, 0)
    ended = statistics.completed + statistics.failed + statistics.cancelled + statistics.expired
    assert ended + statistics.abandoned == statistics.accepted
    fine = [request for request in sent if not (request.leaves or request.expired or request.bad)]
    assert statistics.completed >= plugs + sum(request.size for request in fine)
    gone = sum(request.size for request in sent if request.leaves)
    assert statistics.cancelled >= gone
