"""The embedded PostgreSQL alone, kept running by a process of its own."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from menagerie_server.logs import configure_logs
from menagerie_server.supervisor.database import embedded_postgres
from menagerie_server.supervisor.folders import locked_data_folder
from menagerie_server.supervisor.restarting_child import restarting_children
from menagerie_server.supervisor.shutdown import ShutdownTimeout, StopSignals

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent.parent


@contextmanager
def running_database(folder: Path) -> Iterator[str]:
    """Yield the URL of a PostgreSQL that comes back when it is killed."""
    command = [sys.executable, "-m", "tests.support.database", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url, "the database did not start; its log says why"
        try:
            yield url
        finally:
            process.terminate()


async def _serve(folder: Path, lock: int) -> None:
    ready, timeout = asyncio.Event(), ShutdownTimeout(10)
    signals = StopSignals(ready=ready, shutdown=timeout)
    with signals.installed():
        async with (
            embedded_postgres(folder, connections=32, lock=lock) as server,
            restarting_children([server.program], ready=ready, shutdown=timeout),
        ):
            await server.answering()
            ready.set()
            sys.stdout.write(f"{server.url}\n")
            sys.stdout.flush()
            await signals.received.wait()


if __name__ == "__main__":
    configure_logs("WARNING")
    with locked_data_folder(Path(sys.argv[1]), wait_seconds=10) as data_folder_lock:
        asyncio.run(_serve(Path(sys.argv[1]), data_folder_lock))
