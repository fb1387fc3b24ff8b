from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from menagerie.coral.v1 import coral_pb2 as pb
from menagerie_server.apis.coral.large_field import serialised

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CHUNK = pb.Chunk(x=0, y=244, width=244, height=12, probability=0.25, predicted_label="Healthy Coral")


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


@given(parts=st.lists(st.text(max_size=200)), status=st.text(), total=st.integers(0, 2**32 - 1))
async def test_it_reads_as_the_whole_message(parts: list[str], status: str, total: int) -> None:
    message = pb.GetStatusResponse(status=status, total_chunks=total, chunks=[CHUNK])

    wire = await serialised(message, "result_image", pieces(*(part.encode() for part in parts)))

    message.result_image = "".join(parts)
    assert pb.GetStatusResponse.FromString(wire) == message


async def test_a_length_of_every_size_is_told() -> None:
    for length in (0, 1, 127, 128, 2**14 - 1, 2**14, 2**21 - 1, 2**21, 2**24):
        wire = await serialised(pb.GetStatusResponse(), "result_image", pieces(b"a" * length))

        assert pb.GetStatusResponse.FromString(wire).result_image == "a" * length
