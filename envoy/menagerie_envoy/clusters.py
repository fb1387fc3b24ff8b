"""The clusters: the workers, and each API's own listener for the front door's hop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from menagerie_envoy.edge import InternalAddress
from menagerie_envoy.typed import Json, seconds, typed

if TYPE_CHECKING:
    from menagerie_envoy.apis import Api
    from menagerie_envoy.edge import Address, Edge, Traces

COLLECTOR = "trace_collector"

SYSTEM_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"

CIRCUIT_BREAKER: Json = {"max_requests": 4096, "max_connections": 1024, "max_retries": 4096}
"""A call of an API beyond these is answered at once that the service is not available; others' are not."""

CONNECT_SECONDS = 1.0
HEALTH_INTERVAL_SECONDS = 1.0
AWAITED_INTERVAL_SECONDS = 0.25
"""How often a worker is looked for that starts, or starts again."""
IDLE_INTERVAL_SECONDS = 2.0
"""How often a worker that answers is asked for an API that nobody calls: each API asks for itself."""
HEALTH_TIMEOUT_SECONDS = 2.0
"""Loading a model can hold Python's global lock: a worker is down only after three such checks in a row."""
FAILED_CHECKS = 3


def worker_cluster(api: Api, edge: Edge) -> Json:
    """Return the cluster of the workers for one API's calls, balanced per request and not per connection."""
    # All callers share these connections, and gRPC keeps a header that it could not read in the connection's
    # table: without one, no caller's malformed grpc-timeout makes others' calls fail.
    return {
        **_cluster(workers(api), edge.workers, hpack_table_size=0),
        "lb_policy": "LEAST_REQUEST",
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "health_checks": [
            {
                "timeout": seconds(HEALTH_TIMEOUT_SECONDS),
                "interval": seconds(HEALTH_INTERVAL_SECONDS),
                "no_traffic_interval": seconds(AWAITED_INTERVAL_SECONDS),
                "no_traffic_healthy_interval": seconds(IDLE_INTERVAL_SECONDS),
                "unhealthy_interval": seconds(AWAITED_INTERVAL_SECONDS),
                "unhealthy_threshold": FAILED_CHECKS,
                "healthy_threshold": 1,
                # The empty name asks for the process: an API that is not ready says so itself.
                "grpc_health_check": {"service_name": ""},
            }
        ],
    }


def hop_cluster(api: Api, edge: Edge) -> Json:
    """Return the cluster that is an API's own listener."""
    cluster = _cluster(listener_cluster(api), (edge.listeners[api].address,))
    if edge.certificate:
        # It is this Envoy that answers there: whom the certificate names does not matter.
        tls = typed("upstream_tls", common_tls_context={"alpn_protocols": ["h2"]})
        cluster["transport_socket"] = {"name": "envoy.transport_sockets.tls", "typed_config": tls}
    return cluster


def continue_cluster(api: Api) -> Json:
    """Return the cluster that is the listener of an API for those who wait for 100 Continue."""
    return _cluster(continue_listener(api), (InternalAddress(continue_listener(api)),))


def collector_cluster(traces: Traces) -> Json:
    """Return the cluster that takes the spans."""
    cluster = _cluster(COLLECTOR, (traces.collector,)) | {"type": "STRICT_DNS"}
    if traces.tls:
        trusted = {"trusted_ca": {"filename": SYSTEM_AUTHORITIES}}
        name = traces.collector.host
        common = {"alpn_protocols": ["h2"], "validation_context": trusted}
        tls = typed("upstream_tls", sni=name, auto_sni_san_validation=True, common_tls_context=common)
        cluster["transport_socket"] = {"name": "envoy.transport_sockets.tls", "typed_config": tls}
    return cluster


def workers(api: Api) -> str:
    """Return the name of the cluster of the workers for an API's calls."""
    return f"{api.name}_workers"


def listener_cluster(api: Api) -> str:
    """Return the name of the cluster that is an API's own listener."""
    return f"{api.name}_listener"


def continue_listener(api: Api) -> str:
    """Return the name of the listener of an API for those who wait for 100 Continue, and of its cluster."""
    return f"{api.name}_continue"


def _cluster(name: str, addresses: tuple[Address | InternalAddress, ...], **http2: int) -> Json:
    options = typed("http_protocol_options", explicit_http_config={"http2_protocol_options": http2})
    endpoints = [{"endpoint": {"address": address.socket_address()}} for address in addresses]
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": seconds(CONNECT_SECONDS),
        "circuit_breakers": {"thresholds": [CIRCUIT_BREAKER]},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options
        },
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]},
    }
