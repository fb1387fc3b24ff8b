"""An OpenTelemetry collector that keeps the spans that it is sent."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from opentelemetry.proto.common.v1.common_pb2 import KeyValue

ARRIVAL_SECONDS = 20.0
"""Envoy sends its spans every five seconds."""


@dataclass(frozen=True)
class Span:
    """What a test asks of a span; the ids are in hexadecimal."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, str]


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Takes spans over gRPC."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.url = ""

    def Export(  # noqa: N802 - named by the proto
        self,
        request: pb.ExportTraceServiceRequest,
        context: grpc.ServicerContext,  # noqa: ARG002
    ) -> pb.ExportTraceServiceResponse:
        """Keep what has arrived."""
        for resource in request.resource_spans:
            service = _texts(resource.resource.attributes)["service.name"]
            for scope in resource.scope_spans:
                self.spans += [
                    Span(
                        service=service,
                        name=span.name,
                        trace_id=span.trace_id.hex(),
                        span_id=span.span_id.hex(),
                        parent_id=span.parent_span_id.hex(),
                        attributes=_texts(span.attributes),
                    )
                    for span in scope.spans
                ]
        return pb.ExportTraceServiceResponse()

    def wait_for(self, fits: Callable[[Span], bool], count: int) -> list[Span]:
        """Return the spans that fit, once there are so many."""
        end = time.monotonic() + ARRIVAL_SECONDS
        while len(found := [span for span in self.spans if fits(span)]) < count:
            assert time.monotonic() < end, f"of {count} spans these arrived: {found}"
            time.sleep(0.1)
        return found


def _texts(attributes: Iterable[KeyValue]) -> dict[str, str]:
    return {pair.key: pair.value.string_value for pair in attributes}


@contextmanager
def running_collector() -> Iterator[Collector]:
    """Run a collector on a free port."""
    collector = Collector()
    server = grpc.server(ThreadPoolExecutor(2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]
    collector.url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield collector
    finally:
        server.stop(None).wait()
