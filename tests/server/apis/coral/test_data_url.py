from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from menagerie_server.apis.coral.data_url import data_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@given(parts=st.lists(st.binary(max_size=20)))
async def test_pieces_make_the_url_of_the_whole_file(parts: list[bytes]) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for part in parts:
            yield part

    url = b"".join([letters async for letters in data_url("image/png", pieces())])

    scheme, _, encoded = url.partition(b",")
    assert scheme == b"data:image/png;base64"
    assert base64.b64decode(encoded, validate=True) == b"".join(parts)
