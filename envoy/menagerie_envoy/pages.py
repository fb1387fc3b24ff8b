"""Pages that Envoy serves itself, such as those of an API's OpenAPI document: no call can change them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from menagerie_envoy.typed import Json

FOLDER = Path(__file__).parent / "static"

PAGES = {"/docs": "swagger.html", "/redoc": "redoc.html"}

CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "application/javascript; charset=utf-8",
    ".json": "application/json",
}

MAX_FILE_BYTES = 4 * 1024 * 1024

SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",  # both pages make styles as they run
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "worker-src blob:",  # ReDoc searches in a worker
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""Nothing but what this server sends runs on the pages, and they talk to nobody else."""


def page_routes(document: Path | None) -> Iterator[Json]:
    """Give the routes of an OpenAPI document and of the pages that show it; none, where it is not shown."""
    if document is None:
        return
    yield file_route("/openapi.json", document)
    for path, name in PAGES.items():
        yield file_route(path, FOLDER / name)
    for asset in sorted(FOLDER.glob("*.css")) + sorted(FOLDER.glob("*.js")):
        yield file_route(f"/docs/assets/{asset.name}", asset)


def file_route(path: str, file: Path) -> Json:
    """Return the route of a path that answers with a file, which is read when Envoy starts."""
    return _route(path, CONTENT_TYPES[file.suffix], {"filename": str(file)})


def text_route(path: str, content_type: str, text: str) -> Json:
    """Return the route of a path that answers with a text."""
    return _route(path, content_type, {"inline_string": text})


def _route(path: str, content_type: str, body: Json) -> Json:
    headers = {
        "content-type": content_type,
        "content-security-policy": SECURITY_POLICY,
        "cache-control": "no-cache",
    }
    return {
        "match": {
            "path": path,
            "headers": [{"name": ":method", "string_match": {"safe_regex": {"regex": "GET|HEAD"}}}],
        },
        "direct_response": {"status": 200, "body": body},
        "response_headers_to_add": [
            {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
            for key, value in headers.items()
        ],
    }
