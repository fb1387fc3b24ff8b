"""Counts every call and measures how long it took."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from menagerie_server.interceptors.request_log import code_name
from menagerie_server.metrics import CALL_SECONDS, CALLS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from menagerie_server.interceptors._around import Context


class Metrics:
    """Counts calls by method and code, and measures their duration."""

    @asynccontextmanager
    async def around(self, method: str, context: Context) -> AsyncIterator[None]:
        """Count the call when it has ended, however it ended."""
        started = time.perf_counter()
        try:
            yield
        finally:
            CALLS.labels(method, code_name(context)).inc()
            CALL_SECONDS.labels(method).observe(time.perf_counter() - started)
