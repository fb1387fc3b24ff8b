"""What an operator can choose about the edge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from menagerie_envoy.apis import Api
    from menagerie_envoy.typed import Json

ANY = "*"


@dataclass(frozen=True)
class Address:
    """A host's numeric address and a TCP port."""

    host: str
    port: int

    def socket_address(self) -> Json:
        """Return this address as Envoy writes it."""
        return {"socket_address": {"address": self.host, "port_value": self.port}}


@dataclass(frozen=True)
class InternalAddress:
    """A listener that Envoy alone can call."""

    listener: str

    def socket_address(self) -> Json:
        """Return this address as Envoy writes it."""
        return {"envoy_internal_address": {"server_listener_name": self.listener}}


@dataclass(frozen=True)
class RateLimit:
    """How many requests each caller may make in each window."""

    requests: int
    seconds: float


@dataclass(frozen=True)
class Listener:
    """Where one API listens, and whom it lets in."""

    address: Address
    allowed_origins: tuple[str, ...] = (ANY,)
    """The origins whose pages may call it; `*` is any."""
    allowed_hosts: tuple[str, ...] = (ANY,)
    """The names by which it may be called; `*` is any."""
    force_https: bool = False
    rate_limit: RateLimit | None = None
    api_keys: bool = False
    """Whether the workers are asked about each call's key before its body is read."""
    document: Path | None = None
    """Its OpenAPI document, which it shows on pages of its own; none: it shows none."""


@dataclass(frozen=True)
class Certificate:
    """The files of a TLS certificate chain and of its key, both in PEM."""

    chain: Path
    key: Path


@dataclass(frozen=True)
class Traces:
    """Where spans are sent, with OTLP over gRPC, and of which share of the calls whose callers do not say."""

    collector: Address
    """Its host may be a name."""
    tls: bool = False
    ratio: float = 1.0


@dataclass(frozen=True)
class Edge:
    """Where Envoy listens, for which APIs, and which workers it balances requests over."""

    front_door: Address
    listeners: Mapping[Api, Listener]
    workers: tuple[Address, ...]
    trusted_proxies: tuple[str, ...] = ()
    """The networks whose X-Forwarded-For is believed, besides this machine's own."""
    certificate: Certificate | None = None
    access_log: bool = True
    traces: Traces | None = None
    max_connections: int = 10_000
    """Callers' connections to all listeners together; one more is closed at once."""
    idle_seconds: float = 60.0
    """How long a request or a stream may stand still before it is ended."""
    request_seconds: float = 3600.0
    """How long a request may take to arrive, however steadily."""
    idle_connection_seconds: float = 60.0
    """How long a connection without a request is kept open."""
    max_discarded_bytes: int = 128 * 1024**2
    """How much more than it may have a body is read to its end, for clients that listen only then."""
    max_heap_bytes: int = 1024**3
    """What Envoy may hold; near it, it ends the streams that hold most, and takes no new requests."""
    threads: int = 2
