"""What every call passes through, outermost first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from menagerie_server.interceptors.deadline import DeadlineInterceptor
from menagerie_server.interceptors.error_status import ErrorStatusInterceptor
from menagerie_server.interceptors.metrics import MetricsInterceptor
from menagerie_server.interceptors.request_log import RequestLogInterceptor

if TYPE_CHECKING:
    import grpc


def interceptors(*, default_deadline_seconds: float) -> tuple[grpc.aio.ServerInterceptor, ...]:
    """Return the interceptors in order: what is counted and logged is the status that the caller gets."""
    return (
        RequestLogInterceptor(),
        MetricsInterceptor(),
        ErrorStatusInterceptor(),
        DeadlineInterceptor(default_deadline_seconds),
    )
