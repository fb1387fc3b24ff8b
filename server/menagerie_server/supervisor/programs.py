"""What the settings mean for the children: their addresses and their command lines."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import menagerie_envoy
from menagerie_envoy import SPECIES, Address, Edge
from menagerie_server.supervisor import account
from menagerie_server.supervisor.child import Program
from menagerie_server.supervisor.errors import DataFolderError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from menagerie_server.settings import Settings


def worker_address(settings: Settings, index: int) -> Address:
    """Return where this worker listens; the first has index 0."""
    return Address(settings.grpc_host, settings.grpc_port + index)


def addresses(settings: Settings) -> Mapping[str, Address]:
    """Return every address that the server listens on, by the name of what listens there."""
    named = {
        "The front door (MENAGERIE_FRONT_DOOR_PORT)": Address(settings.host, settings.front_door_port),
        "The species API (MENAGERIE_SPECIES_PORT)": Address(settings.host, settings.species_port),
    }
    for index in range(settings.workers):
        named[f"Worker {index} (MENAGERIE_GRPC_PORT + {index})"] = worker_address(settings, index)
    return named


def worker(settings: Settings, index: int, database_url: str, metrics: Path, lock: int) -> Program:
    """Return the program of one worker; several add up their metrics in a folder that they share.

    Only its environment holds the database's password.
    """
    # A worker alone counts faster in its own memory.
    shared = {"PROMETHEUS_MULTIPROC_DIR": str(metrics)} if settings.workers > 1 else {}
    ours = {"MENAGERIE_DATABASE_URL": database_url, "MENAGERIE_WORKERS": str(settings.workers)}
    return Program(
        name=f"worker {index}",
        # -P: what lies in the current folder is not imported.
        command=(sys.executable, "-P", "-m", "menagerie_server.cli", "worker", "--index", str(index)),
        environment={**os.environ, **shared, **ours},
        account=account.current(),
        lock=lock,
    )


def envoy(settings: Settings, folder: Path, lock: int) -> Program:
    """Return the program of Envoy, whose configuration is written into this folder.

    Raises:
        DataFolderError: the folder cannot be written.
    """
    edge = Edge(
        front_door=Address(settings.host, settings.front_door_port),
        listeners={SPECIES: Address(settings.host, settings.species_port)},
        workers=tuple(worker_address(settings, index) for index in range(settings.workers)),
        idle_seconds=settings.idle_seconds,
        threads=settings.envoy_threads,
    )
    try:
        configuration = menagerie_envoy.write_configuration(edge, folder)
    except OSError as error:
        raise DataFolderError(f"Envoy cannot be configured in {folder}: {error.strerror}.") from error
    return Program(
        name="envoy",
        command=tuple(menagerie_envoy.command(configuration, threads=edge.threads)),
        environment={},
        account=account.current(),
        lock=lock,
    )
