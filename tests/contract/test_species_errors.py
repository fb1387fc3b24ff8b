"""What the species API says to bad input: the status and the text, over REST and over gRPC."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo, RequestInfo
from grpc_status import rpc_status
from tests.support import images

from menagerie.species.v1 import species_pb2 as pb
from menagerie.type.v1.image_pb2 import Image

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx
    from tests.support.server import RunningServer

    from menagerie.species.v1.species_pb2_grpc import SpeciesServiceAsyncStub

MAX_BYTES = 5 * 1024 * 1024
FORM = {"content-type": "multipart/form-data; boundary=b"}

WRONG_TYPE = "Invalid file type. Only JPG, PNG, WEBP allowed."
TOO_LARGE = "File too large. Maximum size is 5MB."
WRONG_SIGNATURE = "Invalid image file signature."
DAMAGED = "The image is damaged or incomplete."
MISSING = "Field required: file"
CUT_OFF = "The form data ends before its closing boundary."
TOO_MUCH = "The form data has over 1000 fields, or a header of over 4096 bytes."
NO_BOUNDARY = "The form's content type names no boundary."
MALFORMED = "The form data is malformed."


def form(
    content: bytes,
    *,
    name: bytes = b"file",
    filename: bytes = b"a.jpg",
    type_: bytes = b"image/jpeg",
    end: bytes = b"--",
) -> bytes:
    disposition = b'Content-Disposition: form-data; name="%s"; filename="%s"' % (name, filename)
    return b"--b\r\n%s\r\nContent-Type: %s\r\n\r\n%s\r\n--b%s\r\n" % (disposition, type_, content, end)


@dataclass(frozen=True)
class Case:
    """A request, and what it is answered with."""

    name: str
    body: bytes
    status: int
    text: str
    headers: Mapping[str, str] = field(default_factory=lambda: FORM)


CASES = [
    Case("wrong field name", form(images.jpeg(), name=b"image"), 422, MISSING),
    Case("no field", b"--b--\r\n", 422, MISSING),
    Case("empty body", b"", 400, CUT_OFF),
    Case("not a form", b'{"file": "x"}', 422, MISSING, {"content-type": "application/json"}),
    Case("no content type", b"hello", 422, MISSING, {}),
    Case(
        "text in place of a file",
        b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nx\r\n--b--\r\n',
        422,
        MISSING,
    ),
    Case("empty file", form(b""), 400, WRONG_SIGNATURE),
    Case("text renamed .jpg", form(b"This is no photograph."), 400, WRONG_SIGNATURE),
    Case("text as text", form(b"hello", filename=b"a.txt", type_=b"text/plain"), 400, WRONG_TYPE),
    Case(
        "GIF by its type", form(images.encode(images.drawing(), "GIF"), type_=b"image/gif"), 400, WRONG_TYPE
    ),
    Case("GIF by its signature", form(images.encode(images.drawing(), "GIF")), 400, WRONG_SIGNATURE),
    Case("truncated JPEG", form(images.damaged_jpeg()), 400, DAMAGED),
    Case("JPEG cut in its header", form(images.jpeg()[:12]), 400, DAMAGED),
    Case("5 MB and a byte", form(images.padded_to(MAX_BYTES + 1)), 400, TOO_LARGE),
    Case("past the edge's limit", form(bytes(7 * 1024 * 1024)), 400, TOO_LARGE),
    Case("no boundary", form(images.jpeg()), 400, NO_BOUNDARY, {"content-type": "multipart/form-data"}),
    Case("body that breaks off", form(images.jpeg())[:-20], 400, CUT_OFF),
    Case("last boundary missing", form(images.jpeg(), end=b""), 400, CUT_OFF),
    Case("field name not UTF-8", form(images.jpeg(), name=b"\xff"), 422, MISSING),
    Case("header without a colon", b"--b\r\nnonsense\r\n\r\nx\r\n--b--\r\n", 400, MALFORMED),
    Case("too many fields", b"".join(form(b"x")[:-7] for _ in range(1001)) + b"--b--\r\n", 400, TOO_MUCH),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_says_what_is_wrong(species: httpx.Client, case: Case) -> None:
    response = species.post("/uploadfile/", content=case.body, headers=dict(case.headers))
    assert (response.status_code, response.json()) == (case.status, {"detail": case.text})
    assert response.headers["content-type"] == "application/json"


def test_refuses_a_bomb_by_its_header(species: httpx.Client) -> None:
    bomb = form(images.png_of(20_000, 20_000), type_=b"image/png")
    response = species.post("/uploadfile/", content=bomb, headers=FORM)
    assert response.status_code == 400
    assert "pixels" in response.json()["detail"]


def test_a_body_that_stops_half_way_is_ended(server: RunningServer) -> None:
    with socket.create_connection(("127.0.0.1", server.ports["species"]), timeout=30) as connection:
        head = "POST /uploadfile/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n"
        head += f"Content-Type: {FORM['content-type']}\r\n\r\n"
        connection.sendall(head.encode() + form(images.jpeg())[:500])
        answer = connection.recv(65536).decode()
    assert answer.startswith("HTTP/1.1 408 ")
    assert json.loads(answer.partition("\r\n\r\n")[2]) == {"detail": "The request did not arrive in time."}


@pytest.mark.parametrize("path", ["/nowhere", "/uploadfile/more", "/menagerie.species.v1.SpeciesService/No"])
def test_an_unknown_path_is_not_found(species: httpx.Client, path: str) -> None:
    response = species.post(path, files={"file": ("a.jpg", images.jpeg(), "image/jpeg")})
    assert (response.status_code, response.json()) == (404, {"detail": "Not Found"})


def test_an_unknown_query_parameter_is_ignored(species: httpx.Client) -> None:
    response = species.post("/uploadfile/?_=1732", content=form(images.jpeg()), headers=FORM)
    assert response.status_code == 200


def test_a_file_name_in_another_charset_is_kept_distinct(species: httpx.Client) -> None:
    response = species.post(
        "/uploadfile/", content=form(images.jpeg(), filename=b"\xff\xfe.jpg"), headers=FORM
    )
    assert (response.status_code, response.json()["filename"]) == (200, "ÿþ.jpg")


GRPC_CASES = [
    ("nothing", pb.UploadFileRequest(), 422, "Field required: image"),
    ("empty image", pb.UploadFileRequest(image=Image()), 400, WRONG_SIGNATURE),
    ("text", pb.UploadFileRequest(image=Image(content=b"no photograph")), 400, WRONG_SIGNATURE),
    (
        "wrong type",
        pb.UploadFileRequest(image=Image(content=b"x", content_type="text/plain")),
        400,
        WRONG_TYPE,
    ),
    ("too large", pb.UploadFileRequest(image=Image(content=images.padded_to(MAX_BYTES + 1))), 400, TOO_LARGE),
    ("truncated", pb.UploadFileRequest(image=Image(content=images.damaged_jpeg())), 400, DAMAGED),
]


@pytest.mark.parametrize(
    ("request_", "status", "text"), [case[1:] for case in GRPC_CASES], ids=[case[0] for case in GRPC_CASES]
)
async def test_grpc_says_the_same_with_details(
    species_stub: SpeciesServiceAsyncStub, request_: pb.UploadFileRequest, status: int, text: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await species_stub.UploadFile(request_, metadata=(("x-request-id", "field-7"),))
    error = caught.value
    assert (error.code(), error.details()) == (grpc.StatusCode.INVALID_ARGUMENT, text)
    info, request_info = ErrorInfo(), RequestInfo()
    rich = rpc_status.from_call(error)  # type: ignore[arg-type]
    assert rich.details[0].Unpack(info)
    assert rich.details[1].Unpack(request_info)
    assert info.domain == "menagerie"
    assert info.metadata["http_status"] == str(status)
    assert request_info.request_id == "field-7"


async def test_a_deadline_that_cannot_be_kept_is_refused(species_stub: SpeciesServiceAsyncStub) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await species_stub.UploadFile(pb.UploadFileRequest(image=Image(content=images.jpeg())), timeout=0.001)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


def test_a_rest_caller_can_set_a_deadline_too(species: httpx.Client) -> None:
    headers = FORM | {"grpc-timeout": "1m"}
    response = species.post("/uploadfile/", content=form(images.jpeg()), headers=headers)
    assert (response.status_code, response.json()) == (
        504,
        {"detail": "The deadline passed before the answer was ready."},
    )
