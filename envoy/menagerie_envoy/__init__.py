"""Menagerie's edge: renders the configuration of the Envoy that turns REST into gRPC."""

from __future__ import annotations

from menagerie_envoy.apis import SPECIES, Api
from menagerie_envoy.configuration import ADMIN_SOCKET, command, write_configuration
from menagerie_envoy.edge import Address, Edge

__all__ = ["ADMIN_SOCKET", "SPECIES", "Address", "Api", "Edge", "command", "write_configuration"]
