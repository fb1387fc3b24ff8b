"""Every benchmark, on one server: `make bench`."""

from __future__ import annotations

from benchmarks import coral, edge, muzzle, nsfw, species
from benchmarks.processes import Processes
from benchmarks.table import show, write
from tests.support.folders import open_folder
from tests.support.server import running_server


def main() -> None:
    """Measure, print, and write."""
    with (
        open_folder() as folder,
        running_server(
            folder / "data",
            MENAGERIE_LOG_LEVEL="WARNING",
            MENAGERIE_CORAL_MAX_PIXELS=str(coral.PIXELS),
        ) as server,
    ):
        processes = Processes(server.process.pid)
        rows = processes.idle_rows()
        show(rows)
        for benchmark in (edge, species, coral, muzzle, nsfw):
            found = benchmark.rows(server, processes)
            show(found)
            rows += found
    write(rows)


if __name__ == "__main__":
    main()
