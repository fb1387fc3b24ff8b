"""Downloads from URLs that callers name."""

from __future__ import annotations

import asyncio
import ssl
import zlib
from contextlib import AsyncExitStack, aclosing
from typing import TYPE_CHECKING, Final, Self

import httpx

from menagerie_server.url_fetch.errors import MEGABYTE, FetchFailed, FetchTimedOut, FetchTooLarge, InvalidUrl
from menagerie_server.url_fetch.pinned_transport import PinnedTransport, resolve

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Collection

    from menagerie_server.url_fetch.pinned_transport import Network, Resolver

MAX_REDIRECTS: Final = 5
_SCHEMES: Final = frozenset({"http", "https"})
_MAX_PORT: Final = 65535
_CHUNK: Final = 64 * 1024
_HEADERS: Final = {
    "accept": "image/*, */*;q=0.1",
    "accept-encoding": "identity",  # images hardly get smaller
    "user-agent": "menagerie",
}
_PACKED: Final = frozenset({"gzip", "x-gzip", "deflate"})
_ZLIB_OR_GZIP: Final = zlib.MAX_WBITS | 32


def check_url(url: str) -> httpx.URL:
    """Parse an http or https URL, without resolving it.

    Raises:
        InvalidUrl: it is not one.
    """
    try:
        parsed = httpx.URL(url)
        fits = parsed.port is None or 0 < parsed.port <= _MAX_PORT
        valid = fits and parsed.scheme in _SCHEMES and bool(parsed.raw_host)
    except (httpx.InvalidURL, UnicodeError, ValueError) as error:
        raise InvalidUrl(url) from error
    if not valid:
        raise InvalidUrl(url)
    return parsed


class UrlFetcher:
    """Downloads files of at most `max_bytes`, each within `seconds`; an async context manager.

    A host is resolved once for each request, all its addresses must be public, and the connection goes to one
    of them: a name that resolves to another address a moment later (DNS rebinding) gains nothing. Redirects
    are followed the same way. `allowed` are networks that count as public, too.
    """

    def __init__(
        self,
        *,
        max_bytes: int = 50 * MEGABYTE,
        seconds: float = 30.0,
        allowed: Collection[Network] = (),
        resolver: Resolver = resolve,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._transport = PinnedTransport(allowed, resolver, ssl_context or ssl.create_default_context())
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._transport)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def fetch(self, url: str) -> bytes:
        """Download a file, as `fetch_to()` does."""
        pieces: list[bytes] = []
        await self.fetch_to(url, pieces.append)
        return b"".join(pieces)

    async def fetch_to(self, url: str, receive: Callable[[bytes], object]) -> None:
        """Download a file, and let `receive` have it in small pieces.

        Raises:
            InvalidUrl: it is not an http or https URL.
            AddressRefused: it, or a redirect, leads to an address that is not public.
            FetchTooLarge: the file is larger than `max_bytes`, whatever its headers say.
            FetchTimedOut: it took longer than `seconds`, from the resolution of the name to the last byte.
            FetchFailed: the resolution, the connection or the server failed; the text says which.
        """
        parsed = check_url(url)
        try:
            async with asyncio.timeout(self._seconds), self._client() as client:
                await self._download(client, client.build_request("GET", parsed), receive)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise FetchTimedOut from error
        except (httpx.InvalidURL, InvalidUrl) as error:
            raise FetchFailed("a redirect leads to no http or https URL") from error
        except httpx.HTTPError as error:
            raise FetchFailed(_describe(error)) from error

    def _client(self) -> httpx.AsyncClient:
        # A client for each download, as cookies are a caller's own. No proxy of the environment's: it would
        # resolve the name once more.
        timeout = httpx.Timeout(self._seconds, connect=self._seconds / 3)  # leaves time for another address
        return httpx.AsyncClient(
            transport=_Shared(self._transport), headers=_HEADERS, timeout=timeout, trust_env=False
        )

    async def _download(
        self, client: httpx.AsyncClient, request: httpx.Request, receive: Callable[[bytes], object]
    ) -> None:
        for _ in range(1 + MAX_REDIRECTS):
            # httpx's own redirects read the body of each answer, however long.
            response = await client.send(request, stream=True, follow_redirects=False)
            try:
                if response.next_request is None:
                    return await self._content(response, receive)
                request = response.next_request
                check_url(str(request.url))
            finally:
                await response.aclose()
        raise FetchFailed("too many redirects")

    async def _content(self, response: httpx.Response, receive: Callable[[bytes], object]) -> None:
        if not response.is_success:
            raise FetchFailed(f"HTTP {response.status_code}")
        length = response.headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._max_bytes:
            raise FetchTooLarge(self._max_bytes)
        size = 0
        async with aclosing(_unpacked(response)) as unpacked:
            async for piece in unpacked:
                size += len(piece)
                if size > self._max_bytes:
                    raise FetchTooLarge(self._max_bytes)
                receive(piece)


class _Shared(httpx.AsyncBaseTransport):
    """A transport that outlives the clients that use it."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Hand the request on."""
        return await self._transport.handle_async_request(request)


async def _unpacked(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    """Yield the content in small pieces, decompressed if necessary, however much it expands to."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding in {"identity", ""}:
        async for piece in response.aiter_raw(_CHUNK):
            yield piece
        return
    if encoding not in _PACKED:
        raise FetchFailed("the content encoding is not supported")
    unpacker = zlib.decompressobj(_ZLIB_OR_GZIP)
    async for packed in response.aiter_raw(_CHUNK):
        try:
            piece = unpacker.decompress(packed, _CHUNK)
            while piece:
                yield piece
                piece = unpacker.decompress(unpacker.unconsumed_tail, _CHUNK)
        except zlib.error as error:
            raise FetchFailed("the content encoding is damaged") from error
    if not unpacker.eof:
        raise FetchFailed("the content encoding is damaged")


def _describe(error: httpx.HTTPError) -> str:
    return "no connection" if isinstance(error, httpx.ConnectError) else "the server broke off"
