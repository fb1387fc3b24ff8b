"""What an operator can choose about the edge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from menagerie_envoy.apis import Api
    from menagerie_envoy.typed import Json


@dataclass(frozen=True)
class Address:
    """A host's numeric address and a TCP port."""

    host: str
    port: int

    def socket_address(self) -> Json:
        """Return this address as Envoy writes it."""
        return {"socket_address": {"address": self.host, "port_value": self.port}}


@dataclass(frozen=True)
class Edge:
    """Where Envoy listens, for which APIs, and which workers it balances requests over."""

    front_door: Address
    listeners: Mapping[Api, Address]
    workers: tuple[Address, ...]
    idle_seconds: float = 60.0
    """How long a request or a stream may stand still before it is ended."""
    threads: int = 2
