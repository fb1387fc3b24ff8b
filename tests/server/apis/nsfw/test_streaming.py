"""Records on their way to a slow reader, and uploads as they arrive."""

from __future__ import annotations

import asyncio
import contextlib
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import images

from menagerie.nsfw.v1 import nsfw_pb2 as pb
from menagerie.type.v1.image_pb2 import Image
from menagerie_server.apis.nsfw.errors import InvalidImage, TotalTooLarge
from menagerie_server.apis.nsfw.streaming import BYTES_IN_MEMORY, Spool
from menagerie_server.apis.nsfw.upload import MAX_BYTES, SINGLE, ImageReceiver, Limits
from menagerie_server.errors import InvalidRequest, RequestTooLarge

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMITS = Limits("files", 3, "Too many.", 2, "2MB")
MEBIBYTE = 1024 * 1024

sizes = st.lists(st.integers(0, 5) | st.integers(90_000, 110_000), max_size=20)


@given(sizes, st.integers(0, 20))
def test_records_come_out_in_their_order_however_late_they_are_read(
    sizes: Sequence[int], before: int
) -> None:
    """Some are sent before the reader begins: all that does not fit into memory is on the disk."""
    sent = [bytes([place]) * size for place, size in enumerate(sizes)]

    async def exchange() -> list[bytes]:
        async with Spool() as spool:
            for record in sent[:before]:
                await spool.put(record)

            async def send_the_rest() -> None:
                for record in sent[before:]:
                    await spool.put(record)
                    await asyncio.sleep(0)
                spool.close()

            sending = asyncio.create_task(send_the_rest())
            found = [record async for record in spool]
            await sending
            return found

    assert asyncio.run(exchange()) == sent


async def test_what_nobody_reads_costs_disk_and_no_memory() -> None:
    tracemalloc.start()
    async with Spool() as spool:
        for _ in range(100):
            await spool.put(bytes(100_000))
        held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 4 * BYTES_IN_MEMORY


async def test_a_reader_who_leaves_ends_nothing() -> None:
    async with Spool() as spool:
        await spool.put(b"a")
        async for record in spool:
            assert record == b"a"
            break
        await spool.put(b"b")
        spool.close()
        assert [record async for record in spool] == [b"b"]


def take(receiver: ImageReceiver, name: str, content: bytes, *, piece: int = 300_000) -> None:
    """Receive a file of a form."""
    file = receiver.open_file("files", name, "image/jpeg")
    assert file is not None
    for start in range(0, len(content), piece):
        file.receive(content[start : start + piece])
    file.complete()


@pytest.mark.parametrize("size", [100_000, MEBIBYTE + 1])
def test_an_image_comes_as_it_was_sent_from_memory_or_from_the_disk(size: int) -> None:
    content = images.padded_to(size)
    with contextlib.closing(ImageReceiver(LIMITS)) as receiver:
        take(receiver, "a.jpg", content)
        (image,) = receiver.arrived
        image.check()
        assert (image.content(), image.size, image.format) == (content, size, "jpeg")


def test_one_image_more_than_allowed() -> None:
    with contextlib.closing(ImageReceiver(LIMITS)) as receiver:
        for name in ("a", "b", "c"):
            take(receiver, name, b"")
        with pytest.raises(InvalidRequest, match=r"^Too many\.$"):
            take(receiver, "d", b"")
        assert (receiver.count, receiver.latest, len(receiver.arrived)) == (3, "d", 3)


def test_all_images_together_are_counted() -> None:
    with contextlib.closing(ImageReceiver(LIMITS)) as receiver:
        take(receiver, "a", bytes(MEBIBYTE))
        take(receiver, "b", bytes(MEBIBYTE))
        with pytest.raises(TotalTooLarge, match=r"^Request too large\. Maximum total size: 2MB$"):
            take(receiver, "c", b"x")


def test_an_image_that_is_too_large_is_thrown_away_or_ends_the_call() -> None:
    request = pb.PredictStreamingRequest(image=Image(content=bytes(MAX_BYTES + 1), filename="a"))
    lenient = Limits("files", 3, "Too many.", 200, "200MB")
    with contextlib.closing(ImageReceiver(lenient)) as receiver:
        receiver.take(request)
        (image,) = receiver.arrived
        with pytest.raises(RequestTooLarge):
            image.check()
    with contextlib.closing(ImageReceiver(SINGLE)) as receiver, pytest.raises(RequestTooLarge):
        receiver.take(request)


@pytest.mark.parametrize(("name", "filename"), [("other", "a.jpg"), ("files", "")])
def test_files_that_nobody_asked_for(name: str, filename: str) -> None:
    with contextlib.closing(ImageReceiver(LIMITS)) as receiver:
        assert receiver.open_file(name, filename, "image/jpeg") is None
        assert receiver.count == 0


@pytest.mark.parametrize("content", [b"", b"text", b"<svg/>", b"GIF8"])
def test_what_is_no_image(content: bytes) -> None:
    with contextlib.closing(ImageReceiver(LIMITS)) as receiver:
        take(receiver, "a.png", content)
        with pytest.raises(InvalidImage):
            receiver.arrived[0].check()
