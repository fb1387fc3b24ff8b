"""The catalogue of individuals, and the embeddings of their photographs."""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from psycopg import sql
from psycopg.errors import ForeignKeyViolation, UniqueViolation

from menagerie_inference.domains.whales import Match
from menagerie_server.apis.whales import vector_index
from menagerie_server.apis.whales.errors import (
    IndividualExists,
    IndividualNotFound,
    InvalidField,
    PhotoNotFound,
)
from menagerie_server.apis.whales.page_tokens import page_token, read_token

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    import numpy as np
    from numpy.typing import NDArray
    from psycopg import AsyncConnection
    from psycopg.rows import TupleRow

    from menagerie_inference.domains.whales import Embedder
    from menagerie_server.store.pool import Database

ID_BYTES: Final = 6

_COLUMNS: Final = sql.SQL("""
SELECT individual_id, name, species, created, number,
       (SELECT count(*) FROM whales_photos p WHERE p.individual_id = i.individual_id)
FROM whales_individuals i
""")


@dataclass(frozen=True)
class Individual:
    """An individual of the catalogue."""

    individual_id: str
    name: str
    species: str
    created: datetime
    number: int
    """Orders the individuals, the oldest first."""
    photo_count: int


class StoredPhotograph(NamedTuple):
    """A photograph in the object store, and its embedding."""

    object_name: str
    embedding: NDArray[np.float32]
    sha256: bytes


class ListedPhotograph(NamedTuple):
    """A photograph as a listing returns it."""

    photo_id: int
    sha256: bytes | None
    """None for photographs that were added before hashes were stored."""


class UndescribedPhotograph(NamedTuple):
    """A photograph in the object store without an embedding by the current embedder."""

    photo_id: int
    object_name: str


