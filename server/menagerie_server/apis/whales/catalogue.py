"""The catalogue: the individuals that the service's users know, and the vectors of their photographs."""

from __future__ import annotations

import hashlib
import secrets
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from psycopg import sql
from psycopg.errors import ForeignKeyViolation, UniqueViolation

from menagerie_inference.domains.whales import Match
from menagerie_server.apis.whales.errors import IndividualNotFound, InvalidField

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    import numpy as np
    from numpy.typing import NDArray
    from psycopg import AsyncConnection
    from psycopg.rows import TupleRow

    from menagerie_inference.domains.whales import Embedder
    from menagerie_server.store.pool import Database

ID_BYTES: Final = 6
EF_SEARCH: Final = 100
"""How many candidates a search keeps (pgvector, `hnsw.ef_search`), and how many photographs it gives."""

_LOCK: Final = 0x7768616C6573
"""The advisory lock under which embedders are registered: "whales"."""

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
    """Its place: the oldest has the lowest."""
    photo_count: int


class StoredPhotograph(NamedTuple):
    """A photograph that lies in the object store, and its vector."""

    object_name: str
    embedding: NDArray[np.float32]


class UndescribedPhotograph(NamedTuple):
    """A photograph in the object store that has no vector of the embedder at hand."""

    photo_id: int
    object_name: str


class Catalogue:
    """The catalogue in the database; every method raises StoreUnavailable while that is away."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._embedder: Embedder | None = None
        self._version_id: int | None = None

    def use(self, embedder: Embedder) -> None:
        """Compare by the vectors of this embedder alone, from now on."""
        self._embedder, self._version_id = embedder, None

    async def create(self, name: str, species: str) -> Individual:
        """Add an individual, without photographs."""
        insert = "INSERT INTO whales_individuals (individual_id, name, species) VALUES (%s, %s, %s)"
        while True:
            individual_id = secrets.token_hex(ID_BYTES)
            with suppress(UniqueViolation):
                async with self._database.connection() as connection:
                    await connection.execute(insert, [individual_id, name, species])
                return await self.get(individual_id)

    async def get(self, individual_id: str) -> Individual:
        """Find an individual. Raises IndividualNotFound."""
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
            InvalidField: no page has named this token.
        """
        after = read_token(token) if token else 0
        query = _COLUMNS + sql.SQL("WHERE number > %s ORDER BY number LIMIT %s")
        async with self._database.connection() as connection:
            rows = await (await connection.execute(query, [after, size + 1])).fetchall()
        found = [Individual(*row) for row in rows]
        return found[:size], page_token(found[size - 1].number) if len(found) > size else ""

    async def delete(self, individual_id: str) -> None:
        """Remove an individual and its vectors. Raises IndividualNotFound."""
        if not _is_id(individual_id):
            raise IndividualNotFound
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                "DELETE FROM whales_individuals WHERE individual_id = %s", [individual_id]
            )
        if cursor.rowcount == 0:
            raise IndividualNotFound

    async def add_photographs(self, individual_id: str, photographs: Sequence[StoredPhotograph]) -> None:
        """Add photographs of an individual: all or none. Raises IndividualNotFound."""
        version_id = await self._version()
        try:
            async with self._database.transaction() as connection:
                for photograph in photographs:
                    await _add(connection, individual_id, version_id, photograph)
        except ForeignKeyViolation as error:
            raise IndividualNotFound from error

    async def nearest(self, embedding: NDArray[np.float32]) -> list[Match]:
        """Return the photographs that are nearest to a vector, by the index, the nearest first."""
        version_id = await self._version()
        query = _NEAREST.format(
            dimensions=sql.Literal(len(embedding)),
            version=sql.Literal(version_id),
            limit=sql.Literal(EF_SEARCH),
        )
        async with self._database.transaction() as connection:
            await connection.execute(_SEARCH_SETTINGS)
            rows = await (await connection.execute(query, [_text(embedding)])).fetchall()
        return [Match(individual_id, species, similarity) for individual_id, species, similarity in rows]

    async def needs_reembedding(self, api: str) -> bool:
        """Tell whether photographs have no vector of the embedder, and no job of the API is under way."""
        if not await self.undescribed(after=0, limit=1):
            return False
        query = "SELECT NOT EXISTS (SELECT FROM jobs WHERE api = %s AND ended IS NULL)"
        async with self._database.connection() as connection:
            row = await (await connection.execute(query, [api])).fetchone()
        return bool(row and row[0])

    async def undescribed(self, *, after: int, limit: int) -> list[UndescribedPhotograph]:
        """Return photographs without a vector of the embedder, in the order of their ids."""
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
        """Add the embedder's vector of a photograph; one that is gone by now, or has one, is left alone."""
        query = """
        INSERT INTO whales_embeddings (photo_id, version_id, embedding) VALUES (%s, %s, %s::halfvec)
        ON CONFLICT DO NOTHING
        """
        version_id = await self._version()
        with suppress(ForeignKeyViolation):
            async with self._database.connection() as connection:
                await connection.execute(query, [photo_id, version_id, _text(embedding)])

    async def _version(self) -> int:
        """Return the number of the embedder at hand; the first time, register it and make its index."""
        if self._version_id is None:
            if self._embedder is None:
                raise RuntimeError("the catalogue has no embedder yet")
            async with self._database.transaction() as connection:
                self._version_id = await _register(connection, self._embedder)
        return self._version_id


