"""Counts every call and measures how long it took."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from menagerie_server.interceptors.request_log import code_name
from menagerie_server.metrics import CALL_SECONDS, CALLS

if TYPE_CHECKING:
    from menagerie_server.interceptors.calls import Context


class CallMetrics:
    """Counts a call by its method and code when it has ended, however it ended, and measures its duration."""

    def __init__(self, method: str, context: Context) -> None:
        self._method = method
        self._context = context
        self._started = time.perf_counter()

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        CALLS.labels(self._method, code_name(self._context)).inc()
        CALL_SECONDS.labels(self._method).observe(time.perf_counter() - self._started)
