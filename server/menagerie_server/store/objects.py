"""The object store: named files in a local folder, S3, GCS or Azure."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import ObjectStore, from_url

from menagerie_server.store.errors import ObjectNotFound, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Iterator

CHUNK_BYTES = 512 * 1024
"""Small enough that handling a chunk blocks the event loop for less than a millisecond."""

FILE_MODE = 0o600
FOLDER_MODE = 0o700


def default_url(data_dir: Path) -> str:
    """Return the URL of the object store in the data folder."""
    return (data_dir.absolute() / "objects").as_uri()


class Objects:
    """An object store whose writes are atomic: an object exists completely or not at all.

    A local store has folders of mode 0700 and files of 0600: no other user of the machine reads them.
    Each method raises StoreUnavailable when the store cannot be reached, or is full.
    """

    def __init__(self, url: str) -> None:
        """Open the store at a file, s3, gs, az or memory URL; create a missing local folder."""
        self._folder: Path | None = None
        with _translated(url):
            if obstore.parse_scheme(url) == "local":
                self._folder = Path(url2pathname(urlsplit(url).path))
                # An existing folder is the operator's: its mode stays.
                self._folder.parent.mkdir(parents=True, exist_ok=True)
                self._folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
            self._store: ObjectStore = from_url(url)

    async def put(self, name: str, data: bytes | AsyncIterable[bytes]) -> None:
        """Write or replace an object; a stream is not buffered in memory as a whole."""
        with _translated(name):
            if self._folder is None:
                await obstore.put_async(self._store, name, data)
                return
            # Before the write: the file has the umask's mode until it is complete.
            await asyncio.to_thread(_make_folders, self._folder, PurePosixPath(name).parent)
            await obstore.put_async(self._store, name, data)
            await asyncio.to_thread((self._folder / name).chmod, FILE_MODE)

    async def get(self, name: str) -> bytes:
        """Return an object's bytes.

        Raises:
            ObjectNotFound: there is no such object.
        """
        # Joining large chunks releases the GIL; copying the store's own buffer would not.
        return await asyncio.to_thread(b"".join, [chunk async for chunk in self.stream(name)])

    async def stream(self, name: str) -> AsyncIterator[bytes]:
        """Yield an object's bytes in chunks of about CHUNK_BYTES.

        Raises:
            ObjectNotFound: there is no such object.
        """
        with _translated(name):
            result = await obstore.get_async(self._store, name)
            async for chunk in result.stream(min_chunk_size=CHUNK_BYTES):
                yield bytes(chunk)

    async def delete(self, name: str) -> None:
        """Delete an object; a missing one is no error, as in S3."""
        with suppress(ObjectNotFound), _translated(name):
            await obstore.delete_async(self._store, name)

    async def delete_folder(self, folder: str) -> None:
        """Delete every object under a prefix of whole path segments, and a local folder itself."""
        async for name in self.list(folder):
            await self.delete(name)
        if self._folder is not None:
            # A concurrent write keeps the folder.
            with suppress(OSError):
                (self._folder / folder).rmdir()

    async def list(self, prefix: str) -> AsyncIterator[str]:
        """Yield the names under a prefix of whole path segments, in no particular order."""
        with _translated(prefix):
            async for page in obstore.list(self._store, prefix):
                for entry in page:
                    yield entry["path"]

    async def size(self, prefix: str) -> int:
        """Return the total bytes of the objects under a prefix of whole path segments."""
        with _translated(prefix):
            return sum([entry["size"] async for page in obstore.list(self._store, prefix) for entry in page])


def _make_folders(root: Path, relative: PurePosixPath) -> None:
    """Create the missing folders below a root."""
    # One by one, as `parents=True` gives all but the last the umask's mode.
    folder = root
    for part in relative.parts:
        folder /= part
        folder.mkdir(mode=FOLDER_MODE, exist_ok=True)


@contextmanager
def _translated(subject: str) -> Iterator[None]:
    try:
        yield
    except (NotFoundError, FileNotFoundError) as error:
        raise ObjectNotFound(f"The object store holds no {subject}.") from error
    except (BaseError, OSError) as error:
        # The lines after the first are a dump of the store's internal structures.
        reason = str(error).partition("\n")[0]
        raise StoreUnavailable(f"The object store failed on {subject}: {reason}") from error
