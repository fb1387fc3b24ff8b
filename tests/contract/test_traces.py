"""Traces: the edge's spans and the workers' of one call belong together, whoever began the trace."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.support.collector import Collector, running_collector
from tests.support.folders import open_folder
from tests.support.server import running_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.server import RunningServer

WORKER, EDGE = "menagerie-worker", "menagerie-envoy"


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with running_collector() as collector:
        yield collector


@pytest.fixture(scope="module")
def traced(collector: Collector) -> Iterator[RunningServer]:
    with open_folder() as folder:
        environment = {"MENAGERIE_TRACE_COLLECTOR_URL": collector.url}
        with running_server(folder / "data", workers=1, **environment) as server:
            yield server


def test_a_calls_spans_are_one_trace(traced: RunningServer, collector: Collector) -> None:
    """A caller's own request id finds them; it need not look like one of Envoy's."""
    request_id = f"survey-{secrets.token_hex(4)}"
    httpx.get(f"{traced.species}/healthz", headers={"x-request-id": request_id}).raise_for_status()

    [edge] = collector.wait_for(lambda span: span.attributes.get("guid:x-request-id") == request_id, 1)
    of_the_call = collector.wait_for(lambda span: span.trace_id == edge.trace_id, 2)
    [worker] = [span for span in of_the_call if span.service == WORKER]
    assert edge.service == EDGE
    assert worker.parent_id == edge.span_id
    assert worker.name == "/menagerie.species.v1.SpeciesService/GetReadiness"
    assert traced.access_log_line(request_id)["trace_id"] == edge.trace_id


def test_a_callers_trace_goes_on(traced: RunningServer, collector: Collector) -> None:
    trace_id, parent_id = secrets.token_hex(16), secrets.token_hex(8)
    headers = {"traceparent": f"00-{trace_id}-{parent_id}-01"}
    httpx.get(f"{traced.front_door}/species/healthz", headers=headers).raise_for_status()

    spans = collector.wait_for(lambda span: span.trace_id == trace_id, 3)
    front_door, listener, worker = sorted(
        spans, key=lambda span: _depth(span.span_id, {s.span_id: s.parent_id for s in spans})
    )
    assert [front_door.service, listener.service, worker.service] == [EDGE, EDGE, WORKER]
    assert [front_door.parent_id, listener.parent_id, worker.parent_id] == [
        parent_id,
        front_door.span_id,
        listener.span_id,
    ]


def _depth(span_id: str, parents: dict[str, str]) -> int:
    return 1 + _depth(parents[span_id], parents) if span_id in parents else 0


def test_a_caller_may_want_no_trace(traced: RunningServer, collector: Collector) -> None:
    trace_id = secrets.token_hex(16)
    headers = {"traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-00"}
    httpx.get(f"{traced.species}/healthz", headers=headers).raise_for_status()

    # Spans are sent in their order: once a later call's have arrived, these would have, too.
    test_a_callers_trace_goes_on(traced, collector)
    assert [span for span in collector.spans if span.trace_id == trace_id] == []


def test_calls_are_answered_without_the_collector() -> None:
    with running_collector() as collector:
        gone = collector.url
    with open_folder() as folder:
        environment = {"MENAGERIE_TRACE_COLLECTOR_URL": gone}
        with running_server(folder / "data", workers=1, **environment) as server:
            assert httpx.get(f"{server.species}/healthz").status_code == 200
