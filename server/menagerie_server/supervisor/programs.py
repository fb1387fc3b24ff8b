"""The programs of the workers and of Envoy, made from the settings."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import menagerie_envoy
from menagerie_envoy import Address, Certificate, Edge, Listener, RateLimit, Traces
from menagerie_server.supervisor import account
from menagerie_server.supervisor.addresses import worker_address
from menagerie_server.supervisor.child import Program
from menagerie_server.supervisor.errors import DataFolderError

if TYPE_CHECKING:
    from menagerie_server.api_settings import ApiSettings
    from menagerie_server.settings import Settings

ENVOY = "envoy"


def worker(
    settings: Settings, index: int, database_url: str, metrics: Path, envoy_folder: Path, lock: int
) -> Program:
    """Return the program of one worker, which gets the database's password in its environment only.

    Args:
        metrics: the folder in which several workers share their metrics.
    """
    # A single worker counts faster in its own memory.
    shared = {"PROMETHEUS_MULTIPROC_DIR": str(metrics)} if settings.workers > 1 else {}
    ours = {
        "MENAGERIE_DATABASE_URL": database_url,
        "MENAGERIE_WORKERS": str(settings.workers),
        "MENAGERIE_ENVOY_ADMIN_SOCKET": str(envoy_folder / menagerie_envoy.ADMIN_SOCKET),
    }
    return Program(
        name=f"worker {index}",
        # -P: nothing is imported from the current folder.
        command=(sys.executable, "-P", "-m", "menagerie_server.cli", "worker", "--index", str(index)),
        environment={**os.environ, **shared, **ours},
        account=account.current(),
        lock=lock,
        # Without Envoy and the database, which end with the supervisor, too, it can finish nothing.
        death_signal=signal.SIGKILL,
    )


def envoy(settings: Settings, folder: Path, lock: int) -> Program:
    """Write the configuration of Envoy into this folder, and return its program.

    Raises:
        DataFolderError: the folder cannot be written.
    """
    edge = Edge(
        front_door=Address(settings.host, settings.front_door_port),
        listeners={api: _listener(api.name, chosen, settings) for api, chosen in settings.apis.items()},
        workers=tuple(worker_address(settings, index) for index in range(settings.workers)),
        trusted_proxies=settings.trusted_proxies,
        certificate=_certificate(settings),
        access_log=settings.log_level in {"DEBUG", "INFO"},
        traces=_traces(settings),
        max_connections=settings.max_connections,
        idle_seconds=settings.idle_seconds,
        request_seconds=settings.request_seconds,
        idle_connection_seconds=settings.idle_connection_seconds,
        max_discarded_bytes=settings.max_discarded_mb * 1024**2,
        max_heap_bytes=settings.envoy_max_heap_mb * 1024**2,
        threads=settings.envoy_threads,
    )
    try:
        configuration = menagerie_envoy.write_configuration(edge, folder)
    except OSError as error:
        raise DataFolderError(f"Envoy cannot be configured in {folder}: {error.strerror}.") from error
    return Program(
        name=ENVOY,
        command=tuple(menagerie_envoy.command(configuration, threads=edge.threads)),
        environment={},
        account=account.current(),
        lock=lock,
    )


def _listener(name: str, api: ApiSettings, settings: Settings) -> Listener:
    limited = settings.rate_limits and api.limits_rate
    return Listener(
        address=Address(settings.host, api.port),
        allowed_origins=api.allowed_origins,
        allowed_hosts=api.allowed_hosts,
        force_https=api.force_https,
        rate_limit=RateLimit(api.rate_limit_requests, api.rate_limit_window_seconds) if limited else None,
        api_keys=api.asks_for_key,
        document=_document(name) if api.api_docs else None,
    )


def _certificate(settings: Settings) -> Certificate | None:
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    return Certificate(settings.tls_certificate, settings.tls_key)


def _traces(settings: Settings) -> Traces | None:
    url = settings.trace_collector_url
    if url is None or url.host is None or url.port is None:
        return None
    return Traces(Address(url.host, url.port), tls=url.scheme == "https", ratio=settings.trace_ratio)


def _document(name: str) -> Path:
    """Return the path of an API's OpenAPI document, which lies beside the generated code."""
    found = importlib.util.find_spec(f"menagerie.{name}")
    if found is None or not found.submodule_search_locations:
        raise LookupError(f"menagerie.{name}")
    return Path(next(iter(found.submodule_search_locations)), "v1", f"{name}.openapi.json")
