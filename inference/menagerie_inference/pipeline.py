"""How photographs go through models: what a domain computes, and the two schedules for it.

A domain does no I/O. It is a generator that yields the runs of models that it needs now, is sent their
results, and at last returns its answer; it may need several models, and some of them only for what others
have found. How its runs share the cores is decided here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeAlias, TypeVar

from tenacity import retry, retry_if_exception_type, wait_random_exponential

from menagerie_inference.errors import DeadlineExceeded, Overloaded

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
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
    """What came of a run, and for how many seconds it waited and ran."""

    seconds: float
    _outputs: Outputs | None = None
    error: Exception | None = None
    """What the model failed with; none: it did not."""

    @property
    def outputs(self) -> Outputs:
        """The model's outputs by name, a row an image.

        Raises:
            Exception: the model's own, if it failed: a domain that can do without it looks at `error` first.
        """
        if self._outputs is None:
            raise self.error or RuntimeError("a run has outputs or an error")
        return self._outputs


Inference: TypeAlias = Generator[Sequence[ModelRun], Sequence[RunResult], T]
"""A domain at work: yields runs, is sent their results in the same order, and returns its answer."""

Views: TypeAlias = "Sequence[DecodedImage]"
"""One photograph, decoded to each of a domain's inputs."""


class Domain(Protocol[Answer_co]):
    """What is computed of photographs."""

    @property
    def inputs(self) -> Sequence[InputSpec]:
        """What each photograph is decoded to."""

    @property
    def models(self) -> Sequence[Model]:
        """The models that it runs."""

    def infer(self, photographs: Sequence[Views]) -> Inference[Answer_co]:
        """Begin to answer about photographs of one call."""


def run_in_thread(inference: Inference[T]) -> T:
    """Run an inference in this thread, one run after the other: the least work, where no core is idle.

    Raises what the inference does.
    """
    step = _advance(inference, None)
    while not isinstance(step, _Answer):
        step = _advance(inference, [_run(run) for run in step])
    return step.value


async def run_concurrently(inference: Inference[T], *, deadline: float | None = None) -> T:
    """Run an inference, the runs of each step at the same time: the least time for one caller.

    The models batch them with others' where they do. What the inference does between its steps is done in a
    thread. `deadline` is in the loop's time, in seconds.

    Raises:
        Overloaded: a model's queue is full.
        DeadlineExceeded: it passed before a model was free. What the inference raises comes as it is.
    """

    async def infer(run: ModelRun) -> Outputs:
        return await run.model.infer(run.images, deadline=deadline)

    return await _run_concurrently(inference, infer)


async def run_patiently(inference: Inference[T], threads: Executor) -> T:
    """Run an inference as `run_concurrently()`, but wait while others' images fill a model's queue.

    What it does between its steps is done in `threads`.
    """

    @retry(retry=retry_if_exception_type(Overloaded), wait=wait_random_exponential(0.05, max=1.0))
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

        While calls are fewer than cores, decoding and models are spread over these; a call that finds all at
        work is decoded and answered in one piece, in one thread. Models that run the images of several
        callers together, as on a GPU, always get them from all callers at once.

        Raises:
            ImageError: a photograph cannot be used, as `ImageDecoder.decode()` says.
            Overloaded: too many photographs, or images for a model, wait already.
            DeadlineExceeded: the deadline passed before a thread or a model was free.
        """
        self._calls += 1
        try:
            if any(model.batches for model in domain.models) or self._calls <= self._decoder.threads:
                return await self._spread(domain, photographs, deadline)
            return await self._decoder.decode_then(
                lambda views: run_in_thread(domain.infer(views)),
                photographs,
                domain.inputs,
                deadline=deadline,
            )
        finally:
            self._calls -= 1

    async def _spread(self, domain: Domain[T], photographs: Sequence[bytes], deadline: float | None) -> T:
        views = await asyncio.gather(
            *(self._decoder.decode_each(data, domain.inputs, deadline=deadline) for data in photographs)
        )
        return await run_concurrently(domain.infer(views), deadline=deadline)


@dataclass(frozen=True)
class _Answer(Generic[T]):
    """What an inference has returned."""

    value: T


def _advance(inference: Inference[T], results: Sequence[RunResult] | None) -> Sequence[ModelRun] | _Answer[T]:
    try:
        # The first step is sent nothing.
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
