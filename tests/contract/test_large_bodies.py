"""Bodies that are too large, or come slowly or packed, from clients as people use them."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import io
import json
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

import aiohttp
import httpx
import psutil
import pytest
import requests
from tests.support import images
from tests.support.folders import open_folder
from tests.support.missing import miss
from tests.support.photos import PHOTOS
from tests.support.processes import descendants, wait_until
from tests.support.server import running_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.server import RunningServer

MEGABYTE = 1_000_000
TYPE = {"content-type": "multipart/form-data; boundary=b"}
HEAD = (
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n'
    b"Content-Type: image/jpeg\r\n\r\n"
)
TAIL = b"\r\n--b--\r\n"
TOO_LARGE = (400, '{"detail":"File too large. Maximum size is 5MB."}')

Answer: TypeAlias = "tuple[int, str]"
Client: TypeAlias = "Callable[[str, Path], Answer]"


def form(content: bytes) -> bytes:
    return HEAD + content + TAIL


def form_of(size: int) -> bytes:
    return form(bytes(size - len(HEAD) - len(TAIL)))


def by_http_client(url: str, body: Path) -> Answer:
    address = urlsplit(url)
    with closing(http.client.HTTPConnection(address.netloc, timeout=60)) as connection:
        connection.request("POST", address.path, body.read_bytes(), TYPE)
        response = connection.getresponse()
        return response.status, response.read().decode()


def by_urllib(url: str, body: Path) -> Answer:
    request = urllib.request.Request(url, body.read_bytes(), TYPE)  # noqa: S310 - a URL of the test's own
    try:
        response = urllib.request.urlopen(request, timeout=60)  # noqa: S310
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    return response.status, response.read().decode()


def by_requests(url: str, body: Path) -> Answer:
    response = requests.post(url, data=body.read_bytes(), headers=TYPE, timeout=60)
    return response.status_code, response.text


def by_httpx(url: str, body: Path) -> Answer:
    response = httpx.post(url, content=body.read_bytes(), headers=TYPE, timeout=60)
    return response.status_code, response.text


def by_httpx_in_chunks(url: str, body: Path) -> Answer:
    with body.open("rb") as file:
        response = httpx.post(url, content=iter(lambda: file.read(65536), b""), headers=TYPE, timeout=60)
    return response.status_code, response.text


def by_aiohttp(url: str, body: Path) -> Answer:
    content = body.read_bytes()

    async def post() -> Answer:
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data=io.BytesIO(content), headers=TYPE) as response,
        ):
            return response.status, await response.text()

    return asyncio.run(post())


NODE = """
const fs = require("fs")
const [url, file, type] = process.argv.slice(1)
fetch(url, { method: "POST", headers: { "content-type": type }, body: fs.readFileSync(file) })
  .then(async (response) => process.stdout.write(await response.text() + "\\n" + response.status))
"""


def by_node(url: str, body: Path) -> Answer:
    return _printed("node", "-e", NODE, url, str(body), TYPE["content-type"])


def by_curl(*flags: str) -> Client:
    def post(url: str, body: Path) -> Answer:
        headers = ("--header", f"content-type: {TYPE['content-type']}")
        sent = ("--data-binary", f"@{body}", "--max-time", "60", "--silent")
        return _printed("curl", *sent, *headers, *flags, "--write-out", "\n%{http_code}", url)

    return post


def _printed(program: str, *arguments: str) -> Answer:
    """Run a program that prints the body and, on the last line, the status."""
    if shutil.which(program) is None:
        miss(f"{program} is not installed")
    result = subprocess.run([program, *arguments], capture_output=True, text=True, check=True)
    text, _, status = result.stdout.rpartition("\n")
    return int(status), text


CLIENTS: dict[str, Client] = {
    "http.client": by_http_client,
    "urllib": by_urllib,
    "requests": by_requests,
    "httpx": by_httpx,
    "httpx, in chunks": by_httpx_in_chunks,
    "aiohttp": by_aiohttp,
    "node's fetch": by_node,
    "curl": by_curl("--http1.1"),
    "curl that does not wait": by_curl("--http1.1", "--header", "expect:"),
    "curl, in chunks": by_curl("--http1.1", "--header", "transfer-encoding: chunked", "--header", "expect:"),
    "curl over HTTP/2": by_curl("--http2-prior-knowledge"),
}


@pytest.fixture(scope="module")
def bodies(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Forms in files, by their size in MB."""
    folder = tmp_path_factory.mktemp("bodies")
    found = {size: folder / f"{size}.form" for size in (12, 100)}
    for size, path in found.items():
        path.write_bytes(form_of(size * MEGABYTE))
    return found


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
@pytest.mark.parametrize("size", [12, 100])
def test_every_client_reads_that_its_body_is_too_large(
    server: RunningServer, bodies: dict[int, Path], client: Client, size: int
) -> None:
    for url in (f"{server.species}/uploadfile/", f"{server.front_door}/species/uploadfile/"):
        status, text = client(url, bodies[size])
        assert (status, text.strip()) == TOO_LARGE


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
def test_every_client_gets_an_answer_about_a_large_photograph(
    server: RunningServer, tmp_path: Path, client: Client
) -> None:
    body = tmp_path / "form"
    body.write_bytes(form(images.padded_to(5 * MEGABYTE)))
    status, text = client(f"{server.species}/uploadfile/", body)
    assert (status, '"content_size":5000000' in text) == (200, True)


