"""What sets one API's edge apart from another's: the facts that its document fixes."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class ErrorReply:
    """The answer that an API's document gives for an error that Envoy itself finds."""

    status: int
    text: str


COMMON_REPLIES: Mapping[int, ErrorReply] = MappingProxyType(
    {
        400: ErrorReply(400, "Bad Request"),
        403: ErrorReply(403, "Forbidden"),
        404: ErrorReply(404, "Not Found"),
        405: ErrorReply(405, "Method Not Allowed"),
        408: ErrorReply(408, "The request did not arrive in time."),
        413: ErrorReply(413, "The request is too large."),
        415: ErrorReply(415, "Unsupported Media Type"),
        422: ErrorReply(422, "The request does not fit: a name is unknown, or a value is of the wrong kind."),
        429: ErrorReply(429, "Too many requests. Try again later."),
        431: ErrorReply(431, "The request's headers are too large."),
        503: ErrorReply(503, "The service is unavailable. Try again later."),
        504: ErrorReply(504, "The service did not answer in time."),
    }
)
"""What every API says, unless its document says otherwise."""


@dataclass(frozen=True, eq=False)
class Api:
    """One documented API: the gRPC service behind it, and what its document says about its edge."""

    name: str
    """The prefix of its paths on the front door, too."""
    service: str
    """The full name of the gRPC service."""
    max_request_bytes: int
    """The largest body that Envoy buffers for one unary call."""
    max_stream_bytes: int = 0
    """The largest body of a call whose body is read while it arrives; it bounds every other body, too."""
    prints_defaults: bool = True
    """Whether zeros, empty texts and empty lists are printed."""
    server_sent_events: frozenset[str] = frozenset()
    """The methods whose stream a browser reads as events."""
    rate_limited: frozenset[str] = frozenset()
    """The methods that share each caller's budget; none named: all of them."""
    keyless: frozenset[str] = frozenset({"GetHealth", "GetInfo", "GetReadiness"})
    """The methods that never need an API key."""
    error_key: str = "detail"
    """The key of the text in an error's JSON object."""
    replies: Mapping[int, ErrorReply] = field(default_factory=dict)
    """This API's own answers, by the status that Envoy finds."""

    def reply(self, status: int) -> ErrorReply:
        """Return this API's answer for a status that Envoy found."""
        return self.replies.get(status, COMMON_REPLIES[status])

    @property
    def package(self) -> str:
        """The proto package of the service."""
        return self.service.rpartition(".")[0]


MEBIBYTE = 1024 * 1024

WHALES = Api(
    name="whales",
    service="menagerie.whales.v1.WhalesService",
    max_request_bytes=25 * MEBIBYTE,
    max_stream_bytes=500 * MEBIBYTE,
    replies={429: ErrorReply(429, "Превышен лимит запросов. Повторите позже.")},
)

CORAL = Api(
    name="coral",
    service="menagerie.coral.v1.CoralService",
    max_request_bytes=MEBIBYTE,
    max_stream_bytes=51 * MEBIBYTE,
    server_sent_events=frozenset({"WatchStatus"}),
    error_key="error",
    prints_defaults=False,
)

SPECIES = Api(
    name="species",
    service="menagerie.species.v1.SpeciesService",
    max_request_bytes=6 * MEBIBYTE,
    max_stream_bytes=100 * MEBIBYTE,
    replies={413: ErrorReply(400, "File too large. Maximum size is 5MB.")},
)

NSFW = Api(
    name="nsfw",
    service="menagerie.nsfw.v1.NsfwService",
    max_request_bytes=MEBIBYTE,
    max_stream_bytes=1024 * MEBIBYTE,
    replies={413: ErrorReply(413, "File too large. Maximum size: 50MB")},
)

MUZZLE = Api(
    name="muzzle",
    service="menagerie.muzzle.v1.MuzzleService",
    max_request_bytes=32 * MEBIBYTE,
    max_stream_bytes=32 * MEBIBYTE,
    replies={413: ErrorReply(422, "The request is too large.")},
    rate_limited=frozenset(
        {"Predict", "PredictFile", "Encode", "EncodeFile", "DomainCheck", "DomainCheckFile"}
    ),
)

APIS = (WHALES, CORAL, SPECIES, NSFW, MUZZLE)

SYSTEM = Api(name="system", service="menagerie.system.v1.SystemService", max_request_bytes=MEBIBYTE)
"""What the front door itself serves."""
