"""The object store: files under names, in a local folder or in S3, GCS or Azure."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import LocalStore, ObjectStore, from_url

from menagerie_server.store.errors import ObjectNotFound, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Iterator
    from pathlib import Path

CHUNK_BYTES = 512 * 1024
"""Few enough that whatever is done with a chunk keeps the event loop for less than a millisecond."""


def default_url(data_dir: Path) -> str:
    """Return the URL of the object store that lies in the data folder."""
    return (data_dir.absolute() / "objects").as_uri()


class Objects:
    """An object store. An object is there whole or not at all, whatever happens while it is written.

    Every method raises StoreUnavailable when the store cannot be reached, or has no room left.
    """

    def __init__(self, url: str) -> None:
        """Open the store at a file, s3, gs, az or memory URL; a local folder is made where it is missing."""
        with _translated(url):
            if obstore.parse_scheme(url) == "local":
                self._store: ObjectStore = LocalStore.from_url(url, mkdir=True)
            else:
                self._store = from_url(url)

    async def put(self, name: str, data: bytes | AsyncIterable[bytes]) -> None:
        """Write an object, replacing the one of that name; a stream is never held in memory as a whole."""
        with _translated(name):
            await obstore.put_async(self._store, name, data)

    async def get(self, name: str) -> bytes:
        """Return an object's bytes. Raises ObjectNotFound."""
        # A join lets other threads run meanwhile; a copy of the store's own buffer would not.
        return await asyncio.to_thread(b"".join, [chunk async for chunk in self.stream(name)])

    async def stream(self, name: str) -> AsyncIterator[bytes]:
        """Yield an object's bytes in chunks of about half a mebibyte. Raises ObjectNotFound."""
        with _translated(name):
            result = await obstore.get_async(self._store, name)
            async for chunk in result.stream(min_chunk_size=CHUNK_BYTES):
                yield bytes(chunk)

    async def delete(self, name: str) -> None:
        """Remove an object; one that is not there is no error, as with S3."""
        with suppress(ObjectNotFound), _translated(name):
            await obstore.delete_async(self._store, name)

    async def delete_folder(self, folder: str) -> None:
        """Remove every object under a prefix of whole path segments, and what the store keeps for it."""
        async for name in self.list(folder):
            await self.delete(name)
        if isinstance(self._store, LocalStore) and self._store.prefix is not None:
            # Whoever writes there at this moment keeps it.
            with suppress(OSError):
                (self._store.prefix / folder).rmdir()

    async def list(self, prefix: str) -> AsyncIterator[str]:
        """Yield the names under a prefix of whole path segments, in no order."""
        with _translated(prefix):
            async for page in obstore.list(self._store, prefix):
                for entry in page:
                    yield entry["path"]


@contextmanager
def _translated(subject: str) -> Iterator[None]:
    try:
        yield
    except (NotFoundError, FileNotFoundError) as error:
        raise ObjectNotFound(f"The object store holds no {subject}.") from error
    except (BaseError, OSError) as error:
        # The store's own structures follow its sentence.
        reason = str(error).partition("\n")[0]
        raise StoreUnavailable(f"The object store failed on {subject}: {reason}") from error
