"""POST /gemini/analyze/ over REST: uploads that are wrong, stop, or break off."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest
from tests.contract.gemini.questions import GEMINI, GEMINI_SECONDS, JPEG, NO_KEY, TOO_LARGE, WRONG_TYPE
from tests.support.fake_gemini import (
    stalls,
)

if TYPE_CHECKING:
    import httpx
    from tests.support.fake_gemini import FakeGemini
    from tests.support.server import RunningServer
    from tests.support.server_process import ServerProcess


FORM = "multipart/form-data; boundary=b"


def open_upload(server: ServerProcess, sent: bytes, length: int = 50 * 1024 * 1024) -> socket.socket:
    """Begin an upload of this length, and send no more than this of it."""
    connection = socket.create_connection(("127.0.0.1", server.species_port), timeout=30)
    head = f"POST {GEMINI} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM}\r\n"
    connection.sendall(f"{head}Content-Length: {length}\r\n\r\n".encode() + sent)
    return connection


def part(name: str, content: bytes, *, filename: str = "", type_: str = "image/jpeg") -> bytes:
    end = f'; filename="{filename}"\r\nContent-Type: {type_}' if filename else ""
    return f'--b\r\nContent-Disposition: form-data; name="{name}"{end}\r\n\r\n'.encode() + content + b"\r\n"


def answer(connection: socket.socket) -> tuple[int, object]:
    head, _, body = connection.recv(65536).decode().partition("\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        (part("files", b"x", filename="a.txt", type_="text/plain"), WRONG_TYPE),
        (part("files", b"GIF89a", filename="a.jpg") + b"--b\r\n", "Invalid image file signature."),
        (part("files", bytes(5 * 1024 * 1024 + 1), filename="a.jpg"), TOO_LARGE),
        (part("prompt", bytes(65537)), "Field too long: prompt"),
        (part("files", JPEG, filename="a.jpg") * 17, "Too many image files. At most 16 are allowed."),
        (b"--b\r\nnonsense\r\n\r\n", "The form data is malformed."),
    ],
    ids=["type", "signature", "size", "text", "count", "form"],
)
def test_what_is_wrong_is_said_once_the_rest_was_thrown_away(
    keyed: ServerProcess, gemini: FakeGemini, sent: bytes, text: str
) -> None:
    """Many clients look for the answer only then."""
    rest = bytes(20 * 1024 * 1024)
    with open_upload(keyed, sent, len(sent) + len(rest)) as connection:
        connection.sendall(rest)
        assert answer(connection) == (400, {"detail": text})
    assert gemini.asked == []


def test_a_body_beyond_all_measure_is_refused_by_its_announced_length(keyed: ServerProcess) -> None:
    with open_upload(keyed, b"", length=300 * 1024 * 1024) as connection:
        assert answer(connection) == (400, {"detail": TOO_LARGE})


def test_a_body_that_stops_half_way_is_ended(keyed: ServerProcess, gemini: FakeGemini) -> None:
    with open_upload(keyed, part("prompt", b"?") + part("files", JPEG, filename="a.jpg")) as connection:
        assert answer(connection) == (408, {"detail": "The request did not arrive in time."})
    assert gemini.asked == []


def test_a_body_that_breaks_off(client: httpx.Client, gemini: FakeGemini) -> None:
    body = part("prompt", b"?") + part("files", JPEG, filename="a.jpg")
    response = client.post(GEMINI, content=body, headers={"content-type": FORM})
    text = "The form data ends before its closing boundary."
    assert (response.status_code, response.json()) == (400, {"detail": text})
    assert gemini.asked == []


def test_a_caller_who_leaves_takes_the_question_back(keyed: ServerProcess, gemini: FakeGemini) -> None:
    gemini.always(stalls)
    body = part("prompt", b"?") + part("files", JPEG, filename="a.jpg") + b"--b--\r\n"
    with open_upload(keyed, body, length=len(body)):
        assert gemini.stalled.acquire(timeout=20)
    # Sooner than the server would give up by itself.
    assert gemini.hung_up.acquire(timeout=GEMINI_SECONDS / 2)


def test_without_a_key_images_are_not_looked_at(server: RunningServer) -> None:
    connection = socket.create_connection(("127.0.0.1", server.ports["species"]), timeout=30)
    head = f"POST {GEMINI} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM}\r\n"
    body = bytes(5 * 1024 * 1024)
    with connection:
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        assert answer(connection) == (500, {"detail": NO_KEY})
