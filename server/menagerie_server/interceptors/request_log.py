"""What is observed of every call: its request id, one log line, and its metrics."""

from __future__ import annotations

import time
import uuid
from contextvars import ContextVar
from typing import TYPE_CHECKING

import grpc
import structlog

from menagerie_server.metrics import CALL_SECONDS, CALLS

if TYPE_CHECKING:
    from menagerie_server.interceptors import Context

REQUEST_ID_HEADER = "x-request-id"
MAX_REQUEST_ID = 128

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the call at hand: the caller's, or Envoy's, or ours."""

_log = structlog.get_logger()


class RequestLog:
    """Binds a request id to every log line of a call, returns it to the caller, and logs the call's end.

    What is bound is left bound: each call is a task, with a context of its own.
    """

    def __init__(self, method: str, context: Context) -> None:
        self._context = context
        request_id = _request_id(context)
        REQUEST_ID.set(request_id)
        structlog.contextvars.bind_contextvars(request_id=request_id, method=method)
        context.set_trailing_metadata(((REQUEST_ID_HEADER, request_id),))
        self._started = time.perf_counter()

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        elapsed = round((time.perf_counter() - self._started) * 1000, 2)
        _log.info("call", code=code_name(self._context), milliseconds=elapsed)


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


def code_name(context: Context) -> str:
    """Return the name of the code with which a call has ended, such as "OK"."""
    if context.cancelled():
        return grpc.StatusCode.CANCELLED.name
    code = context.code()
    if isinstance(code, grpc.StatusCode):
        return code.name
    return _NAMES.get(code, grpc.StatusCode.OK.name)


_NAMES = {code.value[0]: code.name for code in grpc.StatusCode}


def _request_id(context: Context) -> str:
    for key, value in context.invocation_metadata() or ():
        if key == REQUEST_ID_HEADER and isinstance(value, str) and _can_be_returned(value):
            return value[:MAX_REQUEST_ID]
    return str(uuid.uuid4())


def _can_be_returned(request_id: str) -> bool:
    # HTTP lets any byte into a header; gRPC ends a call that would send one which is not printable.
    return request_id.isascii() and request_id.isprintable()
