"""Kept images: what is served of them, and under which URL."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import grpc
import httpx
import pytest
from tests.contract.test_real_clients import exchange
from tests.support import images
from tests.support.folders import open_folder
from tests.support.server import running_server

from menagerie.nsfw.v1 import nsfw_pb2 as pb
from menagerie.nsfw.v1 import nsfw_pb2_grpc
from menagerie.type.v1.image_pb2 import Image

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.support.server import RunningServer

NOT_FOUND = {"detail": "Image not found"}
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.fixture
def client(server: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.api("nsfw"), timeout=60) as client:
        yield client


def judge(
    client: httpx.Client, content: bytes, name: str = "a.jpg", type_: str = "image/jpeg"
) -> httpx.Response:
    return client.post("/predict/single", files={"file": (name, content, type_)})


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF"])
def test_an_image_comes_back_as_it_was_sent(client: httpx.Client, format_: str) -> None:
    content = images.encode(images.drawing(), format_)
    answer = judge(client, content, "page.html", "text/html").json()
    response = httpx.get(answer["image_url"])
    assert response.content == content
    assert response.headers["content-type"] == f"image/{format_.lower()}"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in response.headers["content-security-policy"]


def test_an_image_that_is_a_page_too_is_an_image(client: httpx.Client) -> None:
    """What follows a GIF's end is ignored by decoders, and is read by browsers that guess."""
    content = images.encode(images.drawing(), "GIF") + b"<html><script>alert(1)</script></html>"
    response = httpx.get(judge(client, content, "a.gif").json()["image_url"])
    assert response.headers["content-type"] == "image/gif"
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("content", [SVG, b"<?xml version='1.0'?>" + SVG, b"<html></html>"])
def test_what_is_no_image_is_never_kept(client: httpx.Client, content: bytes) -> None:
    before = client.get("/stats").json()["database_stats"]["total_images_hosted"]
    assert judge(client, content, "a.svg", "image/svg+xml").status_code == 400
    assert client.get("/stats").json()["database_stats"]["total_images_hosted"] == before


def test_ids_are_not_to_be_guessed(client: httpx.Client) -> None:
    ids = {judge(client, images.jpeg()).json()["image_id"] for _ in range(5)}
    assert len(ids) == 5
    assert {len(bytes.fromhex(one)) for one in ids} == {16}


@pytest.mark.parametrize(
    "path",
    [
        "0" * 32,
        "abc123def456",
        "..%2F..%2Fetc%2Fpasswd",
        "%2Fetc%2Fpasswd",
        "..%5C..%5Cetc",
        "%00",
        "a" * 5000,
    ],
)
def test_what_is_no_id_finds_nothing(server: RunningServer, path: str) -> None:
    status, _, body = exchange(
        server.ports["nsfw"], b"GET /image/%b HTTP/1.1\r\nHost: a\r\n\r\n" % path.encode()
    )
    assert status.split()[1] in {b"404", b"400"}
    assert b"root:" not in body


