"""Images by URL: downloaded from a server of the test's own, and from no address that is not allowed."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.contract.cases.nsfw import INVALID_IMAGE
from tests.support import images
from tests.support.folders import open_folder
from tests.support.server import running_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.support.server import RunningServer

REFUSED = "Failed to download image from URL: not a public address"


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """A server that may download from one address of this machine."""
    with (
        open_folder() as folder,
        running_server(folder / "data", MENAGERIE_NSFW_ALLOWED_NETWORKS="127.0.0.1/32") as server,
    ):
        yield server


@asynccontextmanager
async def files() -> AsyncIterator[str]:
    """Serve some files; gives the URL that they are under."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
        status, header, body = ANSWERS.get(path, ("404 Not Found", "", b""))
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{header}\r\n"
        with suppress(ConnectionError):  # who wants no more of a large file breaks off
            writer.write(head.encode() + body)
            await writer.drain()
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listener:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"


ANSWERS = {
    "/photos/image1.jpg?size=full": ("200 OK", "Content-Type: text/html\r\n", images.jpeg()),
    "/b%20c.avif": ("200 OK", "", images.encode(images.drawing(), "AVIF")),
    "/page.jpg": ("200 OK", "Content-Type: image/jpeg\r\n", b"<html></html>"),
    "/damaged.jpg": ("200 OK", "", images.damaged_jpeg()),
    "/huge.jpg": ("200 OK", "", images.padded_to(50 * 1024 * 1024 + 1)),
    "/away": ("302 Found", "Location: http://127.0.0.2/a.jpg\r\n", b""),
}


async def ask(server: RunningServer, *urls: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=server.api("nsfw"), timeout=60) as client:
        return await client.post("/predict/urls", json={"urls": urls})


async def answer(server: RunningServer, *urls: str) -> dict[str, Any]:
    response = await ask(server, *urls)
    assert response.status_code == 200
    found: dict[str, Any] = response.json()
    return found


async def test_what_can_be_had_is_judged_and_the_rest_is_told(server: RunningServer) -> None:
    async with files() as base:
        good = [f"{base}/photos/image1.jpg?size=full", f"{base}/b%20c.avif"]
        bad = [f"{base}/{name}" for name in ("missing.jpg", "page.jpg", "damaged.jpg", "huge.jpg", "away")]
        found = await answer(server, good[0], *bad, good[1])
    predictions, summary = found["predictions"], found["summary"]
    assert [(one["url"], one["image"]) for one in predictions] == [
        (good[0], "image1.jpg"),
        (good[1], "b c.avif"),
    ]
    assert all(one["image_hosted"] and one["total_time_ms"] > 0 for one in predictions)
    assert summary["total_images"] == 2
    why = ["Failed to download image from URL: HTTP 404", INVALID_IMAGE, "Could not decode image file"]
    why += ["File too large. Maximum size: 50MB", REFUSED]
    assert summary["errors"] == [f"Error for {url}: {text}" for url, text in zip(bad, why, strict=True)]


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.2", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.1", "100.64.0.1"),
        *("[::1]", "[fd00::1]", "[fe80::1]", "[::ffff:10.0.0.1]", "[::ffff:127.0.0.2]", "[64:ff9b::a00:1]"),
        *("2130706434", "0x7f000002", "0177.0.2", "0x7f.2", "127.2", "localhost.", "[::]"),
    ],
)
async def test_an_address_that_is_not_public_is_refused(server: RunningServer, host: str) -> None:
    url = f"http://{host}/a.jpg"
    found = await answer(server, url)
    assert found["predictions"] == []
    (error,) = found["summary"]["errors"]
    assert error.startswith(f"Error for {url}: Failed to download image from URL: ")
    if host != "localhost.":  # which may be 127.0.0.1, and nobody listens there
        assert error == f"Error for {url}: {REFUSED}"


@pytest.mark.parametrize(
    ("urls", "status", "detail"),
    [
        (["not-a-valid-url"], 400, "URL validation errors: Invalid URL format: not-a-valid-url"),
        (
            ["ftp://a.example/b", "https://a.example/c.jpg", "file:///etc/passwd"],
            400,
            "URL validation errors: Invalid URL format: ftp://a.example/b, Invalid URL format: file:///etc/passwd",
        ),
        (["https://a.example/b.jpg"] * 11, 400, "Too many URLs. Maximum: 10"),
        ([], 422, "Field required: urls"),
    ],
)
async def test_urls_are_checked_before_any_is_asked_for(
    server: RunningServer, urls: list[str], status: int, detail: str
) -> None:
    response = await ask(server, *urls)
    assert (response.status_code, response.json()) == (status, {"detail": detail})
