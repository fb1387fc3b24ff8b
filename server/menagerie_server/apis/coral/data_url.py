"""Encodes files as data URLs (RFC 2397), streaming."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator


async def data_url(content_type: str, pieces: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """Yield the data URL of a file, in ASCII; nothing before the file's first piece."""
    head, rest = f"data:{content_type};base64,".encode(), b""
    async for piece in pieces:
        data = rest + piece
        # Base64 encodes groups of three bytes: an incomplete one waits for the next piece.
        end = len(data) - len(data) % 3
        yield head + await asyncio.to_thread(b64encode, data[:end])
        head, rest = b"", data[end:]
    yield head + b64encode(rest)
