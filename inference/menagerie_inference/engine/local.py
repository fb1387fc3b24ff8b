"""Runs models in this process, each behind a batcher of its own."""

from __future__ import annotations

import asyncio
import math
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Self

from menagerie_inference.backends import load_backend
from menagerie_inference.batching import Batcher, BatchPolicy, BatchReport, join, run_together
from menagerie_inference.errors import ModelUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from menagerie_inference.backends import Backend
    from menagerie_inference.batching import BatchObserver, BatchStatistics, Outputs
    from menagerie_inference.manifest import Manifest


class LocalModel:
    """A model of this process; the contract is `engine.Model`."""

    def __init__(
        self, manifest: Manifest, backend: Backend, batcher: Batcher, observer: BatchObserver | None
    ) -> None:
        self.manifest = manifest
        self.device = backend.device
        self.batches = batcher.policy.max_batch > 1
        self._backend = backend
        self._batcher = batcher
        self._observer = observer
        self._open = True
        self._shape = (manifest.input.height, manifest.input.width, 3)

    async def infer(self, images: NDArray[np.uint8], *, deadline: float | None = None) -> Outputs:
        """Run images, batched with those of other callers; as `Model.infer()`."""
        self._check(images)
        return await self._batcher.submit(images, deadline)

    def run(self, images: NDArray[np.uint8]) -> Outputs:
        """Run images in this thread; as `Model.run()`."""
        self._check(images)
        size = self._batcher.policy.max_batch
        return join([self._run(images[start : start + size]) for start in range(0, len(images), size)])

    def close(self) -> None:
        """Refuse further runs."""
        self._open = False

    def _run(self, batch: NDArray[np.uint8]) -> Outputs:
        if not self._open:
            raise ModelUnavailable("the model is closed")
        start = time.monotonic()
        (outputs,) = run_together(self._backend.run, [batch])
        if self._observer is not None:
            self._observer(BatchReport(len(batch), 0.0, time.monotonic() - start))
        return outputs

    def _check(self, images: NDArray[np.uint8]) -> None:
        if images.shape[1:] != self._shape or images.dtype != "uint8":
            raise ValueError(f"the model takes uint8 (n, {self._shape}), not {images.dtype} {images.shape}")
        if len(images) == 0:
            raise ValueError("a request holds at least one image")

    def statistics(self) -> BatchStatistics:
        """Give the counts of the model's batcher."""
        return self._batcher.statistics()


class LocalEngine:
    """Loads models into this process; an async context manager that closes them on exit.

    Args:
        cores: the threads that all `infer()` calls share, by default as many as the process has cores; more
            concurrent runs than cores evict each other's caches.
        policy: by default what suits the device that a model runs on.
        max_wait_seconds: a part of that default.
        observe: called once for each model; returns the observer of its batches.
    """

    def __init__(
        self,
        policy: BatchPolicy | None = None,
        *,
        cores: int | None = None,
        max_wait_seconds: float = math.inf,
        observe: Callable[[Manifest], BatchObserver] | None = None,
    ) -> None:
        self._policy = policy
        self._cores = cores or len(os.sched_getaffinity(0))
        self._max_wait_seconds = max_wait_seconds
        self._observe = observe
        self.models: list[LocalModel] = []
        self._stack = AsyncExitStack()
        self._open = False

    async def __aenter__(self) -> Self:
        self._threads = ThreadPoolExecutor(self._cores, thread_name_prefix="batch")
        self._stack.push_async_callback(asyncio.to_thread, self._threads.shutdown)
        self._open = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self._open = False
        await self._stack.aclose()

    async def load(self, manifest: Manifest) -> LocalModel:
        """Load a model in a thread; several may load at once.

        Raises:
            ManifestError: as `load_backend()`.
            ModelUnavailable: the engine is closed.
        """
        # A thread for each run: two concurrent runs beat one run on two cores.
        backend = await asyncio.to_thread(load_backend, manifest, threads=1)
        if not self._open:
            backend.close()
            raise ModelUnavailable(f"{manifest.identity}: the engine is closed")
        return await self._serve(manifest, backend)

    async def _serve(self, manifest: Manifest, backend: Backend) -> LocalModel:
        self._stack.callback(backend.close)
        observer = self._observe(manifest) if self._observe else None
        policy = self._policy or BatchPolicy.for_device(
            backend.device, self._cores, max_wait_seconds=self._max_wait_seconds
        )
        batcher = Batcher(backend.run, policy, threads=self._threads, observer=observer)
        model = LocalModel(manifest, backend, await self._stack.enter_async_context(batcher), observer)
        self._stack.callback(model.close)
        self.models.append(model)
        return model
