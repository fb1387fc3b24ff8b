"""Temporary folders that other users can pass through, as PostgreSQL's own user must."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def open_folder() -> Iterator[Path]:
    """Yield a temporary folder that everyone may enter; pytest's own are closed to other users."""
    with tempfile.TemporaryDirectory(prefix="menagerie-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
