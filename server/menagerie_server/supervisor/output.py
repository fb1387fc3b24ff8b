"""What a child writes, line by line."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO, Final, cast

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

MAX_LINE_BYTES: Final = 1024 * 1024
"""A longer line is handed on in pieces."""

REST_SECONDS: Final = 1.0
"""How long to wait for the rest of what a child wrote that has ended: its own children may hold the pipe."""


class Lines(asyncio.Protocol):
    """Hands on each line that arrives on a pipe."""

    def __init__(self, receive: Callable[[str], None]) -> None:
        self._receive = receive
        self._rest = b""
        self.ended = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        """Hand on the lines that are whole."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MAX_LINE_BYTES:
            lines, self._rest = [*lines, self._rest], b""
        for line in lines:
            self._receive(line.decode(errors="replace"))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Hand on what is left."""
        if self._rest:
            self._receive(self._rest.decode(errors="replace"))
        self.ended.set()


@asynccontextmanager
async def pipe(receive: Callable[[str], None] | None) -> AsyncIterator[int | None]:
    """Yield the writing end of a pipe for one child; None, which is our own output, where nobody receives.

    The child has ended at the end of the block, and what it wrote is then handed on.
    """
    if receive is None:
        yield None
        return
    reading, writing = os.pipe()
    lines = Lines(receive)
    file = cast("BinaryIO", os.fdopen(reading, "rb", buffering=0))
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: lines, file)
    try:
        yield writing
    finally:
        os.close(writing)
        with suppress(TimeoutError):
            await asyncio.wait_for(lines.ended.wait(), REST_SECONDS)
        transport.close()
