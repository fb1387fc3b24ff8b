from __future__ import annotations

import asyncio
import math
import threading
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from menagerie_inference.errors import (
    DeadlineExceeded,
    ImageDamaged,
    ImageTooLarge,
    ImageUnreadable,
    ModelUnavailable,
    Overloaded,
)
from menagerie_inference.image import DecodedImage, ImageDecoder, InputSpec, completion_queue, decode
from menagerie_inference.image import decoder as decoder_module

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from PIL import Image


SPEC = InputSpec(32, 32)


@pytest.fixture(scope="session")
def photo(picture: Image.Image, encode: Callable[..., bytes]) -> bytes:
    return encode(picture.resize((1280, 960)), "jpeg")


def _start(decoder: ImageDecoder, photo: bytes, count: int) -> list[asyncio.Task[DecodedImage]]:
    return [asyncio.create_task(decoder.decode(photo, SPEC)) for _ in range(count)]


async def test_it_decodes_as_the_function_does(photo: bytes) -> None:
    expected = decode(photo, SPEC)
    async with ImageDecoder(threads=2) as decoder:
        for decoded in await asyncio.gather(*_start(decoder, photo, 20)):
            assert (decoded.pixels == expected.pixels).all()
            assert (decoded.width, decoded.height) == (1280, 960)
        assert decoder.statistics() == (0, 0)


