"""`menagerie whales import` and `menagerie whales export`, behind the command line."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import grpc
import typer

from menagerie_inference.domains.whales.catalogue_folder import CatalogueUnreadable
from menagerie_server.apis.whales.catalogue_client import open_client
from menagerie_server.apis.whales.catalogue_transfer import CatalogueExport, CatalogueImport

if TYPE_CHECKING:
    from pathlib import Path

    from menagerie_server.settings import Settings

    Transfer = type[CatalogueImport] | type[CatalogueExport]


def import_folder(settings: Settings, folder: Path, server: str | None) -> int:
    """Import a folder, print the failures and the counts, and return the exit status."""
    return _transfer(CatalogueImport, settings, folder, server)


def export_folder(settings: Settings, folder: Path, server: str | None) -> int:
    """Export to a folder, print the failures and the counts, and return the exit status."""
    return _transfer(CatalogueExport, settings, folder, server)


def _transfer(kind: Transfer, settings: Settings, folder: Path, server: str | None) -> int:
    complain = partial(typer.echo, err=True)

    async def run() -> int:
        async with open_client(settings, server) as client:
            transfer = kind(client, folder, complain)
            try:
                await transfer.run()
            finally:
                if transfer.counts.individuals:
                    typer.echo(transfer.counts)
        return 1 if transfer.counts.failures else 0

    try:
        return asyncio.run(run())
    except grpc.aio.AioRpcError as error:
        complain(f"The server does not go on: {error.details()} ({error.code().name})")
    except (CatalogueUnreadable, OSError) as error:
        complain(str(error))
    return 1
