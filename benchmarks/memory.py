"""The memory of the server's processes, idle and after 200 uploads to each API.

`python -m benchmarks.memory 2` measures a server with two workers. Memory is the processes' PSS, in MB.
"""

from __future__ import annotations

import sys
import time
from base64 import b64encode
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import httpx
import psutil
from benchmarks.species import two_hundred_kilobytes
from benchmarks.table import Row, show
from tests.support.folders import open_folder
from tests.support.photos import FOLDER
from tests.support.server import running_server

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.support.server import RunningServer

UPLOADS: Final = 200
CALLERS: Final = 8
SETTLED_SECONDS: Final = 20
"""After the last upload: coral's jobs end by themselves."""
POLL_SECONDS: Final = 0.1
FORMS: Final = {
    "species": ("/uploadfile/", "file"),
    "whales": ("/v1/predict-single", "file"),
    "nsfw": ("/predict/single", "file"),
    "coral": ("/V1/api/classify", "image"),
}


def main() -> None:
    """Measure one server: idle, and after the uploads to each API."""
    workers = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    started = time.perf_counter()
    with (
        open_folder() as folder,
        running_server(folder / "data", workers=workers, MENAGERIE_LOG_LEVEL="WARNING") as server,
    ):
        show([Row("ready after", time.perf_counter() - started, "s")])
        _await_models(server)
        time.sleep(SETTLED_SECONDS)
        _show("idle", server)
        for name, request in _uploads(server):
            _send(request)
            time.sleep(SETTLED_SECONDS)
            _show(f"after {UPLOADS} uploads to {name}", server)


def _await_models(server: RunningServer) -> None:
    while httpx.get(f"{server.front_door}/readyz").status_code != 200:
        time.sleep(POLL_SECONDS)


def _send(request: Mapping[str, Any]) -> None:
    with ThreadPoolExecutor(CALLERS) as pool, httpx.Client(timeout=60) as client:
        for reply in pool.map(lambda _: client.post(**request), range(UPLOADS)):
            reply.raise_for_status()


def _uploads(server: RunningServer) -> Iterator[tuple[str, Mapping[str, Any]]]:
    photo = two_hundred_kilobytes((FOLDER / "cetaceans" / "narwhals.jpg").read_bytes())
    for name, (path, field) in FORMS.items():
        form = {field: ("photo.jpg", photo, "image/jpeg")}
        yield name, {"url": server.api(name) + path, "files": form}
    text = b64encode(photo).decode()
    body = {"reference_photos": [text] * 3, "probe_photo": text}
    yield "muzzle", {"url": f"{server.api('muzzle')}/predict", "json": body}


def _show(when: str, server: RunningServer) -> None:
    found = _megabytes(server.process.pid)
    rows = [Row(f"{when}, {name}", megabytes, "MB") for name, megabytes in found.items()]
    show([*rows, Row(f"{when}, together", sum(found.values()), "MB")])


def _megabytes(supervisor: int) -> Mapping[str, float]:
    """Return the memory of each kind of process."""
    process = psutil.Process(supervisor)
    found: defaultdict[str, float] = defaultdict(float)
    for one in (process, *process.children(recursive=True)):
        found[_kind(one, supervisor)] += one.memory_full_info().pss / 1e6
    return found


def _kind(process: psutil.Process, supervisor: int) -> str:
    if process.pid == supervisor:
        return "supervisor"
    return "workers" if "worker" in process.cmdline() else process.name()


if __name__ == "__main__":
    main()
