"""Transfers a catalogue from a folder to a running server, and back.

Both directions are idempotent: after an interruption, repeating them transfers what is missing.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import grpc

from menagerie_inference.concurrency import map_ordered
from menagerie_inference.domains.whales.catalogue_folder import (
    CataloguedIndividual,
    find_photograph,
    read_catalogue,
    write_catalogue,
    write_photograph,
)
from menagerie_server.apis.whales.catalogue_client import is_temporary, patiently
from menagerie_server.apis.whales.photographs import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from menagerie.whales.v1 import whales_pb2 as pb
    from menagerie_server.apis.whales.catalogue_client import CatalogueClient

AT_ONCE: Final = 4
"""Individuals; the photographs of each go one after another, and so keep their order."""
ID_BYTES: Final = 6

_FATAL: Final = frozenset(
    {
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)


@dataclass
class Counts:
    """What a transfer has done so far."""

    individuals: int = 0
    new_individuals: int = 0
    photographs: int = 0
    new_photographs: int = 0
    failures: int = 0

    def __str__(self) -> str:
        return (
            f"individuals: {self.individuals}, of them new: {self.new_individuals}; "
            f"photographs: {self.photographs}, of them new: {self.new_photographs}; failed: {self.failures}"
        )


class CatalogueImport:
    """Adds the individuals and photographs of a folder to the catalogue of a server.

    An individual without an id gets one that is derived from the names of its folder and the catalogue's, so
    that importing the same folder again adds nothing.
    """

    def __init__(self, client: CatalogueClient, folder: Path, tell: Callable[[str], object]) -> None:
        """Prepare an import.

        Args:
            tell: called for each failure, with the individual or the photograph, and the reason.
        """
        self._client = client
        self._folder = folder.resolve()
        self._tell = tell
        self.counts = Counts()

    async def run(self) -> None:
        """Add what the server does not have.

        Raises:
            CatalogueUnreadable: the folder is not a catalogue; nothing was added.
            AioRpcError: the server is unavailable, or refuses every call.
        """
        catalogue = await asyncio.to_thread(read_catalogue, self._folder)
        async for _ in map_ordered(self._created(catalogue), self._add_photographs, limit=AT_ONCE):
            pass

    async def _created(
        self, catalogue: tuple[CataloguedIndividual, ...]
    ) -> AsyncIterator[tuple[str, CataloguedIndividual]]:
        """Yield each individual with its id once the server has it, one at a time and in order."""
        for one in catalogue:
            self.counts.individuals += 1
            individual_id = one.individual_id or self._id_of(one)
            try:
                is_ours = await self._create(individual_id, one)
            except grpc.aio.AioRpcError as error:
                self._fail(one.folder, error)
            else:
                if is_ours:
                    yield individual_id, one

    async def _create(self, individual_id: str, one: CataloguedIndividual) -> bool:
        """Add an individual; return whether the server now has it under this id."""
        try:
            await self._client.create(individual_id, one.name, one.species)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.ALREADY_EXISTS:
                raise
        else:
            self.counts.new_individuals += 1
            return True
        found = await self._client.get(individual_id)
        if (found.name, found.species) == (one.name, one.species):
            return True
        whose = f"is called {found.name!r}, of the species {found.species!r}"
        self._report(one.folder, f"the server's {individual_id} {whose}; it stays so")
        return False

    async def _add_photographs(self, created: tuple[str, CataloguedIndividual]) -> None:
        individual_id, one = created
        known = await self._digests(individual_id)
        for path in one.photographs:
            self.counts.photographs += 1
            try:
                await self._add(individual_id, path, known)
            except grpc.aio.AioRpcError as error:
                self._fail(f"{one.folder}/{path.name}", error)
            except OSError as error:
                self._report(f"{one.folder}/{path.name}", error.strerror or str(error))
        if not known:
            self._report(one.folder, "no photograph that can be used: nothing is recognised as it")

    async def _add(self, individual_id: str, path: Path, known: set[str]) -> None:
        data, digest = await asyncio.to_thread(_read, path)
        async for attempt in patiently():
            with attempt:
                if attempt.retry_state.attempt_number > 1:  # the one before may have added it
                    known |= await self._digests(individual_id)
                if digest not in known:
                    await self._client.add_photograph(individual_id, data)
                    self.counts.new_photographs += 1
        known.add(digest)

    async def _digests(self, individual_id: str) -> set[str]:
        return {photo.sha256 for photo in await self._client.photographs(individual_id)}

    def _id_of(self, one: CataloguedIndividual) -> str:
        names = f"{self._folder.name}\0{one.folder}".encode("utf-8", "surrogateescape")
        return hashlib.blake2s(names, digest_size=ID_BYTES).hexdigest()

    def _fail(self, subject: str, error: grpc.aio.AioRpcError) -> None:
        """Report what concerns one row; raise what concerns all."""
        if is_temporary(error) or error.code() in _FATAL:
            raise error
        self._report(subject, error.details() or error.code().name)

    def _report(self, subject: str, reason: str) -> None:
        self.counts.failures += 1
        self._tell(f"{subject}: {reason}")


class CatalogueExport:
    """Writes the individuals and photographs of a server's catalogue to a folder."""

    def __init__(self, client: CatalogueClient, folder: Path, tell: Callable[[str], object]) -> None:
        """Prepare an export.

        Args:
            tell: called for each failure, with the photograph and the reason.
        """
        self._client = client
        self._folder = folder
        self._tell = tell
        self.counts = Counts()

    async def run(self) -> None:
        """Write what the folder does not have.

        Raises:
            FileExistsError: the folder contains something other than an export.
            OSError: it cannot be written.
            AioRpcError: the server is unavailable, or refuses every call.
        """
        individuals = await self._client.individuals()
        catalogue = [CataloguedIndividual(one.individual_id, one.name, one.species) for one in individuals]
        await asyncio.to_thread(write_catalogue, self._folder, catalogue)
        async for _ in map_ordered(individuals, self._write_photographs, limit=AT_ONCE):
            pass

    async def _write_photographs(self, individual: pb.Individual) -> None:
        self.counts.individuals += 1
        photographs = await self._client.photographs(individual.individual_id)
        for number, photograph in enumerate(photographs, start=1):
            self.counts.photographs += 1
            await self._write(individual.individual_id, number, photograph)

    async def _write(self, individual_id: str, number: int, photograph: pb.Photo) -> None:
        path = await asyncio.to_thread(find_photograph, self._folder, individual_id, number)
        if path is not None:
            if photograph.sha256 not in {"", await asyncio.to_thread(_digest, path)}:
                self._report(f"{individual_id}/{path.name}", "another photograph is there; it stays")
            return
        try:
            data = await self._client.download(individual_id, photograph.photo_id)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise
            self._report(f"{individual_id}/{number:04}", "the server has its file no more")
            return
        await asyncio.to_thread(write_photograph, self._folder, individual_id, number, data)
        self.counts.new_photographs += 1

    def _report(self, subject: str, reason: str) -> None:
        self.counts.failures += 1
        self._tell(f"{subject}: {reason}")


def _read(path: Path) -> tuple[bytes, str]:
    if path.stat().st_size > MAX_BYTES:
        raise OSError(f"larger than {MAX_BYTES // 1024**2} MB")
    data = path.read_bytes()
    return data, hashlib.sha256(data).hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
