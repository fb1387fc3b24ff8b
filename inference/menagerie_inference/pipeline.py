"""How photographs go through models: what a domain computes, and the two schedules for it.

A domain does no I/O. It is a generator that yields the model runs that it needs next, is sent their results,
and returns its answer; it may need several models, and some of them only for what others have found. The
pipeline decides how the runs share the cores.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeAlias, TypeVar

from menagerie_inference.errors import DeadlineExceeded, Overloaded
from menagerie_inference.overload import retry_overloaded

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from concurrent.futures import Executor

    import numpy as np
    from numpy.typing import NDArray

    from menagerie_inference.batching import Outputs
    from menagerie_inference.engine import Model
    from menagerie_inference.image import DecodedImage, ImageDecoder, InputSpec

T = TypeVar("T")
Answer_co = TypeVar("Answer_co", covariant=True)


class ModelRun(NamedTuple):
    """A model to run, and uint8 RGB images (n, height, width, 3) of its input size, in one batch."""

    model: Model
    images: NDArray[np.uint8]


@dataclass(frozen=True)
class RunResult:
    """The outcome of a run, and for how many seconds it was queued and ran."""

    seconds: float
    _outputs: Outputs | None = None
    error: Exception | None = None
    """The model's exception, if it failed."""

    @property
    def outputs(self) -> Outputs:
        """The model's outputs by name, each of a row per image.

        Raises:
            Exception: the model's own, if it failed; a domain that can do without it checks `error` first.
        """
        if self._outputs is None:
            raise self.error or RuntimeError("a run has outputs or an error")
        return self._outputs


Inference: TypeAlias = Generator[Sequence[ModelRun], Sequence[RunResult], T]
"""A running domain: yields runs, is sent their results in the same order, and returns its answer."""

Views: TypeAlias = "Sequence[DecodedImage]"
"""One photograph, decoded to each of a domain's inputs."""


class Domain(Protocol[Answer_co]):
    """A computation over photographs."""

    @property
    def inputs(self) -> Sequence[InputSpec]:
        """The specs that each photograph is decoded to."""

    @property
    def models(self) -> Sequence[Model]:
        """The models that it runs."""

    def infer(self, photographs: Sequence[Views]) -> Inference[Answer_co]:
        """Start an inference about the photographs of one call."""


def run_in_thread(inference: Inference[T]) -> T:
    """Run an inference in this thread, one run after the other: the least work, for when all cores are busy.

    What the inference raises passes.
    """
    step = _advance(inference, None)
    while not isinstance(step, _Answer):
        step = _advance(inference, [_run(run) for run in step])
    return step.value


async def run_concurrently(inference: Inference[T], *, deadline: float | None = None) -> T:
    """Run an inference, the runs of each step concurrently: the lowest latency for one caller.

    Models that batch put the runs into batches with other callers'. The inference's own code between its
    steps runs in a thread.

    Args:
        deadline: in the loop's time, in seconds.

    Raises:
        Overloaded: a model's queue is full, or too long for the deadline.
        DeadlineExceeded: it passed before a model was free. What the inference raises passes, too.
    """

    async def infer(run: ModelRun) -> Outputs:
        return await run.model.infer(run.images, deadline=deadline)

    return await _run_concurrently(inference, infer)


async def run_patiently(inference: Inference[T], threads: Executor) -> T:
    """Run an inference as `run_concurrently()`, but wait where a model's queue is full.

    The inference's own code between its steps runs in `threads`.
    """

    @retry_overloaded
    async def infer(run: ModelRun) -> Outputs:
        return await run.model.infer(run.images)

    return await _run_concurrently(inference, infer, threads)


