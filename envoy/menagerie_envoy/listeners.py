"""The listeners: one for each API with its documented paths, and the front door before them all."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from typing import TYPE_CHECKING

from menagerie_envoy.apis import SYSTEM, Api
from menagerie_envoy.clusters import COLLECTOR, listener_cluster, workers
from menagerie_envoy.clusters import continue_listener as continue_name
from menagerie_envoy.edge import InternalAddress
from menagerie_envoy.filters import TRANSCODER, api_filters, body_filters, disabled, front_door_filters
from menagerie_envoy.front_page import front_page_routes
from menagerie_envoy.pages import MAX_FILE_BYTES
from menagerie_envoy.replies import front_door_replies, local_replies
from menagerie_envoy.routes import api_hosts, continue_hosts, malformed, to, without
from menagerie_envoy.typed import Json, seconds, typed

if TYPE_CHECKING:
    from menagerie_envoy.descriptors import Descriptors
    from menagerie_envoy.edge import Address, Certificate, Edge

FRONT_DOOR = "front_door"

REQUEST_HEADERS_SECONDS = 10.0

MAX_HEADERS, MAX_HEADERS_KB = 100, 60
"""Of a request, at the front door; the APIs' own listeners take in addition what the front door adds."""
ADDED_HEADERS, ADDED_HEADERS_KB = 20, 4
TRACED_SERVICE = "menagerie-envoy"

SHARED_SERVICES = ("/grpc.health.v1.Health/", "/grpc.reflection.v1.", "/grpc.reflection.v1alpha.")
"""What the front door passes to any worker, whatever API the caller means."""

ACCESS_LOG = {
    "event": "request",
    "level": "info",
    "time": "%START_TIME%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "trace_id": "%TRACE_ID%",
    "listener": "%FILTER_CHAIN_NAME%",
    "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "method": "%REQ(X-ENVOY-ORIGINAL-METHOD?:METHOD)%",
    "path": "%PATH(NQ)%",
    "protocol": "%PROTOCOL%",
    "status": "%RESPONSE_CODE%",
    "grpc_status": "%GRPC_STATUS%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "flags": "%RESPONSE_FLAGS%",
    "request_bytes": "%BYTES_RECEIVED%",
    "response_bytes": "%BYTES_SENT%",
    "milliseconds": "%DURATION%",
    "worker": "%UPSTREAM_HOST%",
}
"""One line of JSON for each request, without its query, which may hold what nobody should log."""


def api_listener(api: Api, edge: Edge, descriptors: Descriptors) -> Json:
    """Return the listener of one API. It routes only that API's service: another's is unknown here."""
    listener = edge.listeners[api]
    return _listener(
        api.name,
        edge,
        address=listener.address,
        local_reply_config=local_replies(api),
        route_config={
            "virtual_hosts": api_hosts(api, edge),
            "ignore_port_in_host_matching": True,
            "max_direct_response_body_size_bytes": MAX_FILE_BYTES,
        },
        http_filters=api_filters(api, edge, descriptors),
        **_client_behind_proxies(edge),
    )


def continue_listener(api: Api, edge: Edge, descriptors: Descriptors) -> Json:
    """Return the listener that tells clients who wait for it to go on: `Expect: 100-continue`.

    The API's own listener hands those over that it lets in, and refuses the others before they send a body.
    """
    listener = _listener(
        api.name,
        replace(edge, certificate=None),
        address=InternalAddress(continue_name(api)),
        continues=True,
        stat_prefix=continue_name(api),
        local_reply_config=local_replies(api),
        route_config={"virtual_hosts": continue_hosts(api, edge)},
        http_filters=body_filters(api, edge, descriptors),
        # Nobody else calls it: the last address is the one that the API's listener added.
        xff_num_trusted_hops=1,
        use_remote_address=False,
        max_request_headers_kb=MAX_HEADERS_KB + 2 * ADDED_HEADERS_KB,
        common_http_protocol_options=_common_options(edge, MAX_HEADERS + 2 * ADDED_HEADERS),
    )
    # The log names the API, as for calls that do not wait.
    return listener | {"name": continue_name(api)}


def front_door(edge: Edge, descriptors: Descriptors) -> Json:
    """Return the listener that serves the whole: each API by a hop through its own listener."""
    own = (f"/{SYSTEM.service}/", *SHARED_SERVICES)
    pages = (without(page, TRANSCODER) for page in front_page_routes(edge))
    routes = [*malformed(), *pages, *(to(workers(SYSTEM), {"prefix": prefix}) for prefix in own)]
    for api in edge.listeners:
        routes += _hops(api)
    listener = _listener(
        FRONT_DOOR,
        edge,
        address=edge.front_door,
        local_reply_config=front_door_replies(SYSTEM, edge.listeners),
        route_config={
            "virtual_hosts": [{"name": FRONT_DOOR, "domains": ["*"], "routes": routes}],
            "max_direct_response_body_size_bytes": MAX_FILE_BYTES,
        },
        http_filters=front_door_filters(SYSTEM, descriptors),
        # Here the caller is whoever has connected. The API's listener believes what this one passes on.
        use_remote_address=True,
        max_request_headers_kb=MAX_HEADERS_KB,
        common_http_protocol_options=_common_options(edge, MAX_HEADERS),
    )
    # Envoy can stop these listeners before the others.
    return listener | {"traffic_direction": "INBOUND"}


