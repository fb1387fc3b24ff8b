from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from numpy.typing import NDArray

    from menagerie_inference.batching import Batcher, BatchPolicy, Outputs

HANG = 20.0  # seconds; far more than anything here takes, and less than the tests' own limit


class RefusedImageError(Exception):
    """The model below does not take an image whose last byte is 255."""


class Model:
    """A real model in small: it gives each image's sum and first four bytes, and can be held in mid-run."""

    def __init__(self) -> None:
        self.batches: list[NDArray[np.uint8]] = []
        self._free = threading.Event()
        self._free.set()
        self._entered = threading.Semaphore(0)

    def __call__(self, images: NDArray[np.uint8]) -> Outputs:
        self.batches.append(images)
        self._entered.release()
        assert self._free.wait(HANG)
        if (images[:, -1, -1, -1] == 255).any():
            raise RefusedImageError
        rows = images.reshape(len(images), -1)
        return {"sum": rows.sum(axis=1, dtype=np.int64), "head": rows[:, :4].copy()}

    def hold(self) -> None:
        """Let no run end until `free()`."""
        self._free.clear()

    def free(self) -> None:
        self._free.set()

    async def entered(self) -> None:
        """Wait until one more run has begun."""
        assert await asyncio.to_thread(self._entered.acquire, timeout=HANG)

    @asynccontextmanager
    async def held(self, batcher: Batcher, policy: BatchPolicy) -> AsyncIterator[None]:
        """Keep every instance busy with a full batch: what is submitted in the block waits until its end."""
        self.hold()
        plug = np.zeros((policy.max_batch, 2, 2, 3), np.uint8)
        tasks = []
        for _ in range(policy.instances):
            tasks.append(asyncio.create_task(batcher.submit(plug)))
            await self.entered()
        self.batches.clear()
        try:
            yield
        finally:
            self.free()
        await asyncio.gather(*tasks)


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture(scope="session")
def make_model() -> Callable[[], Model]:
    """Gives a function that makes models, for tests that hypothesis runs many times."""
    return Model