@pytest.mark.parametrize("suffix", ["%2F..", "%2F", "/../x", "%00", " ", "0"])
def test_nothing_is_added_to_an_id(client: httpx.Client, server: RunningServer, suffix: str) -> None:
    image_id = judge(client, images.jpeg()).json()["image_id"]
    path = f"/image/{image_id}{suffix}".replace(" ", "%20")
    status, _, _ = exchange(server.ports["nsfw"], f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    assert status.split()[1] in {b"404", b"400"}


async def test_grpc_callers_get_an_image_in_one_message_or_in_pieces(
    server: RunningServer, client: httpx.Client
) -> None:
    content = images.padded_to(2_000_000)
    image_id = judge(client, content).json()["image_id"]
    async with grpc.aio.insecure_channel(server.worker()) as channel:
        stub: nsfw_pb2_grpc.NsfwServiceAsyncStub = nsfw_pb2_grpc.NsfwServiceStub(channel)
        whole = (await stub.GetImage(pb.GetImageRequest(image_id=image_id))).image
        pieces = [one.image async for one in stub.DownloadImage(pb.DownloadImageRequest(image_id=image_id))]
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.GetImage(pb.GetImageRequest(image_id="../images"))
    assert (whole.content_type, whole.data) == ("image/jpeg", content)
    assert b"".join(piece.data for piece in pieces) == content
    assert (pieces[0].content_type, len(pieces) > 1) == ("image/jpeg", True)
    assert (refused.value.code(), refused.value.details()) == (grpc.StatusCode.NOT_FOUND, "Image not found")


def test_an_image_of_50_megabytes_is_kept(client: httpx.Client) -> None:
    content = images.padded_to(50 * 1024 * 1024)
    answer = judge(client, content).json()
    assert answer["image_size_mb"] == 50
    assert httpx.get(answer["image_url"], timeout=60).content == content


@pytest.fixture(scope="module")
def public() -> Iterator[tuple[RunningServer, Path]]:
    """A server that says where it is reached, and its data folder."""
    with (
        open_folder() as folder,
        running_server(
            folder / "data", MENAGERIE_NSFW_PUBLIC_BASE_URL="https://moderation.example.org/nsfw/"
        ) as server,
    ):
        yield server, folder / "data"


@pytest.mark.parametrize(
    ("told", "base"),
    [
        ({"x-menagerie-host": "a.example:8080"}, "http://a.example:8080"),
        ({"x-menagerie-host": "a.example", "x-forwarded-proto": "https"}, "https://a.example"),
        ({"x-menagerie-host": "a.example", "x-forwarded-prefix": "/nsfw/"}, "http://a.example/nsfw"),
        ({"x-menagerie-host": "a.example", "x-forwarded-prefix": "//evil.example"}, "http://a.example"),
        ({"x-menagerie-host": "a.example", "x-forwarded-prefix": '/"><script>'}, "http://a.example"),
        ({}, None),
    ],
)
async def test_the_url_is_on_the_host_that_the_edge_names(
    server: RunningServer, told: dict[str, str], base: str | None
) -> None:
    async def requests() -> AsyncIterator[pb.PredictSingleRequest]:
        yield pb.PredictSingleRequest(image=Image(content=images.jpeg()))

    async with grpc.aio.insecure_channel(server.worker()) as channel:
        stub: nsfw_pb2_grpc.NsfwServiceAsyncStub = nsfw_pb2_grpc.NsfwServiceStub(channel)
        answer = await stub.PredictSingle(requests(), metadata=tuple(told.items()))
    assert answer.image_url == f"{base or server.api('nsfw')}/image/{answer.image_id}"


@pytest.mark.parametrize("host", ["", "moderation.example:81"])
def test_the_url_is_where_the_caller_came_from(server: RunningServer, host: str) -> None:
    for base in (server.api("nsfw"), f"{server.front_door}/nsfw"):
        with httpx.Client(base_url=base, timeout=60, headers={"host": host} if host else {}) as client:
            answer = judge(client, images.jpeg()).json()
        url = urlsplit(base)
        assert answer["image_url"] == f"http://{host or url.netloc}{url.path}/image/{answer['image_id']}"


def test_the_url_is_on_the_public_address(public: tuple[RunningServer, Path]) -> None:
    server, _ = public
    with httpx.Client(base_url=server.api("nsfw"), timeout=60) as client:
        answer = judge(client, images.jpeg()).json()
        url = urlsplit(answer["image_url"])
        assert (url.scheme, url.netloc) == ("https", "moderation.example.org")
        assert url.path == f"/nsfw/image/{answer['image_id']}"
        for form in ("multi", "streaming"):
            response = client.post(
                f"/predict/{form}", files={"files": ("a.jpg", images.jpeg(), "image/jpeg")}
            )
            assert "https://moderation.example.org/nsfw/image/" in response.text


def test_the_prediction_file_holds_the_same_answer(public: tuple[RunningServer, Path]) -> None:
    server, folder = public
    with httpx.Client(base_url=server.api("nsfw"), timeout=60) as client:
        answer = judge(client, images.jpeg(), "../../etc/a b.jpg").json()
    name = answer["prediction_file"]
    assert name == f"predictions/_etc_a_b_{answer['image_id']}_prediction.json"
    assert json.loads((folder / "objects" / "nsfw" / name).read_text(encoding="utf-8")) == answer


@pytest.fixture(scope="module")
def unhosted() -> Iterator[RunningServer]:
    with (
        open_folder() as folder,
        running_server(
            folder / "data",
            MENAGERIE_NSFW_ENABLE_IMAGE_HOSTING="false",
            MENAGERIE_NSFW_SENSITIVITY_LEVEL="ultra",
            MENAGERIE_NSFW_IMAGE_EXPIRY_HOURS="2",
        ) as server,
    ):
        yield server


def test_nothing_is_kept_where_hosting_is_off(unhosted: RunningServer) -> None:
    with httpx.Client(base_url=unhosted.api("nsfw"), timeout=60) as client:
        answer = judge(client, images.jpeg()).json()
        assert answer["image_hosted"] is False
        absent = {"image_url", "image_id", "image_expires_hours", "prediction_file"}
        assert absent.isdisjoint(answer)
        assert client.get("/stats").json()["database_stats"]["total_images_hosted"] == 0


def test_the_configuration_is_what_is_set(unhosted: RunningServer) -> None:
    config = httpx.get(f"{unhosted.api('nsfw')}/config").json()
    assert (config["sensitivity_level"], config["enable_image_hosting"]) == ("ultra", False)
    assert (config["effective_threshold"], config["image_expiry_hours"]) == (pytest.approx(0.2), 2)
    health = httpx.get(f"{unhosted.api('nsfw')}/health").json()
    assert health["configuration"] == {key: config[key] for key in health["configuration"]}