class Catalogue:
    """The catalogue in the database.

    Raises:
        StoreUnavailable: from every method, while the database is unavailable.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._embedder: Embedder | None = None
        self._version_id: int | None = None

    def use(self, embedder: Embedder) -> None:
        """Store and search the embeddings of this embedder from now on."""
        self._embedder, self._version_id = embedder, None

    async def create(self, name: str, species: str, individual_id: str = "") -> Individual:
        """Add an individual without photographs.

        Args:
            individual_id: 12 hexadecimal digits; "": a random one.

        Raises:
            InvalidField: the id is malformed.
            IndividualExists: the catalogue has an individual of that id.
        """
        if individual_id and not _is_id(individual_id):
            raise InvalidField("individual_id is not 12 hexadecimal digits in lower case.")
        insert = "INSERT INTO whales_individuals (individual_id, name, species) VALUES (%s, %s, %s)"
        while True:
            chosen = individual_id or secrets.token_hex(ID_BYTES)
            try:
                async with self._database.connection() as connection:
                    await connection.execute(insert, [chosen, name, species])
            except UniqueViolation as error:
                if individual_id:
                    raise IndividualExists from error
            else:
                return await self.get(chosen)

    async def get(self, individual_id: str) -> Individual:
        """Return an individual.

        Raises:
            IndividualNotFound: there is no such individual.
        """
        if not _is_id(individual_id):
            raise IndividualNotFound
        async with self._database.connection() as connection:
            cursor = await connection.execute(_COLUMNS + sql.SQL("WHERE individual_id = %s"), [individual_id])
            row = await cursor.fetchone()
        if row is None:
            raise IndividualNotFound
        return Individual(*row)

    async def page(self, token: str, size: int) -> tuple[list[Individual], str]:
        """Return at most `size` individuals, the oldest first, and the token of the next page, or "".

        Raises:
            InvalidField: the token is not one that a page returned.
        """
        after = read_token(token) if token else 0
        query = _COLUMNS + sql.SQL("WHERE number > %s ORDER BY number LIMIT %s")
        async with self._database.connection() as connection:
            rows = await (await connection.execute(query, [after, size + 1])).fetchall()
        found = [Individual(*row) for row in rows]
        return found[:size], page_token(found[size - 1].number) if len(found) > size else ""

    async def delete(self, individual_id: str) -> None:
        """Remove an individual and the embeddings of its photographs.

        Raises:
            IndividualNotFound: there is no such individual.
        """
        if not _is_id(individual_id):
            raise IndividualNotFound
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                "DELETE FROM whales_individuals WHERE individual_id = %s", [individual_id]
            )
        if cursor.rowcount == 0:
            raise IndividualNotFound

    async def add_photographs(self, individual_id: str, photographs: Sequence[StoredPhotograph]) -> None:
        """Add photographs to an individual, all or none.

        Raises:
            IndividualNotFound: there is no such individual.
        """
        version_id = await self._version()
        try:
            async with self._database.transaction() as connection:
                for photograph in photographs:
                    await _add(connection, individual_id, version_id, photograph)
        except ForeignKeyViolation as error:
            raise IndividualNotFound from error

    async def photographs(
        self, individual_id: str, token: str, size: int
    ) -> tuple[list[ListedPhotograph], str]:
        """Return at most `size` photographs, the oldest first, and the token of the next page, or "".

        Raises:
            IndividualNotFound: there is no such individual.
            InvalidField: the token is not one that a page returned.
        """
        await self.get(individual_id)
        after = read_token(token, individual_id) if token else 0
        query = """
        SELECT photo_id, sha256 FROM whales_photos WHERE individual_id = %s AND photo_id > %s
        ORDER BY photo_id LIMIT %s
        """
        async with self._database.connection() as connection:
            rows = await (await connection.execute(query, [individual_id, after, size + 1])).fetchall()
        found = [ListedPhotograph(*row) for row in rows[:size]]
        return found, page_token(found[-1].photo_id, individual_id) if len(rows) > size else ""

    async def object_name(self, individual_id: str, photo_id: str) -> str:
        """Return the name of a photograph's object in the store.

        Raises:
            IndividualNotFound: there is no such individual.
            PhotoNotFound: it has no such photograph.
        """
        await self.get(individual_id)
        query = "SELECT object_name FROM whales_photos WHERE individual_id = %s AND photo_id::text = %s"
        if "\0" in photo_id:
            raise PhotoNotFound
        async with self._database.connection() as connection:
            row = await (await connection.execute(query, [individual_id, photo_id])).fetchone()
        if row is None:
            raise PhotoNotFound
        return str(row[0])

    async def unknown(self, object_names: Collection[str]) -> set[str]:
        """Return the objects that belong to no photograph of the catalogue."""
        query = "SELECT object_name FROM whales_photos WHERE object_name = ANY(%s)"
        async with self._database.connection() as connection:
            rows = await (await connection.execute(query, [list(object_names)])).fetchall()
        return set(object_names) - {str(row[0]) for row in rows}

    async def nearest(self, embedding: NDArray[np.float32]) -> list[Match]:
        """Search the index for the photographs nearest to an embedding.

        Args:
            embedding: (dimensions,), of length 1.

        Returns:
            At most `EF_SEARCH` matches, the nearest first.
        """
        version_id = await self._version()
        async with self._database.connection() as connection:
            rows = await vector_index.nearest(connection, version_id, embedding)
        return [Match(individual_id, species, similarity) for individual_id, species, similarity in rows]

    async def needs_reembedding(self, api: str) -> bool:
        """Return whether photographs lack an embedding, and the API has no job in progress."""
        if not await self.undescribed(after=0, limit=1):
            return False
        query = "SELECT NOT EXISTS (SELECT FROM jobs WHERE api = %s AND ended IS NULL)"
        async with self._database.connection() as connection:
            row = await (await connection.execute(query, [api])).fetchone()
        return bool(row and row[0])

    async def undescribed(self, *, after: int, limit: int) -> list[UndescribedPhotograph]:
        """Return photographs without an embedding by the current embedder, in the order of their ids.

        Args:
            after: the id of the last photograph of the page before; 0 for the first page.
            limit: the size of a page.
        """
        version_id = await self._version()
        query = """
        SELECT photo_id, object_name FROM whales_photos p WHERE photo_id > %s AND NOT EXISTS (
            SELECT FROM whales_embeddings e WHERE e.photo_id = p.photo_id AND e.version_id = %s)
        ORDER BY photo_id LIMIT %s
        """
        async with self._database.connection() as connection:
            rows = await (await connection.execute(query, [after, version_id, limit])).fetchall()
        return [UndescribedPhotograph(*row) for row in rows]

    async def add_vector(self, photo_id: int, embedding: NDArray[np.float32]) -> None:
        """Add the embedding of a photograph, unless it has one or has been removed."""
        query = """
        INSERT INTO whales_embeddings (photo_id, version_id, embedding) VALUES (%s, %s, %s::halfvec)
        ON CONFLICT DO NOTHING
        """
        version_id = await self._version()
        with suppress(ForeignKeyViolation):
            async with self._database.connection() as connection:
                await connection.execute(query, [photo_id, version_id, vector_index.text(embedding)])

    async def _version(self) -> int:
        """Return the id of the embedder's version; the first time, register it and create its index."""
        if self._version_id is None:
            if self._embedder is None:
                raise RuntimeError("the catalogue has no embedder yet")
            async with self._database.transaction() as connection:
                self._version_id = await vector_index.register(connection, self._embedder)
        return self._version_id


async def _add(
    connection: AsyncConnection[TupleRow], individual_id: str, version_id: int, photograph: StoredPhotograph
) -> None:
    await connection.execute(
        """
        WITH photo AS (
            INSERT INTO whales_photos (individual_id, object_name, sha256) VALUES (%s, %s, %s)
            RETURNING photo_id
        )
        INSERT INTO whales_embeddings (photo_id, version_id, embedding)
        SELECT photo_id, %s, %s::halfvec FROM photo
        """,
        [
            individual_id,
            photograph.object_name,
            photograph.sha256,
            version_id,
            vector_index.text(photograph.embedding),
        ],
    )


def _is_id(text: str) -> bool:
    return len(text) == 2 * ID_BYTES and set(text) <= set("0123456789abcdef")
