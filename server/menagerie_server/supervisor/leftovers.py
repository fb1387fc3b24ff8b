"""What a killed PostgreSQL leaves behind: sessions that are too busy to notice that their server is gone."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path


def end_leftovers(data: Path) -> None:
    """End every process that runs in PostgreSQL's data folder, at once.

    To be called only while no server runs there. As long as one such process lives, and it may compute for
    minutes, no new server starts: they share memory with the dead one.
    """
    folder = data.resolve()
    for process in Path("/proc").glob("[0-9]*"):
        # Processes end while we look, and others' are not ours to look into.
        with suppress(OSError):
            if (process / "cwd").readlink() == folder:
                os.kill(int(process.name), signal.SIGQUIT)