class Pipeline:
    """Answers about encoded photographs, for the callers of all domains."""

    def __init__(self, decoder: ImageDecoder) -> None:
        self._decoder = decoder
        self._calls = 0

    async def run(
        self, domain: Domain[T], photographs: Sequence[bytes], *, deadline: float | None = None
    ) -> T:
        """Answer about the photographs of one call, within a `deadline` in the loop's time, in seconds.

        While there are fewer calls than cores, decoding and models are spread over the cores; a call that
        finds all of them busy is decoded and answered in one thread. Models that batch, as on a GPU, always
        get the runs of all callers.

        Raises:
            ImageError: a photograph cannot be used, as `ImageDecoder.decode()` says; its `place` says which.
            Overloaded: the call would wait too long for a thread or a model.
            DeadlineExceeded: the deadline passed before a thread or a model was free.
        """
        with self._call(domain) as spread:
            if spread:
                return await self._spread(domain, photographs, deadline)
            return await self._decoder.decode_then(
                lambda views: run_in_thread(domain.infer(views)),
                photographs,
                domain.inputs,
                deadline=deadline,
            )

    async def run_on_frames(
        self, domain: Domain[T], photograph: bytes, *, frames: int, deadline: float | None = None
    ) -> T:
        """Answer about at most `frames` frames of one photograph, as `decode_frames()` chooses them.

        The domain gets the frames as its photographs.

        Raises:
            ImageError, Overloaded, DeadlineExceeded: as `run()`.
        """
        with self._call(domain) as spread:
            if spread:
                views = await self._decoder.decode_frames_then(
                    _same, photograph, domain.inputs, count=frames, deadline=deadline
                )
                return await run_concurrently(domain.infer(views), deadline=deadline)
            return await self._decoder.decode_frames_then(
                lambda views: run_in_thread(domain.infer(views)),
                photograph,
                domain.inputs,
                count=frames,
                deadline=deadline,
            )

    async def _spread(self, domain: Domain[T], photographs: Sequence[bytes], deadline: float | None) -> T:
        views = await self._decoder.decode_all(photographs, domain.inputs, deadline=deadline)
        return await run_concurrently(domain.infer(views), deadline=deadline)

    @contextmanager
    def _call(self, domain: Domain[T]) -> Iterator[bool]:
        """Count a call while the block runs, and tell whether its work is to be spread over the cores."""
        self._calls += 1
        try:
            yield any(model.batches for model in domain.models) or self._calls <= self._decoder.threads
        finally:
            self._calls -= 1


def _same(views: Sequence[Views]) -> Sequence[Views]:
    return views


@dataclass(frozen=True)
class _Answer(Generic[T]):
    """What an inference returned."""

    value: T


def _advance(inference: Inference[T], results: Sequence[RunResult] | None) -> Sequence[ModelRun] | _Answer[T]:
    try:
        # A generator that has not started takes no values.
        return next(inference) if results is None else inference.send(results)
    except StopIteration as end:
        return _Answer(end.value)


def _run(run: ModelRun) -> RunResult:
    start = time.monotonic()
    try:
        outputs = run.model.run(run.images)
    except Exception as error:  # noqa: BLE001 - whether the answer needs this model, the domain knows
        return RunResult(time.monotonic() - start, error=error)
    return RunResult(time.monotonic() - start, outputs)


async def _run_concurrently(
    inference: Inference[T],
    infer: Callable[[ModelRun], Awaitable[Outputs]],
    threads: Executor | None = None,
) -> T:
    loop = asyncio.get_running_loop()

    async def run(one: ModelRun) -> RunResult:
        start = time.monotonic()
        try:
            outputs = await infer(one)
        except (Overloaded, DeadlineExceeded):
            raise  # that is the caller's, whichever model it is
        except Exception as error:  # noqa: BLE001 - whether the answer needs this model, the domain knows
            return RunResult(time.monotonic() - start, error=error)
        return RunResult(time.monotonic() - start, outputs)

    step = await loop.run_in_executor(threads, _advance, inference, None)
    while not isinstance(step, _Answer):
        results = await asyncio.gather(*(run(one) for one in step))
        step = await loop.run_in_executor(threads, _advance, inference, results)
    return step.value