async def test_a_bad_image_fails_alone(photo: bytes) -> None:
    async with ImageDecoder(threads=1, max_pixels=2_000_000) as decoder:
        good = _start(decoder, photo, 2)
        with pytest.raises(ImageDamaged):
            await decoder.decode(photo[: len(photo) // 4], SPEC)
        await asyncio.gather(*good)


async def test_its_limit_on_pixels(photo: bytes) -> None:
    async with ImageDecoder(threads=1, max_pixels=1_000_000) as decoder:
        with pytest.raises(ImageTooLarge):
            await decoder.decode(photo, SPEC)


async def test_it_refuses_at_once_exactly_when_its_queue_is_full(photo: bytes) -> None:
    async with ImageDecoder(threads=1, max_waiting=2) as decoder:
        accepted = _start(decoder, photo, 3)
        await asyncio.sleep(0)
        assert decoder.statistics() == (2, 1)
        with pytest.raises(Overloaded):
            await decoder.decode(photo, SPEC)
        await asyncio.gather(*accepted)
        await decoder.decode(photo, SPEC)


class HeldSpec(InputSpec):
    """A spec that keeps whoever asks for its width until `free` is set: it holds a decoding in its thread."""

    free = threading.Event()

    def __getattribute__(self, name: str) -> object:
        if name == "width":
            assert HeldSpec.free.wait(20)
        return super().__getattribute__(name)


@pytest.fixture
def held_spec() -> HeldSpec:
    HeldSpec.free.set()
    spec = HeldSpec(32, 32)
    HeldSpec.free.clear()
    return spec


PACE = 0.3
"""Seconds that a photograph takes, at least, once `slow_decoder()` has measured one."""


@asynccontextmanager
async def slow_decoder(photo: bytes, max_wait_seconds: float = math.inf) -> AsyncIterator[ImageDecoder]:
    """A decoder whose one thread is busy until `HeldSpec.free` is set, and whose photographs take long."""
    async with ImageDecoder(threads=1, max_wait_seconds=max_wait_seconds) as decoder:
        await decoder.decode_then(lambda _: time.sleep(PACE), [photo], (SPEC,))
        running = asyncio.create_task(decoder.decode(photo, HeldSpec(32, 32)))
        await asyncio.sleep(0)
        try:
            yield decoder
        finally:
            HeldSpec.free.set()
            await running


@pytest.mark.usefixtures("held_spec")
async def test_who_would_wait_too_long_is_refused_at_once(photo: bytes) -> None:
    async with slow_decoder(photo, max_wait_seconds=4 * PACE) as decoder:
        calls = _start(decoder, photo, 12)
        done, waiting = await asyncio.wait(calls, timeout=0.01)
        assert waiting
        assert len(waiting) <= 5  # the last of whom waits for four
        assert {type(call.exception()) for call in done} == {Overloaded}
        HeldSpec.free.set()
        assert all(decoded.width == 1280 for decoded in await asyncio.gather(*waiting))
        await decoder.decode(photo, SPEC)


@pytest.mark.usefixtures("held_spec")
async def test_the_next_is_never_refused_however_long_photos_take(photo: bytes) -> None:
    async with slow_decoder(photo, max_wait_seconds=PACE / 100) as decoder:
        first, second = _start(decoder, photo, 2)
        with pytest.raises(Overloaded):
            await second
        HeldSpec.free.set()
        await first


@pytest.mark.usefixtures("held_spec")
async def test_who_would_wait_beyond_its_deadline_is_refused_at_once(photo: bytes) -> None:
    async with slow_decoder(photo) as decoder:
        first, second = _start(decoder, photo, 2)
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await decoder.decode(photo, SPEC, deadline=asyncio.get_running_loop().time() + PACE)
        HeldSpec.free.set()
        await asyncio.gather(first, second)


@pytest.mark.usefixtures("held_spec")
async def test_photos_of_one_call_are_accepted_or_refused_together(photo: bytes) -> None:
    async with slow_decoder(photo, max_wait_seconds=PACE) as decoder:
        many = asyncio.create_task(decoder.decode_all([photo] * 5, (SPEC, SPEC)))
        await asyncio.sleep(0)
        assert decoder.statistics() == (5, 1)
        with pytest.raises(Overloaded):
            await decoder.decode_all([photo] * 2, (SPEC,))
        assert decoder.statistics() == (5, 1)
        HeldSpec.free.set()
        assert [len(views) for views in await many] == [2] * 5


@pytest.mark.usefixtures("held_spec")
async def test_a_task_counts_by_its_photos(photo: bytes) -> None:
    async with slow_decoder(photo) as decoder:
        work = asyncio.create_task(decoder.decode_then(len, [photo] * 4, (SPEC,)))
        await asyncio.sleep(0)
        assert decoder.statistics() == (4, 1)
        HeldSpec.free.set()
        assert await work == 4


@pytest.mark.usefixtures("held_spec")
async def test_the_rest_of_a_call_is_forgotten_once_one_of_its_photos_fails(photo: bytes) -> None:
    async with ImageDecoder(threads=1) as decoder:
        call = asyncio.create_task(decoder.decode_all([b"no photo", *[photo] * 3], (HeldSpec(32, 32),)))
        with pytest.raises(ImageUnreadable) as failed:
            await call
        assert failed.value.place == 0
        assert decoder.statistics().waiting == 0
        HeldSpec.free.set()


async def test_a_caller_who_leaves_the_queue_frees_its_place(photo: bytes, held_spec: HeldSpec) -> None:
    async with ImageDecoder(threads=1, max_waiting=1) as decoder:
        running = asyncio.create_task(decoder.decode(photo, held_spec))
        (waiting,) = _start(decoder, photo, 1)
        await asyncio.sleep(0)
        assert decoder.statistics() == (1, 1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        other = asyncio.create_task(decoder.decode(photo, SPEC))
        HeldSpec.free.set()
        await asyncio.gather(running, other)


async def test_a_thread_is_taken_until_it_is_done_though_its_caller_left(
    photo: bytes, held_spec: HeldSpec
) -> None:
    async with ImageDecoder(threads=1, max_waiting=1) as decoder:
        running = asyncio.create_task(decoder.decode(photo, held_spec))
        await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait([running])
        assert running.cancelled()
        assert decoder.statistics() == (0, 1)
        (waiting,) = _start(decoder, photo, 1)
        await asyncio.sleep(0)
        assert decoder.statistics() == (1, 1)
        HeldSpec.free.set()
        assert (await waiting).width == 1280
        assert decoder.statistics() == (0, 0)


async def test_what_a_caller_who_left_would_have_been_told_is_not_reported_as_lost(photo: bytes) -> None:
    lost: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: lost.append(context))
    async with ImageDecoder(threads=1) as decoder:
        task = asyncio.create_task(decoder.decode(photo[: len(photo) // 4], SPEC))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    assert lost == []


async def test_work_on_a_photo_follows_in_its_thread(photo: bytes) -> None:
    def work(photos: Sequence[Sequence[DecodedImage]]) -> tuple[list[int], str]:
        return [len(views) for views in photos], threading.current_thread().name

    async with ImageDecoder(threads=1) as decoder:
        count, thread = await decoder.decode_then(work, [photo] * 3, (SPEC, SPEC))
        with pytest.raises(ZeroDivisionError):
            await decoder.decode_then(lambda _: 1 / 0, [photo], (SPEC,))
        assert decoder.statistics() == (0, 0)
    assert count == [2, 2, 2]
    assert thread.startswith("decode")


async def test_work_that_raises_what_no_coroutine_can(photo: bytes) -> None:
    async with ImageDecoder(threads=1) as decoder:
        with pytest.raises(RuntimeError, match="StopIteration"):
            await decoder.decode_then(lambda _: next(iter(())), [photo], (SPEC,))


async def test_results_wait_for_each_other_while_many_photos_wait(
    photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completion_queue, "LONGEST_WAIT", 20)
    given: list[set[asyncio.Task[DecodedImage]]] = []
    async with ImageDecoder(threads=1) as decoder:
        pending = set(_start(decoder, photo, 8))
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            given.append(done)
    # Fewer than these only if the event loop came late, and then still more at once. On a busy machine the
    # first may be decoded before the others are there.
    assert all(len(done) >= 2 for done in given[1:-2])
    assert len(given) <= 6


async def test_a_result_does_not_wait_for_longer_than_its_caller(
    photo: bytes, held_spec: HeldSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (completion_queue, decoder_module):
        monkeypatch.setattr(module, "LONGEST_WAIT", 20)
    async with ImageDecoder(threads=1) as decoder:
        deadline = asyncio.get_running_loop().time() + 19
        first = asyncio.create_task(decoder.decode(photo, SPEC, deadline=deadline))
        second = asyncio.create_task(decoder.decode(photo, held_spec))
        others = _start(decoder, photo, 3)
        async with asyncio.timeout(10):
            await first
        HeldSpec.free.set()
        await asyncio.gather(second, *others)


async def test_how_long_photos_wait_is_told(photo: bytes, held_spec: HeldSpec) -> None:
    waits: list[float] = []
    async with ImageDecoder(threads=1, observe=waits.append) as decoder:
        first = asyncio.create_task(decoder.decode(photo, held_spec))
        others = _start(decoder, photo, 2)
        await asyncio.sleep(0.2)
        HeldSpec.free.set()
        await asyncio.gather(first, *others)
    assert waits[0] < 0.1 < min(waits[1:])


async def test_no_work_on_a_photo_whose_caller_left_while_it_was_decoded(
    photo: bytes, held_spec: HeldSpec
) -> None:
    worked: list[object] = []
    async with ImageDecoder(threads=1) as decoder:
        call = asyncio.create_task(decoder.decode_then(worked.append, [photo], (held_spec,)))
        await asyncio.sleep(0.01)
        call.cancel()
        await asyncio.wait([call])
        HeldSpec.free.set()
    assert worked == []


async def test_no_work_on_a_photo_that_took_too_long_to_decode(photo: bytes, held_spec: HeldSpec) -> None:
    worked: list[object] = []
    async with ImageDecoder(threads=1) as decoder:
        deadline = asyncio.get_running_loop().time() + 0.05
        call = asyncio.create_task(
            decoder.decode_then(worked.append, [photo], (held_spec,), deadline=deadline)
        )
        await asyncio.sleep(0.06)
        HeldSpec.free.set()
        with pytest.raises(DeadlineExceeded, match="while the image was decoded"):
            await call
    assert worked == []


async def test_a_deadline_that_has_passed(photo: bytes) -> None:
    async with ImageDecoder(threads=1) as decoder:
        now = asyncio.get_running_loop().time()
        with pytest.raises(DeadlineExceeded):
            await decoder.decode(photo, SPEC, deadline=now)
        await decoder.decode(photo, SPEC, deadline=now + 60)


async def test_closing_finishes_what_runs_and_refuses_the_rest(photo: bytes) -> None:
    async with ImageDecoder(threads=1) as decoder:
        running, waiting = _start(decoder, photo, 2)
        await asyncio.sleep(0)
    assert (await running).width == 1280
    with pytest.raises(ModelUnavailable):
        await waiting
    with pytest.raises(ModelUnavailable):
        await decoder.decode(photo, SPEC)
