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
        404: ErrorReply(404, "Not Found"),
        405: ErrorReply(405, "Method Not Allowed"),
        408: ErrorReply(408, "The request did not arrive in time."),
        413: ErrorReply(413, "The request is too large."),
        415: ErrorReply(415, "Unsupported Media Type"),
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

SPECIES = Api(
    name="species",
    service="menagerie.species.v1.SpeciesService",
    max_request_bytes=6 * MEBIBYTE,
    replies={413: ErrorReply(400, "File too large. Maximum size is 5MB.")},
)

SYSTEM = Api(name="system", service="menagerie.system.v1.SystemService", max_request_bytes=MEBIBYTE)
"""What the front door itself serves."""
