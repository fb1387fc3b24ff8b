"""A stream of images through the nsfw API, against a plain loop over decoding and its models.

`python -m benchmarks.nsfw 2500` sends that many, each of 400 kB, to a server of its own.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from benchmarks.limit import PlainLoop, mean
from benchmarks.load import BOUNDARY
from benchmarks.processes import Processes
from benchmarks.table import Row, show
from PIL import Image
from tests.support.folders import open_folder
from tests.support.photos import PHOTOS
from tests.support.server import running_server

from menagerie_inference.domains.nsfw.faces import SOURCE

if TYPE_CHECKING:
    from benchmarks.limit import Limit
    from tests.support.server import RunningServer

ROLES: Final = ("nsfw-opennsfw", "nsfw-nsfwjs", "faces", "nsfw-gender")
"""The models that run for a photograph with one face."""
IMAGES: Final = 300
WARM_UP_IMAGES: Final = 40
IMAGE_BYTES: Final = 400_000
TURNS: Final = 3
"""The machine's speed drifts: the limit is measured before each turn and after the last."""
ALLOWED_WORKER_MEGABYTES: Final = 250.0
ALLOWED_ENVOY_MEGABYTES: Final = 60.0
SAMPLE_SECONDS: Final = 0.1


@dataclass(frozen=True)
class Streamed:
    """What came of one stream."""

    images: int
    seconds: float
    first_line_seconds: float
    worker_growth: float
    envoy_growth: float
    """In MB, beyond what they held before."""


def rows(server: RunningServer, processes: Processes, images: int = IMAGES) -> list[Row]:
    """Return the rows of streams, and of one whose caller reads nothing before all is sent."""
    photo = four_hundred_kilobytes()
    # Faces are cut out of a larger view than any model takes.
    loop = PlainLoop(photo, threads=os.cpu_count() or 1, roles=ROLES, others=(SOURCE,))
    asyncio.run(stream(server, processes, photo, WARM_UP_IMAGES))
    streamed, limits = [], [loop.run(images // TURNS)]
    for _ in range(TURNS):
        streamed.append(asyncio.run(stream(server, processes, photo, images // TURNS)))
        limits.append(loop.run(images // TURNS))
    late = asyncio.run(stream(server, processes, photo, images, reads_late=True))
    return [*_rows_of(streamed, limits), *_memory_rows(f"{images} images, read late", late)]


def _rows_of(streamed: list[Streamed], limits: list[Limit]) -> list[Row]:
    per_second = sum(one.images for one in streamed) / sum(one.seconds for one in streamed)
    first = max(one.first_line_seconds for one in streamed)
    return [
        Row("POST /predict/streaming", per_second, "images/s", mean(limits).per_second),
        Row("POST /predict/streaming, first line", first * 1000, "ms"),
    ]


def _memory_rows(name: str, one: Streamed) -> list[Row]:
    return [
        Row(f"{name}, worker grew by", one.worker_growth, "MB", ALLOWED_WORKER_MEGABYTES),
        Row(f"{name}, Envoy grew by", one.envoy_growth, "MB", ALLOWED_ENVOY_MEGABYTES),
    ]


async def stream(
    server: RunningServer, processes: Processes, photo: bytes, images: int, *, reads_late: bool = False
) -> Streamed:
    """Send so many images, and read a line for each; what is late is read after all is sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.ports["nsfw"])
    memory = Memory(processes)
    sampling = asyncio.create_task(memory.sample())
    started = time.perf_counter()
    sending = asyncio.create_task(_send(writer, photo, images))
    if reads_late:
        await sending
    first = await _read_lines(reader, images)
    ended = time.perf_counter()
    await sending
    sampling.cancel()
    writer.close()
    return Streamed(
        images=images,
        seconds=ended - started,
        first_line_seconds=first - started,
        worker_growth=memory.worker_growth,
        envoy_growth=memory.envoy_growth,
    )


class Memory:
    """How much the server's processes grow, in MB."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self._worker, self._envoy = processes.worker_megabytes(), processes.envoy_megabytes()
        self.worker_growth = self.envoy_growth = 0.0

    async def sample(self) -> None:
        """Look again and again."""
        while True:
            self.worker_growth = max(self.worker_growth, self._processes.worker_megabytes() - self._worker)
            self.envoy_growth = max(self.envoy_growth, self._processes.envoy_megabytes() - self._envoy)
            await asyncio.sleep(SAMPLE_SECONDS)


async def _send(writer: asyncio.StreamWriter, photo: bytes, images: int) -> None:
    """Send a form of the same photograph so many times."""
    part = b'--%b\r\nContent-Disposition: form-data; name="files"; filename="%d.jpg"\r\n\r\n'
    heads = [part % (BOUNDARY, place) for place in range(images)]
    end = b"--%b--\r\n" % BOUNDARY
    length = sum(map(len, heads)) + images * (len(photo) + 2) + len(end)
    writer.write(
        b"POST /predict/streaming HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        b"Content-Type: multipart/form-data; boundary=%b\r\nContent-Length: %d\r\n\r\n" % (BOUNDARY, length)
    )
    for head in heads:
        writer.writelines((head, photo, b"\r\n"))
        await writer.drain()
    writer.write(end)
    await writer.drain()


async def _read_lines(reader: asyncio.StreamReader, images: int) -> float:
    """Read a line for each image and the summary; return when the first line came."""
    first, lines = 0.0, []
    async for line in reader:
        if line.startswith(b"data: "):
            first = first or time.perf_counter()
            lines.append(line)
    summary = json.loads(lines[-1].removeprefix(b"data: "))
    if (summary["total_processed"], len(lines)) != (images, images + 1):
        raise RuntimeError(f"{len(lines)} lines, and {summary}")
    return first


def four_hundred_kilobytes() -> bytes:
    """Return a photograph of a person as a JPEG of 400 kB."""
    person = next(photo for photo in PHOTOS if photo.kind == "human")
    with Image.open(io.BytesIO(person.content)) as image:
        large = image.convert("RGB").resize((1600, 1600 * image.height // image.width))
    encoded = (_jpeg(large, quality) for quality in range(98, 20, -1))
    found = next(data for data in encoded if len(data) <= IMAGE_BYTES)
    return found + bytes(IMAGE_BYTES - len(found))


def _jpeg(image: Image.Image, quality: int) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def main() -> None:
    """Measure on a server of its own."""
    images = int(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
    with (
        open_folder() as folder,
        running_server(folder / "data", MENAGERIE_LOG_LEVEL="WARNING") as server,
    ):
        show(rows(server, Processes(server.process.pid), images))


if __name__ == "__main__":
    main()
