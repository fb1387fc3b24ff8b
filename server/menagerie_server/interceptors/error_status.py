"""Turns every error of a call into its documented status; an unexpected error's text stays in the log."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import grpc
import structlog
from grpc_status import rpc_status

from menagerie_server.errors import wire_error
from menagerie_server.interceptors.request_log import REQUEST_ID, REQUEST_ID_HEADER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from menagerie_server.interceptors._around import Context

_log = structlog.get_logger()


class ErrorStatus:
    """Ends a failed call with the code, the text and the details that the table of errors names."""

    @asynccontextmanager
    async def around(self, method: str, context: Context) -> AsyncIterator[None]:  # noqa: ARG002
        """Abort the call if it raises. Cancellation and aborts pass: they have their status already."""
        try:
            yield
        except grpc.aio.AbortError:
            raise
        except Exception as error:  # noqa: BLE001 - the last place that can keep an error's text from the caller
            await _abort(context, error)


async def _abort(context: Context, error: Exception) -> None:
    wire = wire_error(error)
    if wire.code is grpc.StatusCode.INTERNAL:
        _log.error("call failed", exc_info=error)
    request_id = REQUEST_ID.get()
    status = rpc_status.to_status(wire.status(str(error), request_id))
    metadata = (*status.trailing_metadata, (REQUEST_ID_HEADER, request_id))
    await context.abort(status.code, status.details, metadata)
