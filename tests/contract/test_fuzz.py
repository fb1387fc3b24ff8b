"""Every API through Envoy, with thousands of requests that its document allows, or does not; always the same.

Schemathesis makes the requests of the documents, and holds each answer against them: its status, its content
type, its headers and its schema.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import strategies as st
from tests.support import images
from tests.support.fake_gemini import KEY as GEMINI_KEY
from tests.support.fake_gemini import fake_gemini
from tests.support.folders import open_folder
from tests.support.server import running_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from schemathesis import Case, HookContext
    from schemathesis.specs.openapi.schemas import OpenApiSchema
    from tests.support.server import RunningServer

PROTO = Path(__file__).parents[2] / "proto"
API_KEY = "key-of-the-fuzzer"
SEED = 1
FEW, MANY = 20, 200
"""Requests drawn for an operation, besides those that lie on the bounds of what it allows."""

CHECKS = {
    # A form knows only texts, of which none is of the wrong type.
    "negative_data_rejection": {"enabled": False},
    # The schemas do not restrict what a text means, such as the base64 of an image.
    "positive_data_acceptance": {"enabled": False},
}
METHODS = ["get", "put", "post", "delete", "options", "patch", "trace"]
"""Not QUERY: Envoy misses the content type that its RFC demands before it finds that it is not allowed."""

MORE: dict[str, dict[str, Any]] = {
    "species": {
        "operations": [
            # Every photograph that is sent here is one.
            {"include-path": path, "checks": {"positive_data_acceptance": {"enabled": True}}}
            for path in ("/uploadfile/", "/analyze/")
        ]
    },
    "muzzle": {"auth": {"openapi": {"ApiKey": {"api_key": API_KEY}}}},
}

for name in ("jpeg", "png", "webp"):
    schemathesis.openapi.media_type(f"image/{name}", st.just(images.encode(images.drawing(), name.upper())))
schemathesis.openapi.media_type("application/zip", st.binary())


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:  # noqa: ARG001 - its signature
    """Put the one file that is drawn for a field of several into a list: bare, it would be sent as a text."""
    if isinstance(case.body, dict):
        for name in ("files", "photos"):
            if isinstance(case.body.get(name), bytes):
                case.body[name] = [case.body[name]]


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[RunningServer]:
    with (
        open_folder() as folder,
        fake_gemini() as gemini,
        running_server(
            folder / "data",
            MENAGERIE_SPECIES_GOOGLE_API_KEY=GEMINI_KEY,
            MENAGERIE_SPECIES_GEMINI_BASE_URL=gemini.url,
            MENAGERIE_MUZZLE_API_KEYS=API_KEY,
        ) as server,
    ):
        yield server


def document(api: str, requests: int) -> OpenApiSchema:
    config = {
        "seed": SEED,
        "generation": {"deterministic": True, "max-examples": requests},
        "phases": {"coverage": {"unexpected-methods": METHODS}},
        "checks": CHECKS,
        **MORE.get(api, {}),
    }
    path = PROTO / f"menagerie/{api}/v1/{api}.openapi.json"
    return schemathesis.openapi.from_path(path, config=schemathesis.Config.from_dict(config))


def fuzz(api: str, requests: int = FEW) -> Callable[..., None]:
    """Return a test that makes requests of every operation, and checks each answer."""

    def conforms(case: Case[Any], fuzzed: RunningServer) -> None:
        case.validate_response(case.call(base_url=fuzzed.api(api)))

    test: Callable[..., None] = document(api, requests).parametrize()(conforms)
    return test if requests == FEW else pytest.mark.slow(pytest.mark.timeout(600)(test))


test_whales = fuzz("whales")
test_coral = fuzz("coral")
test_species = fuzz("species")
test_nsfw = fuzz("nsfw")
test_muzzle = fuzz("muzzle")

test_much_of_whales = fuzz("whales", MANY)
test_much_of_coral = fuzz("coral", MANY)
test_much_of_species = fuzz("species", MANY)
test_much_of_nsfw = fuzz("nsfw", MANY)
test_much_of_muzzle = fuzz("muzzle", MANY)