def _hops(api: Api) -> list[Json]:
    grpc = to(listener_cluster(api), {"prefix": f"/{api.package}."})
    rest = to(listener_cluster(api), {"prefix": f"/{api.name}/"}, prefix_rewrite="/")
    rest["request_headers_to_add"] = [_set("x-forwarded-prefix", f"/{api.name}")]
    bare = {"match": {"path": f"/{api.name}"}, "redirect": {"path_redirect": f"/{api.name}/"}}
    # The API's own listener knows these paths, gRPC-Web and CORS; the front door's transcoder refuses them.
    past = {"typed_per_filter_config": {TRANSCODER: disabled()}}
    return [route | past for route in (grpc, rest, bare)]


def _set(name: str, value: str) -> Json:
    return {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def _client_behind_proxies(edge: Edge) -> Json:
    """Return what finds the caller's address behind the front door and other proxies, and no forged one."""
    # The front door calls from this machine: from the loopback address, or from the one that it listens on.
    own = {"127.0.0.1", "::1", edge.front_door.host}
    networks = map(ip_network, (*sorted(own), *edge.trusted_proxies))
    cidrs = [{"address_prefix": str(one.network_address), "prefix_len": one.prefixlen} for one in networks]
    xff = typed("original_ip", xff_trusted_cidrs={"cidrs": cidrs}, skip_xff_append=False)
    name = "envoy.http.original_ip_detection.xff"
    return {
        "use_remote_address": False,
        "skip_xff_append": False,
        "max_request_headers_kb": MAX_HEADERS_KB + ADDED_HEADERS_KB,
        "common_http_protocol_options": _common_options(edge, MAX_HEADERS + ADDED_HEADERS),
        "original_ip_detection_extensions": [{"name": name, "typed_config": xff}],
    }


def _common_options(edge: Edge, max_headers: int) -> Json:
    return {"max_headers_count": max_headers, "idle_timeout": seconds(edge.idle_connection_seconds)}


def _listener(
    name: str, edge: Edge, *, address: Address | InternalAddress, continues: bool = False, **more: object
) -> Json:
    manager = typed(
        "http_connection_manager",
        server_header_transformation="PASS_THROUGH",
        # The caller's own request id is kept, and every answer carries it: Envoy's own errors, too.
        preserve_external_request_id=True,
        always_set_request_id_in_response=True,
        stream_idle_timeout=seconds(edge.idle_seconds),
        request_headers_timeout=seconds(REQUEST_HEADERS_SECONDS),
        request_timeout=seconds(edge.request_seconds),
        http_protocol_options={
            # nginx's proxy_pass speaks it, unless it is told otherwise.
            "accept_http_10": True,
            "default_host_for_http_10": "localhost",
            # RFC 9110, section 7.8: a server may ignore an offer to change the protocol.
            "ignore_http_11_upgrade": [{"safe_regex": {"regex": ".*"}}],
        },
        # A malformed request ends its own stream, and not the connection that the front door's callers share.
        http2_protocol_options={"override_stream_error_on_invalid_http_message": True},
        access_log=_access_log(edge),
        # Envoy says 100 Continue before it has looked for a route; elsewhere a refusal comes first.
        proxy_100_continue=not continues,
        **_traces(edge),
        **{"stat_prefix": name, **more},
    )
    chain: Json = {
        "name": name,
        "filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}],
    }
    if edge.certificate:
        chain["transport_socket"] = _tls(edge.certificate)
    if isinstance(address, InternalAddress):
        return {"name": name, "internal_listener": {}, "filter_chains": [chain]}
    return {"name": name, "address": address.socket_address(), "filter_chains": [chain]}


def _access_log(edge: Edge) -> list[Json]:
    log = typed("access_log", log_format={"json_format": ACCESS_LOG})
    return [{"name": "envoy.access_loggers.stdout", "typed_config": log}] if edge.access_log else []


def _traces(edge: Edge) -> Json:
    if edge.traces is None:
        return {}
    sender = {"envoy_grpc": {"cluster_name": COLLECTOR}}
    provider = typed("traces", grpc_service=sender, service_name=TRACED_SERVICE)
    # A caller's own request id need not be one that a decision can be packed into.
    request_ids = typed("uuid_request_id", pack_trace_reason=False, use_request_id_for_trace_sampling=False)
    return {
        "request_id_extension": {"typed_config": request_ids},
        "tracing": {
            "provider": {"name": "envoy.tracers.opentelemetry", "typed_config": provider},
            "random_sampling": {"value": 100 * edge.traces.ratio},
        },
    }


def _tls(certificate: Certificate) -> Json:
    files = {
        "certificate_chain": {"filename": str(certificate.chain)},
        "private_key": {"filename": str(certificate.key)},
    }
    common = {"alpn_protocols": ["h2", "http/1.1"], "tls_certificates": [files]}
    context = typed("downstream_tls", common_tls_context=common)
    return {"name": "envoy.transport_sockets.tls", "typed_config": context}
