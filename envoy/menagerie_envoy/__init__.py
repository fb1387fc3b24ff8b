"""Menagerie's edge: renders the configuration of the Envoy that turns REST into gRPC."""

from __future__ import annotations

from menagerie_envoy.apis import APIS, SPECIES, Api
from menagerie_envoy.configuration import ADMIN_SOCKET, command, write_configuration
from menagerie_envoy.edge import Address, Certificate, Edge, Listener, RateLimit, Traces
from menagerie_envoy.listeners import FRONT_DOOR

__all__ = [
    "ADMIN_SOCKET",
    "APIS",
    "FRONT_DOOR",
    "SPECIES",
    "Address",
    "Api",
    "Certificate",
    "Edge",
    "Listener",
    "RateLimit",
    "Traces",
    "command",
    "write_configuration",
]
