"""What `menagerie serve` prints once everything answers: where, how to try it, and which limits hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from menagerie_envoy import SPECIES
from menagerie_server.supervisor.addresses import api_urls, front_door_url, worker_address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from menagerie.system.v1.system_pb2 import GetReadinessResponse
    from menagerie_server.settings import Settings

FOLDERS = """A folder of photographs takes one request, however large it is: PredictStream over gRPC, as
clients/examples/python/folder_to_csv.py does it."""


def announcement(settings: Settings, readiness: GetReadinessResponse) -> str:
    """Return what is printed once everything answers.

    Args:
        readiness: which APIs a worker serves.
    """
    paragraphs = [_places(settings, readiness), _limits(settings, set(readiness.apis))]
    return "\n\n".join("\n".join(lines) for lines in map(list, paragraphs) if lines)


def _places(settings: Settings, readiness: GetReadinessResponse) -> Iterator[str]:
    urls, grpc = api_urls(settings), worker_address(settings, 0)
    yield "Menagerie is ready."
    yield f"  front door   {front_door_url(settings)}, a page for a browser"
    yield f"               curl {front_door_url(settings)}/readyz"
    for api in settings.apis:
        if api.name in readiness.apis:
            yield f"  {api.name:<13}{urls[api.name]}"
            yield f"               {api.example.format(url=urls[api.name])}"
    yield f"  gRPC         {grpc.host}:{grpc.port}, or through the front door"
    if missing := [api.name for api in settings.apis if api.name not in readiness.apis]:
        yield f"  not served   {', '.join(missing)}: the documents are there, the calls answer 501 or 503"
    if readiness.failed_models:
        yield f"  not loaded   {', '.join(readiness.failed_models)}: the log says why"


def _limits(settings: Settings, served: set[str]) -> Iterator[str]:
    limited = [
        f"{api.name} {chosen.rate_limit_requests} in {chosen.rate_limit_window_seconds:g} seconds"
        for api, chosen in settings.apis.items()
        if api.name in served and chosen.limits_rate
    ]
    if not (settings.rate_limits and limited):
        return
    yield f"Requests of one address are limited: {', '.join(limited)}."
    yield "To lift the limits:"
    yield "  menagerie serve --no-rate-limits    or    make serve ARGS=--no-rate-limits"
    if SPECIES.name in served:
        yield FOLDERS
