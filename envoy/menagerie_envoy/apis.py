"""What sets one API's edge apart from another's: the facts that its document fixes."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING

from menagerie.openapi.v1 import annotations_pb2

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

    from menagerie.openapi.v1.annotations_pb2 import Document, Operation

PROBES = frozenset({"GetHealth", "GetReadiness"})
"""What probes and balancers ask, on any API: never refused for what a busy caller at their address does."""

HEALTH = PROBES | {"GetInfo"}
"""What anyone may ask without a key, on any API."""


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


@dataclass(frozen=True)
class Form:
    """What the front door's page sends to try an API: a file for each field."""

    path: str
    fields: tuple[str, ...] = ("file",)
    job: str = ""
    """Where the status of the job is that it starts, before the job's id; none: it answers at once."""


@dataclass(frozen=True, eq=False)
class Api:
    """One documented API: the gRPC service behind it, and what its document says about its edge.

    The service is `menagerie.<name>.v1.<Name>Service`. What its proto says in its options (which methods take
    a key, under which key an error has its text) is read from there.
    """

    name: str
    """The prefix of its paths on the front door, too."""
    max_request_bytes: int
    """The largest body of a unary call."""
    max_stream_bytes: int = 0
    """The largest body of a call whose body is read while it arrives; it bounds every other body, too."""
    max_message_bytes: int = 0
    """The largest file in one gRPC message of a stream, where that is more than `max_request_bytes`."""
    prints_defaults: bool = True
    """Whether zeros, empty texts and empty lists are printed."""
    rate_limited: frozenset[str] = frozenset()
    """The methods that share each caller's budget; none named: all but the probes."""
    replies: Mapping[int, ErrorReply] = field(default_factory=dict)
    """This API's own answers, by the status that Envoy finds."""
    example: str = "curl {url}/health"
    """A command to try it with."""
    summary: str = ""
    """What it tells of a photograph, in one sentence."""
    form: Form | None = None
    """What tries it on the front door's page; none: nothing there does."""

    def reply(self, status: int) -> ErrorReply:
        """Return this API's answer for a status that Envoy found."""
        return self.replies.get(status, COMMON_REPLIES[status])

    @property
    def package(self) -> str:
        """The proto package of the service."""
        return f"menagerie.{self.name}.v1"

    @property
    def service(self) -> str:
        """The full name of the gRPC service."""
        return f"{self.package}.{self.name.capitalize()}Service"

    @cached_property
    def descriptor(self) -> ServiceDescriptor:
        """The descriptor of the service, from its generated module."""
        module = import_module(f"{self.package}.{self.name}_pb2")
        services: Mapping[str, ServiceDescriptor] = module.DESCRIPTOR.services_by_name
        return services[self.service.removeprefix(f"{self.package}.")]

    @property
    def title(self) -> str:
        """What its document calls it."""
        return self._document.title

    @cached_property
    def error_key(self) -> str:
        """The key of the text in an error's JSON object."""
        return self._document.error_key or "detail"

    @cached_property
    def unlimited(self) -> frozenset[str]:
        """The methods that take nothing from a caller's budget."""
        if not self.rate_limited:
            return PROBES
        return frozenset(method.name for method in self.descriptor.methods) - self.rate_limited

    @cached_property
    def keyless(self) -> frozenset[str]:
        """The methods that never need an API key: those that the document names, else health checks."""
        if not self._document.api_key_description:
            return HEALTH
        return frozenset(method.name for method in self.descriptor.methods if not _operation(method).api_key)

    @property
    def _document(self) -> Document:
        document: Document = self.descriptor.GetOptions().Extensions[annotations_pb2.document]
        return document


def _operation(method: MethodDescriptor) -> Operation:
    operation: Operation = method.GetOptions().Extensions[annotations_pb2.operation]
    return operation


MEBIBYTE = 1024 * 1024

WHALES = Api(
    name="whales",
    summary="Whether a photograph shows a whale or a dolphin, and which one of your catalogue.",
    form=Form("/v1/predict-single"),
    max_request_bytes=25 * MEBIBYTE,
    max_stream_bytes=500 * MEBIBYTE,
    replies={429: ErrorReply(429, "Превышен лимит запросов. Повторите позже.")},
)

CORAL = Api(
    name="coral",
    summary="Which parts of a reef's photograph are bleached.",
    form=Form("/V1/api/classify", ("image",), job="/V1/api/status/"),
    max_request_bytes=MEBIBYTE,
    max_stream_bytes=51 * MEBIBYTE,
    example="curl {url}/V1/api/health",
    prints_defaults=False,
)

SPECIES = Api(
    name="species",
    summary="Which animal a camera trap has photographed, where it is, and how sure that is.",
    form=Form("/uploadfile/"),
    max_request_bytes=6 * MEBIBYTE,
    max_stream_bytes=100 * MEBIBYTE,
    example="curl -F file=@photo.jpg {url}/uploadfile/",
    replies={413: ErrorReply(400, "File too large. Maximum size is 5MB.")},
)

NSFW = Api(
    name="nsfw",
    summary="Whether a picture is safe for work.",
    form=Form("/predict/single"),
    max_request_bytes=MEBIBYTE,
    # More than any upload may have: the worker counts, and says in the document's words what is too large.
    max_stream_bytes=2048 * MEBIBYTE,
    max_message_bytes=50 * MEBIBYTE,
    replies={413: ErrorReply(413, "File too large. Maximum size: 50MB")},
)

MUZZLE = Api(
    name="muzzle",
    summary="Whether a photograph of a muzzle shows the same animal as three others.",
    form=Form(
        "/predict/file", ("reference_photo_1", "reference_photo_2", "reference_photo_3", "probe_photo")
    ),
    max_request_bytes=32 * MEBIBYTE,
    max_stream_bytes=32 * MEBIBYTE,
    replies={413: ErrorReply(422, "The request is too large. It may have 32 MB.")},
    rate_limited=frozenset(
        {"Predict", "PredictFile", "Encode", "EncodeFile", "DomainCheck", "DomainCheckFile"}
    ),
)

APIS = (WHALES, CORAL, SPECIES, NSFW, MUZZLE)

SYSTEM = Api(name="system", max_request_bytes=MEBIBYTE)
"""What the front door itself serves."""