@pytest.mark.parametrize(
    ("name", "path", "size", "expected"),
    [
        ("whales", "/v1/predict-single", 30, (413, '{"detail":"The request is too large."}')),
        ("coral", "/V1/api/classify", 60, (413, '{"error":"The request is too large."}')),
        ("nsfw", "/predict/single", 60, (413, '{"detail":"File too large. Maximum size: 50MB"}')),
        ("muzzle", "/predict/file", 40, (422, '{"detail":"The request is too large. It may have 32 MB."}')),
    ],
)
def test_every_api_says_so_in_its_own_words(
    server: RunningServer, tmp_path: Path, name: str, path: str, size: int, expected: Answer
) -> None:
    body = tmp_path / "form"
    body.write_bytes(form_of(size * MEGABYTE))
    for url in (f"{server.api(name)}{path}", f"{server.front_door}/{name}{path}"):
        assert by_http_client(url, body) == expected


def request(*fields: str, length: int) -> bytes:
    head = ("POST /uploadfile/ HTTP/1.1", "host: a", f"content-type: {TYPE['content-type']}", *fields)
    return "\r\n".join((*head, f"content-length: {length}", "", "")).encode()


@pytest.mark.parametrize("way", ["own port", "front door"])
def test_who_waits_is_told_to_go_on(server: RunningServer, way: str) -> None:
    body = form(PHOTOS.an_animal().content)
    port, prefix = (
        (server.ports["species"], "") if way == "own port" else (server.front_door_port, "/species")
    )
    origin = "origin: https://reef.example"
    request_id = f"waits-at-the-{way.replace(' ', '-')}"
    fields = ("expect: 100-continue", "connection: close", origin, f"x-request-id: {request_id}")
    head = request(*fields, length=len(body))
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(head.replace(b" /", f" {prefix}/".encode(), 1))
        assert connection.recv(65536).startswith(b"HTTP/1.1 100 Continue\r\n")
        connection.sendall(body)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b'"speciesnet"' in answer
    assert answer.count(b"access-control-allow-origin: ") == 1
    # Once in a log of what reached a worker, as the API's own.
    wait_until(lambda: logged(server, request_id, server.worker()) == ["species"], "the request's line")


def logged(server: RunningServer, request_id: str, worker: str) -> list[str]:
    """Return the listeners that logged a request as passed to a worker."""
    lines = (line for line in server.log.read_text("utf-8").splitlines() if request_id in line)
    requests = (json.loads(line) for line in lines if '"event":"request"' in line)
    return [line["listener"] for line in requests if line["worker"] == worker]


@pytest.fixture(scope="module")
def closed() -> Iterator[RunningServer]:
    """A server that asks for a key, and takes one request an hour of each address."""
    with (
        open_folder() as folder,
        running_server(
            folder / "data",
            MENAGERIE_SPECIES_API_KEYS="key",
            MENAGERIE_SPECIES_RATE_LIMIT_REQUESTS="1",
            MENAGERIE_SPECIES_RATE_LIMIT_WINDOW_SECONDS="3600",
        ) as server,
    ):
        yield server


@pytest.mark.parametrize(("caller", "status"), [("192.0.2.1", 401), ("192.0.2.1", 429)])
def test_who_waits_and_is_not_let_in_is_told_before_it_sends(
    closed: RunningServer, caller: str, status: int
) -> None:
    head = request("expect: 100-continue", f"x-forwarded-for: {caller}", length=4 * MEGABYTE)
    with socket.create_connection(("127.0.0.1", closed.ports["species"]), timeout=20) as connection:
        connection.sendall(head)
        assert connection.recv(65536).startswith(f"HTTP/1.1 {status} ".encode())


