"""The enrolled animals: the codes of their references, and the search for the nearest."""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from psycopg import sql
from psycopg.errors import UniqueViolation
from psycopg.types.json import Jsonb

from menagerie_server.apis.muzzle.errors import AnimalNotFound
from menagerie_server.store.page_tokens import PageTokens

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from numpy.typing import NDArray
    from psycopg import AsyncConnection
    from psycopg.rows import TupleRow

    from menagerie_inference.domains.muzzle import Enrollment, MuzzleEmbedders
    from menagerie_server.store.pool import Database

ID_BYTES: Final = 6
REFERENCES: Final = 3
"""Reference photos of each animal."""
MORE: Final = 16
"""How many more than asked for are read from the index, whose half precision may order them wrongly."""
EF_SEARCH: Final = 128
"""How many candidates a search keeps (pgvector, `hnsw.ef_search`); above the largest limit."""

_LOCK: Final = 0x6D757A7A6C65
"""The advisory lock under which weights are registered: "muzzle"."""

_STORED: Final = np.dtype("<f4")
"""The format of stored codes."""

TOKENS: Final = PageTokens("muzzle")

_COLUMNS: Final = sql.SQL("""
SELECT animal_id, name, created, reference_mutual_similarity, model_versions, number
FROM muzzle_animals a JOIN muzzle_weights w USING (weights_id)
""")


@dataclass(frozen=True)
class Animal:
    """An enrolled animal."""

    animal_id: str
    name: str
    created: datetime
    reference_mutual_similarity: float
    model_versions: dict[int, str]
    number: int
    """Orders the animals, the oldest first."""

    @classmethod
    def of_row(cls, row: tuple[Any, ...]) -> Animal:
        """Convert a row of a query."""
        animal_id, name, created, similarity, versions, number = row
        by_slot = {int(slot): version for slot, version in versions.items()}
        return cls(animal_id, name, created, similarity, by_slot, number)


class Nearest(NamedTuple):
    """The animals nearest to a code, and the codes (n, 3, dimensions) of their references."""

    animals: list[Animal]
    codes: NDArray[np.float64]


NOBODY: Final = Nearest([], np.zeros((0, REFERENCES, 0)))
"""The result if there was nothing to search for."""


