"""API keys: who may call an API that has any."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

HEADER = "x-api-key"

_log = structlog.get_logger()


class ApiKeys:
    """The keys of one API: those of the settings, and those of a file that is read again when it changes.

    While the file cannot be read, the keys that it last held stay good: a file that is being replaced locks
    no one out.
    """

    def __init__(self, keys: Iterable[str], file: Path | None = None) -> None:
        self._keys = [key.encode() for key in keys]
        self._file = file
        self._from_file: list[bytes] = []
        self._seen: tuple[int, int] | None = None

    def accept(self, key: str) -> bool:
        """Tell whether this is one of the keys, in a time that does not tell how much of it is right."""
        offered = key.encode()
        self._read_again()
        matches = [hmac.compare_digest(offered, known) for known in (*self._keys, *self._from_file)]
        return any(matches)

    def _read_again(self) -> None:
        if self._file is None:
            return
        try:
            status = self._file.stat()
            version = (status.st_mtime_ns, status.st_size)
            if version != self._seen:
                lines = self._file.read_bytes().splitlines()
                self._from_file = [line.strip() for line in lines if line.strip()]
                self._seen = version
        except OSError as error:
            if self._seen is not None:
                _log.warning("the file of API keys cannot be read", reason=error.strerror)
            self._seen = None
