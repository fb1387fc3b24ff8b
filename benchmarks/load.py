"""Load: a number of callers, each with one request under way at a time, over REST and over gRPC."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Call = Callable[[], Awaitable[object]]

BOUNDARY = b"------------------------q7f3kXbW0sTn2LdVhYpA9c"
"""Of curl's form: how long a boundary is decides how fast its like is looked for."""


@dataclass(frozen=True)
class Result:
    """What a run of calls gave: how many a second, and how long each took."""

    per_second: float
    milliseconds: np.ndarray

    def percentile(self, share: float) -> float:
        """Return the latency that this share of the calls stayed within, in milliseconds."""
        return float(np.percentile(self.milliseconds, share))


async def measure(callers: list[Call], *, calls: int) -> Result:
    """Make this many calls, shared by the callers."""
    started = time.perf_counter()
    durations = await run(callers, calls)
    return Result(calls / (time.perf_counter() - started), np.array(durations) * 1000)


async def run(callers: list[Call], calls: int) -> list[float]:
    """Make this many calls, shared by the callers; return how long each took, in seconds."""
    durations: list[float] = []
    remaining = iter(range(calls))

    async def keep_calling(call: Call) -> None:
        for _ in remaining:
            started = time.perf_counter()
            await call()
            durations.append(time.perf_counter() - started)

    async with asyncio.TaskGroup() as tasks:
        for call in callers:
            tasks.create_task(keep_calling(call))
    return durations


class RestCaller:
    """A caller over one HTTP/1.1 connection; it writes bytes made beforehand, to cost little itself."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> None:
        self._reader = reader
        self._writer = writer
        self._request = request

    @classmethod
    @asynccontextmanager
    async def several(cls, count: int, port: int, request: bytes) -> AsyncIterator[list[Call]]:
        """Give so many callers, each with a connection of its own."""
        connections = [await asyncio.open_connection("127.0.0.1", port) for _ in range(count)]
        try:
            yield [cls(reader, writer, request) for reader, writer in connections]
        finally:
            for _, writer in connections:
                writer.close()

    async def __call__(self) -> None:
        """Make one call.

        Raises:
            RuntimeError: when it is not answered with 200.
        """
        self._writer.write(self._request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        body = await self._reader.readexactly(length)
        if not head.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(f"{head!r} {body!r}")


def get(path: str) -> bytes:
    """Return the bytes of a GET."""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def post_json(path: str, body: object) -> bytes:
    """Return the bytes of a body of JSON."""
    text = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return head.encode() + b"Content-Length: %d\r\n\r\n" % len(text) + text


def post_form(path: str, photo: bytes, **texts: str) -> bytes:
    """Return the bytes of a form with some texts and one photograph, as curl would send it."""
    parts = [(name.encode(), text.encode()) for name, text in texts.items()]
    body = b"".join(
        b'--%b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (BOUNDARY, name, text)
        for name, text in parts
    )
    body += b'--%b\r\nContent-Disposition: form-data; name="file"; filename="photo.jpg"\r\n' % BOUNDARY
    body += b"Content-Type: image/jpeg\r\n\r\n%b\r\n--%b--\r\n" % (photo, BOUNDARY)
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n".encode()
    head += b"Content-Type: multipart/form-data; boundary=%b\r\n\r\n" % BOUNDARY
    return head + body
