"""The HNSW index (pgvector) over the half-precision embeddings of one embedder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from weakref import WeakSet

from psycopg import sql

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from psycopg import AsyncConnection
    from psycopg.rows import TupleRow

    from menagerie_inference.domains.whales import Embedder

EF_SEARCH: Final = 100
"""How many candidates a search keeps (pgvector, `hnsw.ef_search`), and how many photographs it returns."""

_LOCK: Final = 0x7768616C6573
"""The advisory lock under which embedders are registered: "whales"."""

# The literals are those of the partial index: a parameter would not be recognised in it.
_NEAREST: Final = sql.SQL("""
SELECT p.individual_id, i.species, 1 - n.distance FROM (
    SELECT photo_id, embedding::halfvec({dimensions}) <=> %s::halfvec({dimensions}) AS distance
    FROM whales_embeddings WHERE version_id = {version} ORDER BY distance LIMIT {limit}
) n JOIN whales_photos p USING (photo_id) JOIN whales_individuals i USING (individual_id)
ORDER BY n.distance
""")
# Removed vectors stay in the index until a vacuum: the scan goes on behind them. With PostgreSQL's cost of a
# page of a hard disk, it would read the whole table of photographs to find a hundred of them.
_SEARCH_SETTINGS: Final = sql.SQL("""
SELECT set_config('hnsw.ef_search', {ef}, false), set_config('hnsw.iterative_scan', 'strict_order', false),
       set_config('random_page_cost', '1.1', false)
""").format(ef=sql.Literal(str(EF_SEARCH)))
_READY: Final[WeakSet[AsyncConnection[TupleRow]]] = WeakSet()
"""The connections that have the settings, and keep them: they change no answer of another query."""

_INDEX: Final = sql.SQL("""
CREATE INDEX IF NOT EXISTS {name} ON whales_embeddings
USING hnsw ((embedding::halfvec({dimensions})) halfvec_cosine_ops) WHERE version_id = {version}
""")


async def register(connection: AsyncConnection[TupleRow], embedder: Embedder) -> int:
    """Return the id of an embedder's version, and create its index if there is none; in a transaction."""
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


async def nearest(
    connection: AsyncConnection[TupleRow], version_id: int, embedding: NDArray[np.float32]
) -> list[TupleRow]:
    """Search the index; outside of a transaction, whose end could take the settings back.

    Returns:
        The individual, its species and the cosine similarity of each near photograph, the nearest first.
    """
    query = _NEAREST.format(
        dimensions=sql.Literal(len(embedding)),
        version=sql.Literal(version_id),
        limit=sql.Literal(EF_SEARCH),
    )
    if connection not in _READY:
        await connection.execute(_SEARCH_SETTINGS)
        _READY.add(connection)
    return await (await connection.execute(query, [text(embedding)])).fetchall()


def text(vector: NDArray[np.floating]) -> str:
    """Return a vector as a literal of pgvector."""
    # One format for all of them takes two fifths of the time, and this runs on the event loop.
    return f"[{('%.6g,' * len(vector))[:-1]}]" % tuple(vector.tolist())
