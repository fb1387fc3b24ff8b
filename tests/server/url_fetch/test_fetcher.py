"""Downloads from a server of the test's own, whose address is allowed."""

from __future__ import annotations

import asyncio
import gzip
import ipaddress
import ssl
import tracemalloc
import zlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import numpy as np
import pytest
import trustme

from menagerie_server.url_fetch import (
    AddressRefused,
    FetchError,
    FetchFailed,
    FetchTimedOut,
    FetchTooLarge,
    UrlFetcher,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

HERE = ipaddress.IPv4Network("127.0.0.1/32")
CONTENT = np.random.default_rng(0).bytes(200_000)


class Server:
    """Answers each path with the bytes that are given for it, and notes what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes] = {}
        self.scripts: dict[str, Callable[[asyncio.StreamWriter], Awaitable[None]]] = {}
        self.requests: list[str] = []
        self.left = asyncio.Event()
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.requests.append(head)
            path = head.split()[1]
            if path in self.scripts:
                await self.scripts[path](writer)
            else:
                writer.write(self.answers[path])
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            self.left.set()
        finally:
            writer.close()

    def url(self, path: str, host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"


@asynccontextmanager
async def serving(context: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server()
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=context)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as server:
        yield server


@pytest.fixture
async def fetcher() -> AsyncIterator[UrlFetcher]:
    async with UrlFetcher(allowed=[HERE], max_bytes=1024 * 1024, seconds=5) as fetcher:
        yield fetcher


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode() + body


def sized(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    return answer(body, f"Content-Length: {len(body)}", *headers, status=status)


def redirect(location: str) -> bytes:
    return sized(b"", f"Location: {location}", status="302 Found")


def chunked(body: bytes) -> bytes:
    return answer(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body), "Transfer-Encoding: chunked")


@pytest.mark.parametrize("make", [sized, chunked, answer])
async def test_a_file_is_downloaded(
    server: Server, fetcher: UrlFetcher, make: Callable[[bytes], bytes]
) -> None:
    server.answers["/a.jpg?b=c"] = make(CONTENT)
    assert await fetcher.fetch(server.url("/a.jpg?b=c#d")) == CONTENT


async def test_the_content_type_decides_nothing(server: Server, fetcher: UrlFetcher) -> None:
    server.answers["/a"] = sized(CONTENT, "Content-Type: text/html")
    assert await fetcher.fetch(server.url("/a")) == CONTENT


async def test_an_address_is_refused_unless_it_is_allowed(server: Server) -> None:
    server.answers["/a"] = sized(CONTENT)
    async with UrlFetcher() as fetcher:
        with pytest.raises(AddressRefused):
            await fetcher.fetch(server.url("/a"))
    assert server.requests == []


async def test_a_name_is_resolved_once_and_the_server_hears_it(server: Server) -> None:
    """DNS rebinding: the second answer, which nobody checks, is never asked for."""
    server.answers["/a"] = sized(CONTENT)
    resolved = iter(["127.0.0.1", "10.0.0.1"])

    async def resolve(_host: str, _port: int) -> list[str]:
        return [next(resolved)]

    async with UrlFetcher(allowed=[HERE], resolver=resolve) as fetcher:
        assert await fetcher.fetch(server.url("/a", "images.test")) == CONTENT
        assert f"host: images.test:{server.port}\r\n" in server.requests[0].lower()
        with pytest.raises(AddressRefused):
            await fetcher.fetch(server.url("/a", "images.test"))
    assert len(server.requests) == 1


async def test_the_next_address_is_tried_where_one_takes_no_connection(server: Server) -> None:
    server.answers["/a"] = sized(CONTENT)

    async def resolve(_host: str, _port: int) -> list[str]:
        return ["127.0.0.9", "127.0.0.1"]

    loopback = ipaddress.IPv4Network("127.0.0.0/8")
    async with UrlFetcher(allowed=[loopback], resolver=resolve) as fetcher:
        assert await fetcher.fetch(server.url("/a", "images.test")) == CONTENT


async def test_redirects_are_followed(server: Server, fetcher: UrlFetcher) -> None:
    server.answers |= {
        "/a": redirect("/b"),
        "/b": redirect(server.url("/c")),
        "/c": sized(CONTENT),
    }
    assert await fetcher.fetch(server.url("/a")) == CONTENT


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.2/",
        "http://localhost:{port}/../b",
        "http://169.254.169.254/latest/meta-data/",
        "https://[::1]:{port}/b",
        "http://2130706433:{port}/b",
        "//10.0.0.1/b",
    ],
)
async def test_a_redirect_to_an_address_that_is_not_public_is_refused(server: Server, location: str) -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1", "::1"]

    server.answers |= {"/a": redirect(location.format(port=server.port)), "/b": sized(CONTENT)}
    async with UrlFetcher(allowed=[HERE], resolver=resolve) as fetcher:
        with pytest.raises(AddressRefused):
            await fetcher.fetch(server.url("/a"))
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "ftp://127.0.0.1/a", "data:image/png;base64,aa", "http://127.0.0.1:99999/"],
)
async def test_a_redirect_to_another_kind_of_url_is_refused(
    server: Server, fetcher: UrlFetcher, location: str
) -> None:
    server.answers["/a"] = redirect(location)
    with pytest.raises(FetchFailed, match="a redirect leads to no http or https URL"):
        await fetcher.fetch(server.url("/a"))


async def test_redirects_in_a_circle_end(server: Server, fetcher: UrlFetcher) -> None:
    server.answers["/a"] = redirect("/a")
    with pytest.raises(FetchFailed, match=r"^Failed to download image from URL: too many redirects$"):
        await fetcher.fetch(server.url("/a"))
    assert len(server.requests) == 6


async def test_the_body_of_a_redirect_is_not_read(server: Server, fetcher: UrlFetcher) -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(answer(b"", "Location: /b", status="302 Found"))
        while True:
            writer.write(bytes(65536))
            await writer.drain()

    server.scripts["/a"] = endless
    server.answers["/b"] = sized(CONTENT)
    assert await fetcher.fetch(server.url("/a")) == CONTENT
    await asyncio.wait_for(server.left.wait(), 5)


@pytest.mark.parametrize("status", ["404 Not Found", "500 Oh", "403 Forbidden", "304 Not Modified"])
async def test_another_status_is_told(server: Server, fetcher: UrlFetcher, status: str) -> None:
    server.answers["/a"] = answer(b"", "Content-Length: 0", status=status)
    with pytest.raises(FetchFailed) as failed:
        await fetcher.fetch(server.url("/a"))
    assert str(failed.value) == f"Failed to download image from URL: HTTP {status[:3]}"


async def test_a_file_at_the_limit_is_downloaded(server: Server) -> None:
    server.answers["/a"] = sized(CONTENT)
    async with UrlFetcher(allowed=[HERE], max_bytes=len(CONTENT)) as fetcher:
        assert len(await fetcher.fetch(server.url("/a"))) == len(CONTENT)


async def test_a_length_over_the_limit_is_refused_before_the_first_byte(
    server: Server, fetcher: UrlFetcher
) -> None:
    async def only_headers(writer: asyncio.StreamWriter) -> None:
        writer.write(answer(b"", "Content-Length: 99999999999999999999"))
        await asyncio.sleep(30)

    server.scripts["/a"] = only_headers
    with pytest.raises(FetchTooLarge) as refused:
        await fetcher.fetch(server.url("/a"))
    assert str(refused.value) == "File too large. Maximum size: 1MB"


@pytest.mark.parametrize("headers", [(), ("Transfer-Encoding: chunked",)])
async def test_a_file_without_a_length_is_cut_off_at_the_limit(
    server: Server, fetcher: UrlFetcher, headers: tuple[str, ...]
) -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(answer(b"", *headers))
        while True:
            writer.write(b"10000\r\n" + bytes(65536) + b"\r\n" if headers else bytes(65536))
            await writer.drain()

    server.scripts["/a"] = endless
    with pytest.raises(FetchTooLarge):
        await fetcher.fetch(server.url("/a"))
    await asyncio.wait_for(server.left.wait(), 5)


async def test_what_follows_behind_the_length_is_not_read(server: Server, fetcher: UrlFetcher) -> None:
    server.answers["/a"] = answer(CONTENT + bytes(100), f"Content-Length: {len(CONTENT)}")
    assert await fetcher.fetch(server.url("/a")) == CONTENT


async def test_a_file_that_breaks_off_is_a_failure(server: Server, fetcher: UrlFetcher) -> None:
    server.answers["/a"] = answer(CONTENT, f"Content-Length: {len(CONTENT) + 1}")
    with pytest.raises(FetchFailed, match="the server broke off"):
        await fetcher.fetch(server.url("/a"))


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_what_a_server_packs_unasked_is_unpacked(
    server: Server, fetcher: UrlFetcher, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    content = CONTENT + bytes(500_000)
    server.answers["/a"] = sized(pack(content), f"Content-Encoding: {encoding}")
    assert await fetcher.fetch(server.url("/a")) == content
    assert "accept-encoding: identity\r\n" in server.requests[0].lower()


async def test_a_packed_bomb_is_refused_while_it_is_unpacked(server: Server, fetcher: UrlFetcher) -> None:
    """256 MB in a quarter of one, at a limit of 1 MB."""
    packer = zlib.compressobj(9)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(256)) + packer.flush()
    server.answers["/a"] = sized(bomb, "Content-Encoding: deflate")
    tracemalloc.start()
    try:
        with pytest.raises(FetchTooLarge):
            await fetcher.fetch(server.url("/a"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(bomb) < 300_000
    assert peak < 8_000_000


@pytest.mark.parametrize(
    ("body", "encoding", "text"),
    [
        (CONTENT, "gzip", "damaged"),
        (gzip.compress(CONTENT)[:-10], "gzip", "damaged"),
        (CONTENT, "br", "not supported"),
        (CONTENT, "gzip, gzip", "not supported"),
    ],
)
async def test_other_packing_is_refused(
    server: Server, fetcher: UrlFetcher, body: bytes, encoding: str, text: str
) -> None:
    server.answers["/a"] = sized(body, f"Content-Encoding: {encoding}")
    with pytest.raises(FetchFailed, match=f"the content encoding is {text}"):
        await fetcher.fetch(server.url("/a"))


@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 200 OK\r\n", answer(b"", "Content-Length: 1000")])
async def test_a_server_that_drips_is_left_in_time(server: Server, first: bytes) -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    server.scripts["/a"] = drip
    loop = asyncio.get_running_loop()
    async with UrlFetcher(allowed=[HERE], seconds=0.4) as fetcher:
        start = loop.time()
        with pytest.raises(FetchTimedOut) as late:
            await fetcher.fetch(server.url("/a"))
        assert 0.3 < loop.time() - start < 2
    assert str(late.value) == "Timeout downloading image from URL"
    await asyncio.wait_for(server.left.wait(), 5)


async def test_the_time_counts_from_the_names_resolution_over_redirects(server: Server) -> None:
    async def slow(_host: str, _port: int) -> list[str]:
        await asyncio.sleep(0.15)
        return ["127.0.0.1"]

    server.answers["/a"] = redirect("/a")
    async with UrlFetcher(allowed=[HERE], seconds=0.4, resolver=slow) as fetcher:
        with pytest.raises(FetchTimedOut):
            await fetcher.fetch(server.url("/a", "images.test"))


async def test_no_connection_and_no_such_name_are_told(fetcher: UrlFetcher) -> None:
    async def nothing(_host: str, _port: int) -> list[str]:
        raise OSError("Name or service not known")

    with pytest.raises(FetchFailed, match=r"^Failed to download image from URL: no connection$"):
        await fetcher.fetch("http://127.0.0.1:1/a")
    async with UrlFetcher(resolver=nothing) as other:
        with pytest.raises(FetchFailed, match="the host name does not resolve"):
            await other.fetch("http://images.test/")


async def test_what_does_not_speak_http_is_a_failure(server: Server, fetcher: UrlFetcher) -> None:
    server.answers["/a"] = b"SSH-2.0-OpenSSH_9.2\r\n"
    with pytest.raises(FetchFailed, match="the server broke off"):
        await fetcher.fetch(server.url("/a"))


async def test_endless_headers_are_a_failure(server: Server, fetcher: UrlFetcher) -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"x-more: " + b"a" * 1000 + b"\r\n")
            await writer.drain()

    server.scripts["/a"] = endless
    with pytest.raises(FetchFailed):
        await fetcher.fetch(server.url("/a"))


async def test_certificates_are_checked_for_the_name_that_was_asked_for() -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("images.test").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)

    async def resolve(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    async with serving(context) as server:
        server.answers["/a"] = sized(CONTENT)
        async with UrlFetcher(allowed=[HERE], resolver=resolve, ssl_context=trusting) as fetcher:
            assert await fetcher.fetch(server.url("/a", "images.test", "https")) == CONTENT
            with pytest.raises(FetchFailed, match="no connection"):
                await fetcher.fetch(server.url("/a", "other.test", "https"))
        async with UrlFetcher(allowed=[HERE], resolver=resolve) as suspicious:
            with pytest.raises(FetchFailed, match="no connection"):
                await suspicious.fetch(server.url("/a", "images.test", "https"))


async def test_cookies_are_forgotten_and_proxies_are_not_asked(
    server: Server, fetcher: UrlFetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    server.answers["/a"] = sized(CONTENT, "Set-Cookie: who=me; Path=/")
    await fetcher.fetch(server.url("/a"))
    await fetcher.fetch(server.url("/a"))
    assert "cookie" not in server.requests[1].lower()


async def test_ten_are_downloaded_at_the_same_time(server: Server, fetcher: UrlFetcher) -> None:
    everyone = asyncio.Barrier(10)

    async def wait(writer: asyncio.StreamWriter) -> None:
        await everyone.wait()
        writer.write(sized(CONTENT))
        await writer.drain()

    server.scripts["/a"] = wait
    async with asyncio.timeout(5):
        found = await asyncio.gather(*(fetcher.fetch(server.url("/a")) for _ in range(10)))
    assert found == [CONTENT] * 10


async def test_a_caller_who_leaves_ends_the_download(server: Server, fetcher: UrlFetcher) -> None:
    begun = asyncio.Event()

    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(answer(b""))
        begun.set()
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    server.scripts["/a"] = endless
    download = asyncio.create_task(fetcher.fetch(server.url("/a")))
    await begun.wait()
    download.cancel()
    with pytest.raises(asyncio.CancelledError):
        await download
    await asyncio.wait_for(server.left.wait(), 1)


def test_every_reason_is_a_fetch_error() -> None:
    assert {one.__name__ for one in FetchError.__subclasses__()} == {
        "AddressRefused",
        "FetchFailed",
        "FetchTimedOut",
        "FetchTooLarge",
        "InvalidUrl",
    }
