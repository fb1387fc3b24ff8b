"""Gives every call a request id, and writes one line about it."""

from __future__ import annotations

import time
import uuid
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

import grpc
import structlog

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from menagerie_server.interceptors._around import Context

REQUEST_ID_HEADER = "x-request-id"
MAX_REQUEST_ID = 128

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the call at hand: the caller's, or Envoy's, or ours."""

_log = structlog.get_logger()


class RequestLog:
    """Binds the request id to every log line of a call, returns it to the caller, and logs the call's end."""

    @asynccontextmanager
    async def around(self, method: str, context: Context) -> AsyncIterator[None]:
        """Log the call when it has ended, however it ended."""
        request_id = _request_id(context)
        REQUEST_ID.set(request_id)
        context.set_trailing_metadata(((REQUEST_ID_HEADER, request_id),))
        started = time.perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=request_id, method=method):
            try:
                yield
            finally:
                elapsed = round((time.perf_counter() - started) * 1000, 2)
                _log.info("call", code=code_name(context), milliseconds=elapsed)


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