def test_a_body_beyond_all_bounds_is_refused_at_once(server: RunningServer) -> None:
    with socket.create_connection(("127.0.0.1", server.ports["species"]), timeout=20) as connection:
        connection.sendall(request(length=200 * MEGABYTE))
        assert connection.recv(65536).startswith(b"HTTP/1.1 400 ")


def test_what_is_thrown_away_costs_no_memory(server: RunningServer, bodies: dict[int, Path]) -> None:
    url = f"{server.front_door}/species/uploadfile/"
    processes = [psutil.Process(process) for process in descendants(server.process.pid)]
    before = sum(process.memory_info().rss for process in processes)
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(by_curl("--header", "expect:"), url, bodies[100]) for _ in range(8)]
        most = max(_sampled(processes, answers[-1].done))
    assert {answer.result()[0] for answer in answers} == {400}
    assert most - before < 250 * MEGABYTE  # of 800 MB


def _sampled(processes: list[psutil.Process], done: Callable[[], bool]) -> Iterator[int]:
    while True:
        yield sum(process.memory_info().rss for process in processes)
        if done():
            return


def post(server: RunningServer, body: bytes, encoding: str) -> httpx.Response:
    headers = TYPE | {"content-encoding": encoding}
    return httpx.post(f"{server.species}/uploadfile/", content=body, headers=headers, timeout=30)


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "identity"])
def test_a_packed_body_is_unpacked(server: RunningServer, encoding: str) -> None:
    photo = PHOTOS.an_animal().content
    body = form(photo) if encoding == "identity" else gzip.compress(form(photo))
    answer = post(server, body, encoding)
    assert (answer.status_code, answer.json()["content_size"]) == (200, len(photo))


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "gzip, gzip"])
def test_another_encoding_is_not_taken(server: RunningServer, encoding: str) -> None:
    answer = post(server, b"packed", encoding)
    assert (answer.status_code, answer.json()) == (415, {"detail": "Unsupported Media Type"})


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (gzip.compress(form_of(7 * MEGABYTE), 0), TOO_LARGE[1]),
        (gzip.compress(form_of(300 * MEGABYTE)), TOO_LARGE[1]),
        (gzip.compress(form(images.jpeg()))[:-500], "ends before its closing boundary"),
        (b"no gzip" * 100, "ends before its closing boundary"),
    ],
    ids=["too large", "a bomb", "broken off", "no gzip"],
)
def test_a_packed_body_is_bounded(server: RunningServer, body: bytes, text: str) -> None:
    answer = post(server, body, "gzip")
    assert answer.status_code == 400
    assert text in answer.text


ATTACKERS, ORDINARY = 30, 8


def test_who_holds_back_the_end_of_large_bodies_hurts_nobody(closed: RunningServer) -> None:
    """Each of 30 bodies stops 1 MB before its end; eight others are answered as ever."""
    size = 24 * MEGABYTE
    head = request("x-forwarded-for: 192.0.2.66", length=size).replace(b"/uploadfile/", b"/v1/predict-single")
    processes = [psutil.Process(process) for process in descendants(closed.process.pid)]
    before = sum(process.memory_info().rss for process in processes)
    with ExitStack() as stack:
        for _ in range(ATTACKERS):
            connection = socket.create_connection(("127.0.0.1", closed.ports["whales"]), timeout=20)
            stack.enter_context(connection)
            connection.sendall(head + form_of(size)[: size - MEGABYTE])
        grown = sum(process.memory_info().rss for process in processes) - before
        with ThreadPoolExecutor(ORDINARY) as pool:
            url = f"{closed.api('whales')}/v1/predict-single"
            files = {"file": ("a.jpg", PHOTOS.a_scene().content, "image/jpeg")}
            statuses = pool.map(
                lambda _: httpx.post(url, files=files, timeout=60).status_code, range(4 * ORDINARY)
            )
            assert set(statuses) == {200}
    sys.stdout.write(f"{ATTACKERS} bodies of {size // MEGABYTE} MB held: {grown / MEGABYTE:.0f} MB\n")
    # What one caller's requests may hold, twice, and what is on its way.
    assert grown < 650 * MEGABYTE
