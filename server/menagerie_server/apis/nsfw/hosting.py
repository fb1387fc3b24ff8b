"""Stores classified images and their results for some hours, under unguessable ids."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from menagerie_server.apis.nsfw.errors import HostedImageNotFound
from menagerie_server.store.errors import ObjectNotFound, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from menagerie_server.apis.nsfw.settings import NsfwSettings
    from menagerie_server.interceptors import Context
    from menagerie_server.store.objects import Objects
    from menagerie_server.store.pool import Database

FOLDER: Final = "nsfw"
PREDICTIONS: Final = "predictions"
ID_BYTES: Final = 16
SECONDS: Final = 5.0
"""How long an answer waits for its image to be stored."""
AWAY_SECONDS: Final = 5.0
"""How long nothing is stored after the store did not respond, so that images do not wait for it in vain."""
SIZE_SECONDS: Final = 5.0
"""How old the measured size of all stored images may be."""
REMOVED_TOGETHER: Final = 200
STEM_CHARACTERS: Final = 80
GIBIBYTE: Final = 1024**3

HOST_HEADER: Final = "x-menagerie-host"
"""The edge sets it to the host and port of the request."""

ANY_ADDRESS: Final = ("0.0.0.0", "::")  # noqa: S104 - nothing is bound to it here
_PREFIX: Final = re.compile(r"(?:/[0-9A-Za-z._~-]+)*")
_ID: Final = re.compile(r"[0-9a-f]{32}")
_UNSAFE: Final = re.compile(r"[^0-9A-Za-z_-]+")

_log = structlog.get_logger()


@dataclass(frozen=True)
class HostedImage:
    """A stored image."""

    image_id: str
    hours: int


class Hosting:
    """Stores images and results in the object store, and their expiry in the database.

    The row is added before the object, so that what a crash leaves behind is removed when it expires.
    """

    def __init__(self, database: Database, objects: Objects, settings: NsfwSettings) -> None:
        self._database = database
        self._objects = objects
        self._enabled = settings.enable_image_hosting
        self._hours = settings.image_expiry_hours
        self._max_bytes = settings.max_hosted_gb * GIBIBYTE
        self._away_until = 0.0
        self._bytes = 0
        self._sized = -SIZE_SECONDS

    async def keep(self, content: bytes, format_: str) -> HostedImage | None:
        """Store an image; None if hosting is disabled, full or unavailable."""
        if not self._enabled or time.monotonic() < self._away_until:
            return None
        image_id = secrets.token_hex(ID_BYTES)
        try:
            async with asyncio.timeout(SECONDS):
                if not await self._has_room(len(content)):
                    return None
                await self._add(image_id, f"image/{format_}", len(content))
                await self._objects.put(_image_name(image_id), content)
        except (StoreUnavailable, TimeoutError) as error:
            self._note_outage(error)
            return None
        return HostedImage(image_id, self._hours)

    async def keep_prediction(self, hosted: HostedImage, name: str, text: str) -> None:
        """Store a result.

        Args:
            name: from `prediction_file()`.

        Raises:
            StoreUnavailable: the database or the object store is unavailable.
        """
        async with self._database.connection() as connection:
            await connection.execute(
                "UPDATE nsfw_images SET prediction = %s WHERE image_id = %s", [name, hosted.image_id]
            )
        await self._objects.put(f"{FOLDER}/{name}", text.encode())

    async def content_type(self, image_id: str) -> str:
        """Return the content type of a stored image.

        Raises:
            HostedImageNotFound: there is no image of this id, or it has expired.
            StoreUnavailable: the database is unavailable.
        """
        if not _ID.fullmatch(image_id):
            raise HostedImageNotFound
        async with self._database.connection() as connection:
            query = "SELECT content_type FROM nsfw_images WHERE image_id = %s AND expires > now()"
            row = await (await connection.execute(query, [image_id])).fetchone()
        if row is None:
            raise HostedImageNotFound
        return str(row[0])

    async def stream(self, image_id: str) -> AsyncIterator[bytes]:
        """Yield the bytes of a stored image.

        Raises:
            HostedImageNotFound: there is no such object.
        """
        try:
            async for piece in self._objects.stream(_image_name(image_id)):
                yield piece
        except ObjectNotFound as error:
            raise HostedImageNotFound from error

    async def remove_expired(self) -> None:
        """Remove expired images and results.

        Raises:
            StoreUnavailable: the database or the object store is unavailable.
        """
        while rows := await self._expired():
            for image_id, prediction in rows:
                await self._objects.delete(_image_name(image_id))
                if prediction is not None:
                    await self._objects.delete(f"{FOLDER}/{prediction}")
            async with self._database.connection() as connection:
                ids = [image_id for image_id, _ in rows]
                await connection.execute("DELETE FROM nsfw_images WHERE image_id = ANY(%s)", [ids])
            _log.info("expired images removed", images=len(rows))

    async def _expired(self) -> list[tuple[str, str | None]]:
        query = "SELECT image_id, prediction FROM nsfw_images WHERE expires <= now() LIMIT %s"
        async with self._database.connection() as connection:
            rows = await (await connection.execute(query, [REMOVED_TOGETHER])).fetchall()
        return [(row[0], row[1]) for row in rows]

    async def _add(self, image_id: str, content_type: str, size: int) -> None:
        async with self._database.connection() as connection:
            await connection.execute(
                """
                INSERT INTO nsfw_images (image_id, content_type, bytes, expires)
                VALUES (%s, %s, %s, now() + make_interval(hours => %s))
                """,
                [image_id, content_type, size, self._hours],
            )
        self._bytes += size

    async def _has_room(self, size: int) -> bool:
        if time.monotonic() > self._sized + SIZE_SECONDS:
            query = "SELECT coalesce(sum(bytes), 0)::bigint FROM nsfw_images"
            async with self._database.connection() as connection:
                row = await (await connection.execute(query)).fetchone()
            self._bytes = row[0] if row else 0
            self._sized = time.monotonic()
        return self._bytes + size <= self._max_bytes

    def _note_outage(self, error: Exception) -> None:
        self._away_until = time.monotonic() + AWAY_SECONDS
        _log.warning("an image was not kept", error=str(error))


def prediction_file(hosted: HostedImage, image: str) -> str:
    """Return the name of the file of a result, from the image's name without characters of paths."""
    stem = _UNSAFE.sub("_", image.rpartition(".")[0] or image)[:STEM_CHARACTERS]
    return f"{PREDICTIONS}/{stem}_{hosted.image_id}_prediction.json"


def _image_name(image_id: str) -> str:
    return f"{FOLDER}/images/{image_id}"


class ImageUrls:
    """The URLs of stored images: at `public_base_url`, or at the address of the request."""

    def __init__(self, settings: NsfwSettings, host: str) -> None:
        base = settings.public_base_url
        self._base = str(base).rstrip("/") if base is not None else None
        own = "localhost" if host in ANY_ADDRESS else f"[{host}]" if ":" in host else host
        self._own = f"http://{own}:{settings.port}"

    def of(self, context: Context) -> Callable[[str], str]:
        """Return the function from an image's id to its URL, for one request."""
        base = self._base or _came_by(context) or self._own
        return lambda image_id: f"{base}/image/{image_id}"


def _came_by(context: Context) -> str | None:
    """Return the address of the request, from the edge's headers."""
    told = {key: str(value) for key, value in context.invocation_metadata() or ()}
    host = told.get(HOST_HEADER)
    if not host:
        return None
    scheme = "https" if told.get("x-forwarded-proto") == "https" else "http"
    prefix = told.get("x-forwarded-prefix", "").rstrip("/")
    return f"{scheme}://{host}{prefix if _PREFIX.fullmatch(prefix) else ''}"