class Catalogue:
    """The animals in the database.

    Raises:
        StoreUnavailable: from every method, while the database is unavailable.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._weights: dict[str, int] = {}

    async def add(self, name: str, enrollment: Enrollment, embedders: MuzzleEmbedders) -> Animal:
        """Add an animal; it is stored when this returns."""
        weights_id = await self._register(embedders)
        values = [name, weights_id, enrollment.reference_mutual_similarity]
        codes = enrollment.codes.astype(_STORED).tobytes()
        while True:
            animal_id = secrets.token_hex(ID_BYTES)
            with suppress(UniqueViolation):
                async with self._database.connection() as connection:
                    await connection.execute(_INSERT, [animal_id, *values, codes, _text(enrollment.template)])
                return await self.get(animal_id)

    async def get(self, animal_id: str) -> Animal:
        """Return an animal.

        Raises:
            AnimalNotFound: there is no such animal.
        """
        if not _is_id(animal_id):
            raise AnimalNotFound
        async with self._database.connection() as connection:
            cursor = await connection.execute(_COLUMNS + sql.SQL("WHERE animal_id = %s"), [animal_id])
            row = await cursor.fetchone()
        if row is None:
            raise AnimalNotFound
        return Animal.of_row(row)

    async def page(self, token: str, size: int) -> tuple[list[Animal], str]:
        """Return at most `size` animals, the oldest first, and the token of the next page, or "".

        Raises:
            InvalidRequest: the token is not one that a page returned.
        """
        query = _COLUMNS + sql.SQL("WHERE number > %s ORDER BY number LIMIT %s")
        async with self._database.connection() as connection:
            cursor = await connection.execute(query, [TOKENS.read(token), size + 1])
            rows = await cursor.fetchall()
        found = [Animal.of_row(row) for row in rows]
        return found[:size], TOKENS.write(found[size - 1].number) if len(found) > size else ""

    async def delete(self, animal_id: str) -> None:
        """Remove an animal and its codes.

        Raises:
            AnimalNotFound: there is no such animal.
        """
        if not _is_id(animal_id):
            raise AnimalNotFound
        async with self._database.connection() as connection:
            cursor = await connection.execute("DELETE FROM muzzle_animals WHERE animal_id = %s", [animal_id])
        if cursor.rowcount == 0:
            raise AnimalNotFound

    async def nearest(self, code: NDArray[np.float64], limit: int, embedders: MuzzleEmbedders) -> Nearest:
        """Search the index of these weights for the animals nearest to a code.

        Returns:
            The `limit` nearest and `MORE`, for the caller to compare exactly.
        """
        weights_id = await self._register(embedders)
        query = _NEAREST.format(
            dimensions=sql.Literal(len(code)),
            weights=sql.Literal(weights_id),
            limit=sql.Literal(limit + MORE),
        )
        async with self._database.transaction() as connection:
            await connection.execute(_SEARCH_SETTINGS)
            rows = await (await connection.execute(query, [_text(code)], binary=True)).fetchall()
        stored = np.frombuffer(b"".join(row[-1] for row in rows), _STORED)
        codes = stored.astype(np.float64).reshape(len(rows), REFERENCES, len(code))
        return Nearest([Animal.of_row(row[:-1]) for row in rows], codes)

    async def _register(self, embedders: MuzzleEmbedders) -> int:
        """Return the id of the weights; the first time, register them and create their index."""
        fingerprint = embedders.fingerprint
        if fingerprint not in self._weights:
            async with self._database.transaction() as connection:
                self._weights[fingerprint] = await _register(connection, embedders)
        return self._weights[fingerprint]


_INSERT: Final = """
INSERT INTO muzzle_animals (animal_id, name, weights_id, reference_mutual_similarity, codes, template)
VALUES (%s, %s, %s, %s, %s, %s::halfvec)
"""
# The literals are those of the partial index: a parameter would not be recognised in it.
_NEAREST: Final = sql.SQL("""
SELECT animal_id, name, created, reference_mutual_similarity, model_versions, number, codes FROM (
    SELECT *, template::halfvec({dimensions}) <=> %s::halfvec({dimensions}) AS distance
    FROM muzzle_animals WHERE weights_id = {weights} ORDER BY distance LIMIT {limit}
) a JOIN muzzle_weights w USING (weights_id)
ORDER BY distance
""")
# Removed templates stay in the index until a vacuum: the scan goes on behind them.
_SEARCH_SETTINGS: Final = sql.SQL("""
SELECT set_config('hnsw.ef_search', {ef}, true), set_config('hnsw.iterative_scan', 'strict_order', true)
""").format(ef=sql.Literal(str(EF_SEARCH)))
_INDEX: Final = sql.SQL("""
CREATE INDEX IF NOT EXISTS {name} ON muzzle_animals
USING hnsw ((template::halfvec({dimensions})) halfvec_cosine_ops) WHERE weights_id = {weights}
""")


async def _register(connection: AsyncConnection[TupleRow], embedders: MuzzleEmbedders) -> int:
    await connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    await connection.execute(
        "INSERT INTO muzzle_weights (fingerprint, model_versions) VALUES (%s, %s) ON CONFLICT DO NOTHING",
        [embedders.fingerprint, Jsonb(embedders.versions)],
    )
    select = "SELECT weights_id FROM muzzle_weights WHERE fingerprint = %s"
    row = await (await connection.execute(select, [embedders.fingerprint])).fetchone()
    if row is None:
        raise RuntimeError("a row that was written is not there")
    weights_id = int(row[0])
    index = _INDEX.format(
        name=sql.Identifier(f"muzzle_animals_{weights_id}"),
        dimensions=sql.Literal(embedders.dimensions),
        weights=sql.Literal(weights_id),
    )
    await connection.execute(index)
    return weights_id


def _is_id(text: str) -> bool:
    return len(text) == 2 * ID_BYTES and set(text) <= set("0123456789abcdef")


def _text(vector: Iterable[float]) -> str:
    return f"[{','.join(format(value, '.6g') for value in vector)}]"
