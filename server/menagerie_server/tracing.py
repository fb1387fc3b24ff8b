"""Traces: a span for each call, a child of Envoy's, sent to an OpenTelemetry collector.

Only a server with a collector imports this module: it needs the extra `tracing`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.grpc import aio_server_interceptor, filters
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio

if TYPE_CHECKING:
    import grpc.aio

SERVICE = "menagerie-worker"


class Tracing:
    """The spans of one worker's calls, except for health checks."""

    def __init__(self, collector_url: str, *, ratio: float, instance: str) -> None:
        """Send spans to the collector at this URL, with OTLP over gRPC; `http://` means without TLS.

        Envoy's sampling decision is followed; of calls without one, a share of `ratio` is traced.
        """
        resource = Resource.create({SERVICE_NAME: SERVICE, SERVICE_INSTANCE_ID: instance})
        self._provider = TracerProvider(
            resource=resource, sampler=ParentBasedTraceIdRatio(ratio), shutdown_on_exit=False
        )
        # Its queue is bounded, and a thread of its own empties it: a slow collector loses spans, not calls.
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=collector_url)))

    def interceptor(self) -> grpc.aio.ServerInterceptor:
        """Return the interceptor that makes a span of each call."""
        interceptor: grpc.aio.ServerInterceptor = aio_server_interceptor(  # type: ignore[no-untyped-call]
            tracer_provider=self._provider, filter_=filters.negate(filters.health_check())
        )
        return interceptor

    def stop(self) -> None:
        """Send the queued spans, and stop; blocks."""
        self._provider.shutdown()