# The literals are those of the partial index: a parameter would not be recognised in it.
_NEAREST: Final = sql.SQL("""
SELECT p.individual_id, i.species, 1 - n.distance FROM (
    SELECT photo_id, embedding::halfvec({dimensions}) <=> %s::halfvec({dimensions}) AS distance
    FROM whales_embeddings WHERE version_id = {version} ORDER BY distance LIMIT {limit}
) n JOIN whales_photos p USING (photo_id) JOIN whales_individuals i USING (individual_id)
ORDER BY n.distance
""")
# Removed vectors stay in the index until a vacuum: the scan goes on behind them.
_SEARCH_SETTINGS: Final = sql.SQL("""
SELECT set_config('hnsw.ef_search', {ef}, true), set_config('hnsw.iterative_scan', 'strict_order', true)
""").format(ef=sql.Literal(str(EF_SEARCH)))
_INDEX: Final = sql.SQL("""
CREATE INDEX IF NOT EXISTS {name} ON whales_embeddings
USING hnsw ((embedding::halfvec({dimensions})) halfvec_cosine_ops) WHERE version_id = {version}
""")


async def _register(connection: AsyncConnection[TupleRow], embedder: Embedder) -> int:
    await connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    await connection.execute(
        "INSERT INTO whales_embedders (version, dimensions) VALUES (%s, %s) ON CONFLICT DO NOTHING",
        [embedder.version, embedder.dimensions],
    )
    select = "SELECT version_id FROM whales_embedders WHERE version = %s"
    row = await (await connection.execute(select, [embedder.version])).fetchone()
    if row is None:
        raise RuntimeError("a row that was written is not there")
    version_id = int(row[0])
    index = _INDEX.format(
        name=sql.Identifier(f"whales_embeddings_{version_id}"),
        dimensions=sql.Literal(embedder.dimensions),
        version=sql.Literal(version_id),
    )
    await connection.execute(index)
    return version_id


async def _add(
    connection: AsyncConnection[TupleRow], individual_id: str, version_id: int, photograph: StoredPhotograph
) -> None:
    await connection.execute(
        """
        WITH photo AS (
            INSERT INTO whales_photos (individual_id, object_name) VALUES (%s, %s) RETURNING photo_id
        )
        INSERT INTO whales_embeddings (photo_id, version_id, embedding)
        SELECT photo_id, %s, %s::halfvec FROM photo
        """,
        [individual_id, photograph.object_name, version_id, _text(photograph.embedding)],
    )


def _is_id(text: str) -> bool:
    return len(text) == 2 * ID_BYTES and set(text) <= set("0123456789abcdef")


def _text(vector: Iterable[float]) -> str:
    return f"[{','.join(format(value, '.6g') for value in vector)}]"


def page_token(number: int) -> str:
    """Return the token of the page behind the individual of this number."""
    packed = struct.pack(">Q", number)
    return urlsafe_b64encode(packed + _check(packed)).decode()


def read_token(token: str) -> int:
    """Return the number that a page's token tells. Raises InvalidField for what no page has named."""
    try:
        data = urlsafe_b64decode(token.encode("ascii"))
        (number,) = struct.unpack(">Q", data[:8])
    except (ValueError, struct.error) as error:
        raise InvalidField(UNKNOWN_PAGE) from error
    if page_token(number) != token:
        raise InvalidField(UNKNOWN_PAGE)
    return int(number)


UNKNOWN_PAGE: Final = "page_token is not one that a page named."


def _check(packed: bytes) -> bytes:
    """Return some bytes that tell a token from any other text."""
    return hashlib.blake2s(packed, digest_size=4, person=b"whales").digest()
