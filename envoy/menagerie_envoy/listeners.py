"""The listeners: one for each API with its documented paths, and the front door before them all."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from menagerie_envoy.apis import SYSTEM, Api
from menagerie_envoy.clusters import WORKERS, listener_cluster
from menagerie_envoy.replies import local_replies
from menagerie_envoy.typed import Json, http_filter, seconds, typed

if TYPE_CHECKING:
    from pathlib import Path

    from menagerie_envoy.edge import Edge

MAX_RESPONSE_BYTES = 64 * 1024 * 1024

REQUEST_HEADERS_SECONDS = 10.0

TRANSCODER = "envoy.filters.http.grpc_json_transcoder"

SHARED_SERVICES = ("/grpc.health.v1.Health/", "/grpc.reflection.v1.", "/grpc.reflection.v1alpha.")
"""What the front door passes to any worker, whatever API the caller means."""


def api_listener(api: Api, edge: Edge, descriptors: Path) -> Json:
    """Return the listener of one API. It routes only that API's service: another's is unknown here."""
    filters = [_error_filter(api), _transcoder(api, descriptors), _router()]
    routes = [_to(WORKERS, prefix=f"/{api.service}/")]
    return _listener(api.name, api, edge, routes, filters)


def front_door(edge: Edge, descriptors: Path) -> Json:
    """Return the listener that serves the whole: each API by a hop through its own listener."""
    filters = [_error_filter(SYSTEM), _transcoder(SYSTEM, descriptors), _router()]
    routes = [_to(WORKERS, prefix=f"/{SYSTEM.service}/")]
    routes += [_to(WORKERS, prefix=prefix) for prefix in SHARED_SERVICES]
    for api in edge.listeners:
        routes.append(_to(listener_cluster(api), prefix=f"/{api.package}."))
        hop = _to(listener_cluster(api), prefix=f"/{api.name}/", prefix_rewrite="/")
        # The API's own listener knows these paths; the front door's transcoder would refuse them.
        routes.append(hop | {"typed_per_filter_config": {TRANSCODER: typed("filter_config", disabled=True)}})
    return _listener("front_door", SYSTEM, edge, routes, filters)


def _listener(name: str, api: Api, edge: Edge, routes: list[Json], filters: list[Json]) -> Json:
    address = edge.listeners.get(api, edge.front_door)
    manager = typed(
        "http_connection_manager",
        stat_prefix=name,
        use_remote_address=True,
        server_header_transformation="PASS_THROUGH",
        # The caller's own request id is kept, and every answer carries it: Envoy's own errors, too.
        preserve_external_request_id=True,
        always_set_request_id_in_response=True,
        stream_idle_timeout=seconds(edge.idle_seconds),
        request_headers_timeout=seconds(REQUEST_HEADERS_SECONDS),
        local_reply_config=local_replies(api),
        route_config={"virtual_hosts": [{"name": name, "domains": ["*"], "routes": routes}]},
        http_filters=filters,
    )
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    return {"name": name, "address": address.socket_address(), "filter_chains": [chain]}


def _to(cluster: str, *, prefix: str, **route: str) -> Json:
    # The server knows how long each call may take, and honours the caller's deadline: no timeout here.
    return {"match": {"prefix": prefix}, "route": {"cluster": cluster, "timeout": "0s", **route}}


def _error_filter(api: Api) -> Json:
    template = files(__package__).joinpath("errors.lua").read_text(encoding="utf-8")
    # Lua's patterns have a `$` of their own, so only the one placeholder is replaced.
    source = template.replace("$error_key", api.error_key)
    return http_filter("lua", default_source_code={"inline_string": source})


def _transcoder(api: Api, descriptors: Path) -> Json:
    return http_filter(
        "grpc_json_transcoder",
        proto_descriptor=str(descriptors),
        services=[api.service],
        print_options={"preserve_proto_field_names": True, "always_print_primitive_fields": True},
        request_validation_options={"reject_unknown_method": True, "reject_unknown_query_parameters": True},
        convert_grpc_status=True,
        max_request_body_size=api.max_request_bytes,
        max_response_body_size=MAX_RESPONSE_BYTES,
    )


def _router() -> Json:
    return http_filter("router", suppress_envoy_headers=True)
