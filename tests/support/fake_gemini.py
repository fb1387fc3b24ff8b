"""A server that speaks the part of the Generative Language API that is used, and misbehaves at will."""

from __future__ import annotations

import base64
import json
import threading
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

Behaviour: TypeAlias = "Callable[[_Handler], None]"

HANG_GUARD_SECONDS = 20.0
KEY = "the-one-good-key"
MODEL_VERSION = "fake-gemini-001"
SECRET_OF_GEMINI = "quota of project 4711"  # noqa: S105 - what Gemini says, and no caller may read


@dataclass(frozen=True)
class Asked:
    """One request that came in."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def text(self) -> str:
        """The prompt."""
        return next(str(part["text"]) for part in self._parts if "text" in part)

    @property
    def image(self) -> bytes:
        """The image."""
        return base64.urlsafe_b64decode(self._inline["data"])

    @property
    def media_type(self) -> str:
        """The image's media type."""
        return str(self._inline.get("mimeType") or self._inline["mime_type"])

    @property
    def schema(self) -> object:
        """The schema of the answer."""
        return self.body["generationConfig"]["responseJsonSchema"]

    @property
    def _inline(self) -> dict[str, str]:
        return next(part["inlineData"] for part in self._parts if "inlineData" in part)

    @property
    def _parts(self) -> list[dict[str, Any]]:
        [content] = self.body["contents"]
        return list(content["parts"])


@dataclass
class FakeGemini:
    """What it was asked, and how it behaves."""

    url: str
    asked: list[Asked] = field(default_factory=list)
    behaviours: deque[Behaviour] = field(default_factory=deque)
    """How the next requests are answered, one after the other; after them, each in the usual way."""
    usual: Callable[[Asked], str] = field(default=lambda _: json.dumps({"category_label": "deer"}))
    """What it says of an image."""
    hung_up: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    """Counts the stalled requests whose caller went away."""
    stalled: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    """Counts the requests that began to stall."""
    most_at_once: int = 0
    _at_once: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def reset(self) -> None:
        """Forget everything, and behave."""
        fresh = FakeGemini(self.url)
        self.asked, self.behaviours, self.usual = fresh.asked, fresh.behaviours, fresh.usual
        self.hung_up, self.stalled, self.most_at_once = fresh.hung_up, fresh.stalled, 0

    def will(self, *behaviours: Behaviour) -> None:
        """Answer the next requests so, one after the other."""
        self.behaviours.extend(behaviours)

    def always(self, behaviour: Behaviour) -> None:
        """Answer more requests so than any test makes."""
        self.behaviours.extend([behaviour] * 1000)

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count a request while it is answered."""
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            yield
        finally:
            with self._lock:
                self._at_once -= 1


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake: FakeGemini
    asked: Asked

    def do_POST(self) -> None:
        """Take a request down, and answer it as the next behaviour says."""
        body = self.rfile.read(int(self.headers["content-length"]))
        self.asked = Asked(self.path, {k.lower(): v for k, v in self.headers.items()}, json.loads(body))
        self.fake.asked.append(self.asked)
        behaviour = self.fake.behaviours.popleft() if self.fake.behaviours else answers()
        with self.fake.counted():
            behaviour(self)

    def reply(self, status: int, body: bytes, content_type: str = "application/json") -> None:
        """Send a whole answer."""
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Keep the tests' output clean."""


def answers(text: str | None = None) -> Behaviour:
    """Answer with this text, or with the usual one."""

    def behave(handler: _Handler) -> None:
        if handler.asked.headers.get("x-goog-api-key") != KEY:
            refuses_the_key(handler)
            return
        said = handler.fake.usual(handler.asked) if text is None else text
        handler.reply(200, json.dumps(_generated([{"text": said}])).encode())

    return behave


def says_nothing(handler: _Handler) -> None:
    """Answer without a candidate, as where a safety filter took it."""
    handler.reply(200, json.dumps({"promptFeedback": {"blockReason": "SAFETY"}}).encode())


def fails(status: int, name: str = "UNKNOWN") -> Behaviour:
    """Answer with an error of Google's shape."""
    error = {"code": status, "status": name, "message": f"{SECRET_OF_GEMINI}: {name}"}

    def behave(handler: _Handler) -> None:
        handler.reply(status, json.dumps({"error": error}).encode())

    return behave


def echoes_the_key(handler: _Handler) -> None:
    """Answer with an error that repeats the key, as a careless proxy would."""
    error = {"code": 400, "status": "INVALID", "message": f"bad: {handler.asked.headers['x-goog-api-key']}"}
    handler.reply(400, json.dumps({"error": error}).encode())


def thinks_aloud(handler: _Handler) -> None:
    """Answer in two parts after a thought, as a model that thinks does."""
    parts: list[dict[str, Any]] = [
        {"text": "hm", "thought": True},
        {"text": '{"label": '},
        {"text": '"deer"}'},
    ]
    handler.reply(200, json.dumps(_generated(parts)).encode())


refuses_the_key = fails(400, "API_KEY_INVALID")
overloads = fails(503, "UNAVAILABLE")
limits = fails(429, "RESOURCE_EXHAUSTED")


def sends_no_json(handler: _Handler) -> None:
    """Answer with a page."""
    handler.reply(200, b"<html>Gateway</html>", "text/html")


def sends_another_shape(handler: _Handler) -> None:
    """Answer with JSON that no version of the API sends."""
    handler.reply(200, b'{"candidates": "many"}')


def sends_nothing(handler: _Handler) -> None:
    """Answer with JSON that says neither what was found nor why nothing was."""
    handler.reply(200, b"{}")


def cuts_off(handler: _Handler) -> None:
    """Announce more than it sends, and hang up."""
    handler.send_response(200)
    handler.send_header("content-type", "application/json")
    handler.send_header("content-length", "5000")
    handler.end_headers()
    handler.wfile.write(b'{"candidates": [')
    handler.close_connection = True


def stalls(handler: _Handler) -> None:
    """Say nothing until the caller goes away."""
    handler.fake.stalled.release()
    handler.connection.settimeout(HANG_GUARD_SECONDS)
    try:
        left = handler.connection.recv(1) == b""
    except ConnectionResetError:
        left = True
    except TimeoutError:
        left = False
    if left:
        handler.fake.hung_up.release()
    handler.close_connection = True


def _generated(parts: list[dict[str, Any]]) -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}
    return {"candidates": [candidate], "modelVersion": MODEL_VERSION}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        """Say nothing of callers who left before their answer."""


@contextmanager
def fake_gemini() -> Iterator[FakeGemini]:
    """Run one until the block ends."""

    class Handler(_Handler):
        pass

    with _Server(("127.0.0.1", 0), Handler) as server:
        fake = Handler.fake = FakeGemini(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield fake
        finally:
            server.shutdown()
            thread.join()
