"""Catalogues of synthetic individuals, which fill a database in seconds and are searched as real ones are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from menagerie_server.apis.whales.vector_index import register

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import LiteralString

    from numpy.typing import NDArray
    from psycopg import AsyncConnection
    from psycopg.rows import TupleRow

    from menagerie_inference.domains.whales import Embedder
    from menagerie_server.store.pool import Database

PHOTOGRAPHS = 10
"""Of each individual."""
SPREAD = 1.0
"""How far the photographs of one individual lie from its centre, as a multiple of the centre's length."""


@dataclass(frozen=True, eq=False)
class SyntheticCatalogue:
    """Individuals around random directions, and ten photographs near each."""

    centres: NDArray[np.float32]
    owners: NDArray[np.intp]
    """Whose each vector is."""
    vectors: NDArray[np.float32]

    @classmethod
    def make(cls, individuals: int, dimensions: int, generator: np.random.Generator) -> SyntheticCatalogue:
        """Make so many individuals."""
        centres = generator.standard_normal((individuals, dimensions), dtype=np.float32)
        centres /= np.linalg.norm(centres, axis=1, keepdims=True)
        owners = np.repeat(np.arange(individuals), PHOTOGRAPHS)
        return cls(centres, owners, near(centres[owners], generator))

    def queries(self, count: int, generator: np.random.Generator) -> NDArray[np.float32]:
        """Make more photographs, of individuals at random."""
        return near(self.centres[generator.integers(0, len(self.centres), count)], generator)

    async def store(self, database: Database, embedder: Embedder) -> None:
        """Copy all into a database, and make the index when they are there: one by one takes far longer."""
        async with database.transaction() as connection:
            await connection.execute("SET LOCAL maintenance_work_mem = '1GB'")
            ids = [individual_id(number) for number in range(len(self.centres))]
            rows = [(one, one, "") for one in ids]
            await _copy(connection, "whales_individuals (individual_id, name, species)", rows)
            photos = [(ids[owner], f"synthetic/{place}") for place, owner in enumerate(self.owners)]
            await _copy(connection, "whales_photos (individual_id, object_name)", photos)
            await self._store_vectors(connection, embedder)
            await register(connection, embedder)

    async def _store_vectors(self, connection: AsyncConnection[TupleRow], embedder: Embedder) -> None:
        insert = "INSERT INTO whales_embedders (version, dimensions) VALUES (%s, %s) RETURNING version_id"
        row = await (await connection.execute(insert, [embedder.version, embedder.dimensions])).fetchone()
        assert row is not None
        select = """
        SELECT photo_id FROM whales_photos WHERE object_name LIKE 'synthetic/%'
        ORDER BY split_part(object_name, '/', 2)::int
        """
        photos = await (await connection.execute(select)).fetchall()
        texts = (f"[{','.join(map(str, vector))}]" for vector in self.vectors.astype(np.float16).tolist())
        rows = ((photo[0], row[0], text) for photo, text in zip(photos, texts, strict=True))
        await _copy(connection, "whales_embeddings (photo_id, version_id, embedding)", rows)


def near(centres: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.float32]:
    """Move vectors in random directions."""
    noise = generator.standard_normal(centres.shape, dtype=np.float32) * SPREAD / np.sqrt(centres.shape[1])
    moved = centres + noise
    return np.asarray(moved / np.linalg.norm(moved, axis=1, keepdims=True), np.float32)


def individual_id(number: int) -> str:
    """Return the id of a synthetic individual."""
    return f"{number:012x}"


async def _copy(
    connection: AsyncConnection[TupleRow], columns: LiteralString, rows: Iterable[tuple[object, ...]]
) -> None:
    async with connection.cursor() as cursor, cursor.copy(f"COPY {columns} FROM STDIN") as copy:
        for row in rows:
            await copy.write_row(row)
