"""Turns every error of a call into its documented status; an unexpected error's text stays in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import grpc
import structlog
from grpc_status import rpc_status

from menagerie_inference.errors import DeadlineExceeded
from menagerie_server.errors import wire_error
from menagerie_server.interceptors.request_log import REQUEST_ID, REQUEST_ID_HEADER

if TYPE_CHECKING:
    from menagerie_server.interceptors.calls import Context

_log = structlog.get_logger()


async def abort(context: Context, error: Exception) -> NoReturn:
    """End a failed call with the code, the text and the details that the table of errors names.

    What was aborted before has its status already.
    """
    if isinstance(error, grpc.aio.AbortError):
        raise error
    # A TimeoutError is what time_limit() ends a call with.
    wire = wire_error(DeadlineExceeded() if isinstance(error, TimeoutError) else error)
    if wire.code is grpc.StatusCode.INTERNAL:
        _log.error("call failed", exc_info=error)
    request_id = REQUEST_ID.get()
    status = rpc_status.to_status(wire.status(str(error), request_id))
    metadata = (*status.trailing_metadata, (REQUEST_ID_HEADER, request_id))
    await context.abort(status.code, status.details, metadata)
