from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from google.protobuf.json_format import MessageToDict, Parse
from hypothesis import given
from hypothesis import strategies as st

from menagerie.coral.v1 import coral_pb2 as pb
from menagerie_server.apis.coral.status_json import CHUNKS_AT_ONCE, status_json, status_json_with_result
from menagerie_server.store.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

SUMMARY = pb.Summary(bleached_chunks=0, healthy_chunks=2, total_chunks=2, model_version="reef+2")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
CHUNKS = st.builds(
    pb.Chunk, x=st.integers(0, 2**32 - 1), probability=st.floats(0, 1), predicted_label=st.none() | TEXTS
)


def completed(count: int) -> pb.GetStatusResponse:
    return pb.GetStatusResponse(
        status="completed", completed_chunks=count, remaining_chunks=0, progress="2/2", summary=SUMMARY
    )


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def written(chunks: Sequence[pb.Chunk], *image: bytes) -> bytes:
    text = status_json_with_result(completed(len(chunks)), pieces(*image), chunks)
    return b"".join([piece async for piece in text])


@given(
    chunks=st.lists(CHUNKS, min_size=1),
    image=st.lists(st.sampled_from([b"", b"iVBORw0KGgo", b"/+=="]), min_size=1),
)
async def test_the_pieces_make_the_whole_status(chunks: list[pb.Chunk], image: list[bytes]) -> None:
    text = await written(chunks, *image)

    status = completed(len(chunks))
    status.chunks.extend(chunks)
    status.result_image = b"".join(image).decode()
    assert Parse(text, pb.GetStatusResponse()) == status
    assert json.loads(text) == MessageToDict(status, preserving_proto_field_name=True)
    assert list(json.loads(text)) == [
        "status",
        "completed_chunks",
        "remaining_chunks",
        "progress",
        "result_image",
        "summary",
        "chunks",
    ]


@pytest.mark.parametrize("count", [1, CHUNKS_AT_ONCE, CHUNKS_AT_ONCE + 1, 3 * CHUNKS_AT_ONCE])
async def test_every_chunk_is_there_once(count: int) -> None:
    text = await written([pb.Chunk(x=x) for x in range(count)], b"image")

    assert [chunk["x"] for chunk in json.loads(text)["chunks"]] == list(range(count))


@given(error=TEXTS)
def test_a_status_without_a_result(error: str) -> None:
    status = pb.GetStatusResponse(status="error", completed_chunks=0, error=error)

    assert json.loads(status_json(status)) == {"status": "error", "completed_chunks": 0, "error": error}


async def test_an_image_that_is_not_there_is_an_error_before_any_text() -> None:
    async def failing() -> AsyncIterator[bytes]:
        raise StoreUnavailable
        yield b""

    with pytest.raises(StoreUnavailable):
        await anext(status_json_with_result(completed(1), failing(), [pb.Chunk()]))
